"""Tests that need containers, clusters or root: `make deploy-test` runs them and prints one table."""
