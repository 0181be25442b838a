"""Zero-shot: classes by description."""
