"""Pivots of SCL: columns that are at work in both domains, by what they tell about the label or by how common they are.

A column is *on* in a row where it lies beyond its mean, seen from zero: a word that most rows lack, where it occurs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from transfermap.math.linalg import Array
from transfermap.methods.selection._shared import information, label_codes

_HAIR = 1e-9  # of a column's size: a value equal to the mean is not beyond it, however the mean was rounded


def usual(X: Any) -> Array:
    """The value of each column beyond which it is on, (d,): its mean, a hair further from zero."""
    mean = np.asarray(X.mean(axis=0, dtype=np.float64)).ravel()
    squares = (
        X.multiply(X).mean(axis=0, dtype=np.float64) if sparse.issparse(X) else np.einsum("nd,nd->d", X, X) / len(X)
    )
    return mean + np.where(mean < 0, -_HAIR, _HAIR) * np.sqrt(np.asarray(squares, dtype=np.float64).ravel())


def switched_on(X: Any, level: Array) -> Any:
    """Where each column is on: bool (n, d), sparse where ``X`` is."""
    side = np.where(level < 0, -1.0, 1.0)
    if not sparse.issparse(X):
        return side * X > np.abs(level)
    on = side[X.indices] * X.data > np.abs(level)[X.indices]
    Z = sparse.csr_matrix((on, X.indices, X.indptr), shape=X.shape, copy=True)  # pruned below, and X is not ours
    Z.eliminate_zeros()
    return Z


def times_on(Z: Any) -> Array:
    """In how many rows each column is on, (d,)."""
    return np.asarray(Z.sum(axis=0, dtype=np.int64)).ravel()


def label_information(Z: Any, y: Array) -> Array:
    """Mutual information, in nats, of each column's being on with the label, (d,)."""
    codes = label_codes(y)
    classes = np.eye(codes.max() + 1)[codes]
    on = np.asarray(Z.T @ classes)
    return information(np.stack([on, classes.sum(axis=0) - on], axis=1))


def choose_pivots(
    times: tuple[Array, Array], rows: tuple[int, int], rank: Array | None, most: int, least: int
) -> Array:
    """The numbers of at most ``most`` pivots, best first.

    Parameters
    ----------
    times : two ndarrays of shape (d,)
        In how many source and target rows each column is on.
    rows : two ints
        How many rows there are.
    rank : ndarray of shape (d,), or None
        What is to be large; None: how common a column is where it is less so.
    most : int
    least : int
        A pivot is on in at least so many rows of each domain, and off in as many.
    """
    # a column that is always on is as little to be predicted as one that never is
    thin = np.array([np.minimum(on, n - on) for on, n in zip(times, rows, strict=True)])
    common = (thin / np.array(rows)[:, None]).min(axis=0)
    # stable, so that ties go by the column's place and not by the sorter
    order = np.argsort(-(common if rank is None else rank), kind="stable")
    return order[(thin.min(axis=0) >= least)[order]][:most]
