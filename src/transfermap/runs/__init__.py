"""A run from task to folder and back: fit, save, load, predict."""
