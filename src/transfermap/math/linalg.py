"""Covariances and their powers, stable for few rows and for float32."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def moments(X: Array) -> tuple[Array, Array]:
    """Mean (d,) and covariance (d, d) of rows ``X`` (n, d), n >= 2, in float64 whatever the input's type."""
    mean = X.mean(axis=0, dtype=np.float64)
    centred = X - mean
    return mean, centred.T @ centred / (len(X) - 1)


def spd_power(C: Array, power: float) -> Array:
    """``C ** power`` of a symmetric positive definite matrix (d, d), by its eigenvalues, which are held above rounding."""
    values, vectors = np.linalg.eigh(C)
    floor = max(values[-1], 0.0) * len(C) * np.finfo(np.float64).eps
    held = np.maximum(values, max(floor, np.finfo(np.float64).tiny))
    return (vectors * held**power) @ vectors.T  # type: ignore[no-any-return]
