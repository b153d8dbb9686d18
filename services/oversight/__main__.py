"""Oversight's process: the only wiring."""
