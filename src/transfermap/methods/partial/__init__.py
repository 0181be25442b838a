"""Partial and open label sets."""
