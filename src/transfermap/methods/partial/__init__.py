"""Partial label sets."""
