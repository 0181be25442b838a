"""Discrepancies and penalties on tensors, as functions."""
