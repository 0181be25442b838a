"""Across modalities."""
