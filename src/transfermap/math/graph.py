"""Graphs of near rows: sparse, symmetric, and made without comparing all pairs of a long table."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from transfermap.math.linalg import Array

_CELL, _TRIES = 5000, 2  # rows a cell; near rows that one set of cuts has parted mostly meet in the other


def similarity(Z: Array, k: int, seed: int) -> sparse.csr_array:
    """Symmetrically normalised graph D^(-1/2) W D^(-1/2), (n, n), of rows ``Z`` (n, d) of length one.

    W holds the cosine of each row with its ``k`` nearest others and with those it is nearest to, nothing below 0. A
    row without any such neighbour has an empty line. Up to 5,000 rows the neighbours are exact. Longer tables are cut
    into cells by halving them across directions that ``seed`` draws, twice over; neighbours are sought within cells.
    """
    tries = 1 if len(Z) <= _CELL else _TRIES
    rng = np.random.default_rng(seed)
    pairs = [_near(Z, cell, k) for _ in range(tries) for cell in _cells(Z, np.arange(len(Z)), rng)]
    near, far = (np.concatenate(ends) for ends in zip(*pairs, strict=True))
    linked = sparse.csr_array((np.ones(len(near), dtype=bool), (near, far)), shape=(len(Z), len(Z)))
    a, b = (linked + linked.T).nonzero()
    # no negative weights: degrees could be 0 or less, and the Laplacian would lose its sign
    W = sparse.csr_array((np.maximum(_products(Z, a, b), 0), (a, b)), shape=linked.shape)
    degree = W.sum(axis=1)
    # a row that is like no other has degree 0
    scale = sparse.diags_array(1 / np.sqrt(np.where(degree > 0, degree, 1)))
    return (scale @ W @ scale).tocsr()


def _near(Z: Array, cell: Array, k: int) -> tuple[Array, Array]:
    """Each row of the cell and its nearest others in it, as two (m * k,) arrays of row numbers."""
    k = min(k, len(cell) - 1)
    # rows have length one, so the nearest have the largest cosine. Trees do not pay in many columns
    found = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(Z[cell]).kneighbors(return_distance=False)
    return cell.repeat(k), cell[found].ravel()


def _cells(Z: Array, rows: Array, rng: np.random.Generator) -> list[Array]:
    if len(rows) <= _CELL:
        return [rows]
    along = np.argsort(Z[rows] @ rng.normal(size=Z.shape[1]), kind="stable")
    half = len(rows) // 2
    return _cells(Z, rows[along[:half]], rng) + _cells(Z, rows[along[half:]], rng)


def _products(Z: Array, a: Array, b: Array) -> Array:
    # (pairs, d) at once would be k times the table
    blocks = range(0, len(a), 100_000)
    parts = [np.einsum("md,md->m", Z[a[i : i + 100_000]], Z[b[i : i + 100_000]]) for i in blocks]
    return np.concatenate(parts)
