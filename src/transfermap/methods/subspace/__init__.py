"""Subspaces and statistics: align bases, covariances or manifolds."""
