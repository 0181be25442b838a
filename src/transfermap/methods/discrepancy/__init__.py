"""Deep discrepancy."""
