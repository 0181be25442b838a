"""Nearest-neighbour weighting: a source row counts as many times as it is the nearest one to a target row."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.neighbors import NearestNeighbors

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.roles import Weigher

_FEW_COLUMNS = 8  # a tree beats comparing all rows up to about here
_TILE = 256, 2048  # target and source rows compared at once: the products then stay in the processor's cache
_EXACT = 256  # doubtful rows that are compared at once with all, in float64


def neighbour_counts(Xs: Array, Xt: Array, k: int = 1) -> Array:
    """How many target rows have each source row among their ``k`` nearest, (n_source,); sums to k n_target.

    Source rows at equal distance share what is left of the k places in equal parts, so the order of rows does not
    matter and copies of a row get the same. Memory grows with n only.

    Parameters
    ----------
    Xs, Xt : ndarray of shape (n_source, d), (n_target, d)
    k : int
        At most n_source.

    Examples
    --------
    >>> neighbour_counts(np.array([[0.0], [1.0], [5.0], [5.0]]), np.array([[0.1], [0.2], [7.0]])).tolist()
    [2.0, 0.0, 0.5, 0.5]
    """
    if k > 1:
        return _places(Xs, np.ones(len(Xs)), Xt, k)
    rows, which, copies = np.unique(Xs, axis=0, return_inverse=True, return_counts=True)
    return (_places(rows, copies, Xt, k) / copies)[which.ravel()]


def _places(rows: Array, copies: Array, Xt: Array, k: int) -> Array:
    """The places that each of ``rows`` gets with all its ``copies``; these are ones unless k = 1."""
    mean = rows.mean(axis=0, dtype=np.float64)
    A, Q = rows - mean, Xt - mean
    if len(A) == k:
        return np.full(k, float(len(Q)))
    # the products keep two rows, so they serve k = 1 only
    few = A.shape[1] <= _FEW_COLUMNS or k > 1
    found, last, beyond, noise = _by_tree(A, Q, k) if few else _by_products(A, Q)
    # float32 decides where the next row is further by more than rounding; the few others are done again
    clear = beyond - last > noise
    counts = np.bincount(found[clear].ravel(), minlength=len(A)).astype(np.float64)
    doubtful, times = np.unique(Q[~clear], axis=0, return_counts=True)
    for start in range(0, len(doubtful), _EXACT):
        part = slice(start, start + _EXACT)
        counts += _shared_places(A, copies, doubtful[part], times[part], k)
    return counts


def _by_tree(A: Array, Q: Array, k: int) -> tuple[Array, Array, Array, Array]:
    """The k nearest rows of ``A`` to each of ``Q``, squared distances of the last of them and of the next, noise."""
    search = NearestNeighbors(n_neighbors=k + 1, algorithm="kd_tree" if A.shape[1] <= _FEW_COLUMNS else "brute")
    distance, found = search.fit(A).kneighbors(Q)
    D: Array = distance**2
    return found[:, :k], D[:, k - 1], D[:, k], _noise(Q, D[:, k - 1], np.float64)


def _by_products(A: Array, Q: Array) -> tuple[Array, Array, Array, Array]:
    """The same for k = 1, by comparing all pairs in float32, tile by tile."""
    size = max(float(np.abs(A).max()), float(np.abs(Q).max())) or 1.0
    points = np.vstack([-(A / size).T, ((A / size) ** 2).sum(axis=1) / 2]).astype(np.float32)
    asked = np.column_stack([Q / size, np.ones(len(Q))]).astype(np.float32)
    found, lowest, second = (np.empty(len(Q), dtype=t) for t in (np.intp, np.float32, np.float32))
    for start in range(0, len(Q), _TILE[0]):
        rows = slice(start, start + _TILE[0])
        found[rows], lowest[rows], second[rows] = _two_lowest(asked[rows], points)
    D = 2 * size**2 * np.maximum(lowest.astype(np.float64) + ((Q / size) ** 2).sum(axis=1) / 2, 0)
    return (
        found[:, None],
        D,
        D + 2 * size**2 * (second.astype(np.float64) - lowest.astype(np.float64)),
        _noise(Q, D, np.float32),
    )


def _two_lowest(asked: Array, points: Array) -> tuple[Array, Array, Array]:
    """For each row of ``asked @ points`` where its lowest value stands, that value, and the second lowest."""
    every = np.arange(len(asked))
    found = np.zeros(len(asked), dtype=np.intp)
    lowest, second = np.full((2, len(asked)), np.inf, dtype=np.float32)
    for start in range(0, points.shape[1], _TILE[1]):
        G = asked @ points[:, start : start + _TILE[1]]
        here = G.argmin(axis=1)
        low = G[every, here]
        G[every, here] = np.inf
        second = np.minimum(np.minimum(second, G.min(axis=1)), np.maximum(lowest, low))
        found = np.where(low < lowest, here + start, found)
        lowest = np.minimum(lowest, low)
    return found, lowest, second


def _noise(Q: Array, D: Array, kind: type[np.floating[Any]]) -> Array:
    """Differences between squared distances below this are rounding, (n,)."""
    # generous: what is called doubtful in vain only costs time
    return 64 * float(np.finfo(kind).eps) * ((Q**2).sum(axis=1) + D)


def _shared_places(A: Array, copies: Array, Q: Array, times: Array, k: int) -> Array:
    """The places that rows ``Q`` give, each so many ``times``; source rows at equal distance share them."""
    D = euclidean_distances(Q, A, squared=True)
    last = D.min(axis=1) if k == 1 else np.partition(D, k - 1, axis=1)[:, k - 1]
    noise = _noise(Q, last, np.float64)
    inside, upto = (last - noise)[:, None] > D, (last + noise)[:, None] >= D
    full, most = inside @ copies, upto @ copies
    # rows inside have a place for certain; those at the k-th distance share what is left
    part = (k - full) / (most - full)
    places: Array = copies * ((times * (1 - part)) @ inside + (times * part) @ upto)
    return places


@method(
    Card(
        name="Nearest-neighbour weighting",
        year=2012,
        setting="transductive",
        transfers="instances",
        objective="w_i = smoothing + #{j : x_i^s is nearest to x_j^t}",
        steps=(
            "Find the nearest source row to each target row.",
            "Count for each source row how often it was found, and add one.",
            "Train on the source weighted by the counts.",
        ),
        solver="exact search: a tree up to 8 columns, all pairs in tiles beyond",
        cost="time n_s n_t d (n log n up to 8 columns), memory n d",
        assumes=(
            "the same row means the same label in both domains (covariate shift)",
            "columns are on comparable scales",
        ),
        fails_when=(
            "there are many columns: a few source rows are then nearest to nearly everything",
            "the domains hardly overlap: the source's outermost rows get all the weight",
        ),
        reference="Loog, Nearest Neighbor-Based Importance Weighting, IEEE MLSP 2012",
        doi="10.48550/arXiv.2102.02291",
        toy="covariate_shift",
    )
)
class NearestWeighting(Weigher):
    r"""Weigh each source row by the number of target rows that lie nearest to it.

    .. math:: \min_f \sum_i w_i\, \ell(f(x^s_i), y^s_i), \qquad
              w_i = c + \frac{1}{k} \#\{ j : x^s_i \text{ is among the } k \text{ nearest source rows of } x^t_j \}

    scaled to mean 1. Source rows at equal distance share a place. Columns should be on comparable scales.

    Fails when there are many columns, where a few rows are nearest to nearly everything, and when the domains hardly
    overlap.

    Parameters
    ----------
    neighbours : int, default=1
        The number k of nearest source rows that a target row is spread over; all where there are fewer. The paper's is
        1.
    smoothing : float, default=1.0
        The constant c >= 0 (Laplace's smoothing): what a source row counts that is nearest to no target row.

    Attributes
    ----------
    weights_ : ndarray of shape (n_source,), mean 1

    Examples
    --------
    >>> import numpy as np
    >>> Xs, Xt = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([[2.1], [2.8], [3.3], [3.4]])
    >>> NearestWeighting().fit(np.r_[Xs, Xt], sample_domain=[1, 1, 1, 1, -1, -1, -1, -1]).weights_.tolist()
    [0.5, 0.5, 1.0, 2.0]

    References
    ----------
    Loog, Nearest Neighbor-Based Importance Weighting, IEEE International Workshop on Machine Learning for Signal
    Processing, 2012. doi:10.48550/arXiv.2102.02291
    """

    neighbours: int = param(default=1, low=1)
    smoothing: float = param(default=1.0, low=0)

    def weigh(self, Xs: Array, ys: Array | None, Xt: Array) -> Array:
        k = min(self.neighbours, len(Xs))
        # counts themselves; skada inverts them, and favours the rows without neighbours (docs/errors.md)
        w = self.smoothing + neighbour_counts(Xs, Xt, k) / k
        return w / w.mean()
