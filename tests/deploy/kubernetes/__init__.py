"""Run Kubernetes here: an API server for the tests, and by hand a whole node."""
