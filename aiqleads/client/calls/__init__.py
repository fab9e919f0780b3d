"""The calls of the API, built from arguments."""
