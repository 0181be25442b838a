"""Covariances, their powers and their axes, stable for few rows and for float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import eigh

Array = np.ndarray[Any, np.dtype[Any]]


def moments(X: Array) -> tuple[Array, Array]:
    """Mean (d,) and covariance (d, d) of rows ``X`` (n, d), n >= 2, in float64 whatever the input's type."""
    mean = X.mean(axis=0, dtype=np.float64)
    centred = X - mean
    return mean, centred.T @ centred / (len(X) - 1)


def spd_power(C: Array, power: float) -> Array:
    """``C ** power`` of a symmetric positive definite matrix (d, d), by its eigenvalues, held above rounding."""
    values, vectors = np.linalg.eigh(C)
    floor = max(values[-1], 0.0) * len(C) * np.finfo(np.float64).eps
    # eigenvalues of 0 come out as plus or minus rounding, which a negative power would make the largest of all
    held = np.maximum(values, max(floor, np.finfo(np.float64).tiny))
    return (vectors * held**power) @ vectors.T


def row_space(X: Array, most: int | None = None) -> tuple[Array, Array]:
    """Orthonormal axes (d, r) of the rows ``X`` (n, d), longest first, and their singular values (r,), all non-zero.

    Works on the smaller of the two Gram matrices, so wide tables cost n^2 d and long ones n d^2; ``most`` axes, where
    they are few, cost less than all.
    """
    X = np.asarray(X, dtype=np.float64)
    wide = X.shape[1] > X.shape[0]
    gram = X @ X.T if wide else X.T @ X
    # LAPACK's solver for a few of the eigenvectors is the quicker one only while they are few
    if most is not None and most < len(gram) // 4:
        squares, vectors = eigh(gram, subset_by_index=(len(gram) - most, len(gram) - 1))
    else:
        squares, vectors = np.linalg.eigh(gram)
    squares, vectors = squares[::-1][:most], vectors[:, ::-1][:, :most]
    # squares of lengths: what a Gram matrix has lost to rounding is already a share eps of the largest *square*
    kept = squares > max(squares[0], 0) * len(gram) * np.finfo(np.float64).eps * 10
    # one axis also of rows that are all zero
    kept[0] = True
    lengths, vectors = np.sqrt(np.maximum(squares[kept], 0)), vectors[:, kept]
    if not wide:
        return vectors, lengths
    axes = X.T @ vectors
    # by their measured length: the root of a small eigenvalue has few digits
    return axes / np.maximum(np.linalg.norm(axes, axis=0), np.finfo(np.float64).tiny), lengths


def principal_axes(X: Array, most: int | None = None) -> tuple[Array, Array, Array]:
    """Mean (d,), principal axes (d, r), largest entries positive, and each one's share of the variance (r,)."""
    mean = X.mean(axis=0, dtype=np.float64)
    centred = X - mean
    axes, lengths = row_space(centred, most)
    largest = np.argmax(np.abs(axes), axis=0)
    signs = np.where(axes[largest, np.arange(axes.shape[1])] < 0, -1, 1)
    # where only some axes are asked for, the rest's variance is not in ``lengths``
    total = (lengths**2).sum() if most is None else np.square(centred).sum()
    return mean, axes * signs, lengths**2 / total if total > 0 else np.ones(1)


def axes_for_share(shares: Array, wanted: float) -> int:
    """How many leading axes explain ``wanted`` of the variance."""
    # a sum of shares that is 0.9 on paper may come out as 0.9 - 1e-16
    return min(int(np.searchsorted(np.cumsum(shares), wanted * (1 - 1e-12))) + 1, len(shares))


def coral_map(Xs: Array, Xt: Array, reg: float) -> tuple[Array, Array]:
    """The affine map ``x -> x A + b`` with which the source gets the target's mean and regularised covariance."""
    (ms, Cs), (mt, Ct) = moments(Xs), moments(Xt)
    # relative to the mean variance, so that reg means the same in any unit (docs/decisions/0007)
    ridge = reg * np.trace(Cs + Ct) / (2 * len(Cs)) * np.eye(len(Cs))
    A = spd_power(Cs + ridge, -0.5) @ spd_power(Ct + ridge, 0.5)
    # the mean as well: on features that were not z-scored the paper's map would turn it too (docs/decisions/0007)
    return A, mt - ms @ A
