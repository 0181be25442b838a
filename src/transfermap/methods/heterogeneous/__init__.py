"""Different feature spaces."""
