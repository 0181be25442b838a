"""Without the source."""
