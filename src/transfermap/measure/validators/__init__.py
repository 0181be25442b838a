"""Scores of an adapted model that read no target label."""
