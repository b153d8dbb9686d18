"""Verify a whole archive in two passes, in parts that fit into memory, in as many processes as requested."""
