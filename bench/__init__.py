"""Measure our figures beside their references, with ratios from one run: `make bench [JSON=file]`."""
