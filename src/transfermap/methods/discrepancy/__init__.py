"""Discrepancy of features."""
