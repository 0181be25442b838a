"""Self-training and shared predictors."""
