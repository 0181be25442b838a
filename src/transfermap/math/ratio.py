"""How much more common a row is in the target than in the source: what the ways to find out have in common.

Everything here depends on what the rows hold, not on the order that they come in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from sklearn.metrics.pairwise import euclidean_distances

from transfermap.math.kernels import median_bandwidth
from transfermap.math.linalg import Array

_BLOCK = 4096
_MEDIAN_ROWS = 500  # a side, for the median of 500,000 distances
_FACTORS = 2.0 ** np.arange(-3, 5)  # around the median rule, which knows how rows spread, not how the ratio does


class KernelRatio(NamedTuple):
    """The function ``r(x) = min(sum_l exp(log_coef_l - gamma |x - centres_l|^2), cap)``.

    ``centres`` (m, d) are target rows; ``log_coef`` (m,) is -inf where a coefficient is 0.
    """

    centres: Array
    gamma: float
    log_coef: Array
    cap: float = np.inf


def log_kernel_ratio(X: Array, ratio: KernelRatio) -> Array:
    """``log r(x)`` at rows ``X`` (n, d), also ones never seen; (n,). Finite where r itself would round to 0.

    Examples
    --------
    >>> ratio = KernelRatio(np.zeros((1, 1)), 1.0, np.zeros(1))
    >>> log_kernel_ratio(np.array([[0.0], [2.0], [50.0]]), ratio).tolist()
    [0.0, -4.0, -2500.0]
    """
    logs = np.empty(len(X))
    for rows in blocks(len(X)):
        logs[rows] = log_mixture(squared_distances(X[rows], ratio.centres), ratio)
    return logs


def log_mixture(D: Array, ratio: KernelRatio) -> Array:
    """The same at rows with squared distances ``D`` (n, m) to the centres."""
    # coefficients of 0, mostly the majority, need no kernel
    kept = ratio.log_coef > -np.inf
    return np.minimum(log_sum(-ratio.gamma * D[:, kept] + ratio.log_coef[kept], axis=1), np.log(ratio.cap))


def log_coefficients(coef: Array) -> Array:
    """Logarithms of coefficients >= 0, -inf for 0."""
    logs: Array = np.log(coef, out=np.full(len(coef), -np.inf), where=coef > 0)
    return logs


def log_sum(L: Array, axis: int) -> Array:
    """``log(sum(exp(L)))`` along an axis without overflow or underflow; ``L`` (n, m) is overwritten."""
    top = L.max(axis=axis, keepdims=True)
    L -= top
    total: Array = np.log(np.exp(L, out=L).sum(axis=axis)) + top.squeeze(axis)
    return total


def squared_distances(X: Array, centres: Array) -> Array:
    """Squared distances (n, m) in float64, taken about the centres' mean: columns far from 0 do no harm."""
    mean = centres.mean(axis=0, dtype=np.float64)
    D: Array = euclidean_distances(X - mean, centres - mean, squared=True)
    return D


def blocks(n: int) -> Iterator[slice]:
    """Slices of at most 4,096 rows that cover n."""
    return (slice(start, start + _BLOCK) for start in range(0, n, _BLOCK))


def draw_rows(X: Array, m: int, seed: int = 0) -> Array:
    """Indices of ``m`` rows (all, where there are fewer), drawn by ``seed`` without putting any back.

    What is drawn are ranks along a direction, so the same rows in another order give the same choice.
    """
    # not ``seed`` itself, from which the direction is drawn: choice and direction must not depend on one another
    rng = np.random.default_rng([seed, 1])
    ranks = np.sort(rng.choice(X.shape[0], min(m, X.shape[0]), replace=False))
    return np.argsort(along(X, seed), kind="stable")[ranks]


def try_gammas(Xs: Array, Xt: Array) -> tuple[float, ...]:
    """Eight kernels to choose from, widest first: 1 / (2 s^2), s from 16 down to 1/8 times the usual width.

    The usual s^2 is half the median squared distance between rows.
    """
    half = median_bandwidth(np.concatenate([X[draw_rows(X, _MEDIAN_ROWS)] for X in (Xs, Xt)]))
    return tuple(float(1 / (2 * half * factor**2)) for factor in _FACTORS[::-1])


def ratio_weights(logs: Array, tau: float = 1.0, clip: float = 1.0) -> Array:
    """Weights ``exp(tau * logs)``, cut at their quantile ``clip`` and scaled to mean 1."""
    # only ratios of weights count: taking out the largest keeps exp from overflowing
    w = np.exp(tau * (logs - logs.max()))
    w = np.minimum(w, np.quantile(w, clip))
    return w / w.mean()


def stripes(X: Array, count: int) -> Array:
    """A fold for each row, by its rank along a fixed direction.

    The folds then depend on what the rows hold, not on their order, and where both domains hold the same rows, equal
    rows fall into the same fold: none is learnt from and judged at once.
    """
    # double argsort gives ranks; neighbours along the line go to different folds
    rank = np.argsort(np.argsort(along(X, 0), kind="stable"), kind="stable")
    return rank % count


def along(X: Array, seed: int = 0) -> Array:
    """Where each row lies along a direction drawn by ``seed``, (n,)."""
    along: Array = X @ np.random.default_rng(seed).normal(size=X.shape[1])
    return along
