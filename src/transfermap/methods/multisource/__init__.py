"""Several sources."""
