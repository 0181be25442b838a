"""What shared features and SCL have in common: how much a column tells about the label."""

from __future__ import annotations

import numpy as np
from scipy.special import entr

from transfermap.math.linalg import Array

_MANY, _PARTS = 20, 4  # different numbers above which they are no classes; quarters then


def label_codes(y: Array) -> Array:
    """Labels as numbers 0, 1, ...: classes, or the quarter of the range of ranks where y holds many numbers. (n,)."""
    values, codes = np.unique(np.asarray(y), return_inverse=True)
    if len(values) <= _MANY or values.dtype.kind not in "iuf":
        return codes
    return quantile_codes(np.asarray(y, dtype=np.float64), _PARTS)


def quantile_codes(x: Array, parts: int) -> Array:
    """Which of ``parts`` about equally full bins a value lies in; equal values share a bin. (n,)."""
    # cuts that are values: between two equal values there is nothing to cut
    cuts = np.unique(np.quantile(x, np.arange(1, parts) / parts, method="inverted_cdf"))
    return np.searchsorted(cuts, x, side="left")


def information(table: Array) -> Array:
    """Mutual information, in nats, of the counts ``table`` (..., a, b) of joint events; (...)."""
    joint = table / np.maximum(table.sum(axis=(-2, -1), keepdims=True), 1)
    apart = entr(joint.sum(axis=-1)).sum(axis=-1) + entr(joint.sum(axis=-2)).sum(axis=-1)
    # never negative but for rounding
    return np.maximum(apart - entr(joint).sum(axis=(-2, -1)), 0)
