"""Our figures beside their references, one command, ratios measured in one run: `make bench [JSON=file]`."""
