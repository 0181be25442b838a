"""Instance weighting: similar source rows count more."""
