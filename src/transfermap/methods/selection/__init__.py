"""Feature selection: keep or build the features that both domains share."""
