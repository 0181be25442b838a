"""Optimal transport: move the source onto the target at the least cost."""
