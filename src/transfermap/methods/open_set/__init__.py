"""Open label sets."""
