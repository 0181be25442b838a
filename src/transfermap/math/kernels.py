"""Gaussian kernels and the maximum mean discrepancy, computed in blocks so that no n x n matrix is held."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
_BLOCK = 1000


def median_bandwidth(X: ArrayLike, seed: int = 0) -> float:
    """Half the median squared distance between rows: the usual width of a Gaussian kernel.

    :math:`\\sigma^2 = \\tfrac12\\,\\mathrm{median}\\{\\|x_i-x_j\\|^2 : i<j,\\ x_i\\ne x_j\\}`, for
    :math:`k(x,y)=\\exp(-\\|x-y\\|^2/2\\sigma^2)`. Above 1,000 rows a seeded subsample of 1,000 is used.

    Parameters
    ----------
    X : (n, d) array
        The rows of both domains, one below the other.
    seed : int
        Draws the subsample.

    Returns
    -------
    float
        :math:`\\sigma^2 > 0`; 1.0 where all rows are equal.

    References
    ----------
    Gretton et al., A kernel two-sample test, JMLR 13 (2012) 723-773, section 8.

    Examples
    --------
    >>> median_bandwidth([[0.0], [2.0]])
    2.0
    """
    X = _rows(X, "X")
    if len(X) > _BLOCK:
        X = X[np.random.default_rng(seed).choice(len(X), _BLOCK, replace=False)]
    squared = _squared_distances(X, X)[np.triu_indices(len(X), 1)]
    # Equal rows come out as rounding noise, not as exact zeros.
    apart = squared[squared > 1e-12 * max(squared.max(initial=0.0), 1e-300)]
    return float(np.median(apart)) / 2 if len(apart) else 1.0


def rbf(X: ArrayLike, Y: ArrayLike, gamma: float) -> Array:
    """The Gaussian kernel :math:`K_{ij}=\\exp(-\\gamma\\|x_i-y_j\\|^2)`.

    Parameters
    ----------
    X : (n, d) array
    Y : (m, d) array
    gamma : float
        :math:`1/2\\sigma^2 > 0`, in inverse squared units of X.

    Returns
    -------
    (n, m) array
        Values in [0, 1].

    Examples
    --------
    >>> rbf([[0.0]], [[0.0], [1.0]], gamma=1.0).round(4).tolist()
    [[1.0, 0.3679]]
    """
    X, Y = _pair(X, Y)
    if not gamma > 0:
        raise ValueError(f"expected gamma > 0, got {gamma}")
    K = _squared_distances(X, Y)
    K *= -gamma
    return np.exp(K, out=K)


def mmd2(Xs: ArrayLike, Xt: ArrayLike, gamma: float, unbiased: bool = False) -> float:
    """Squared maximum mean discrepancy: how far the two clouds' kernel means lie apart.

    Biased (:math:`\\ge 0`): :math:`\\overline{K_{ss}}+\\overline{K_{tt}}-2\\overline{K_{st}}` with means over all
    pairs. Unbiased: the first two means leave out :math:`i=j`; its mean is 0 for equal distributions, so it
    may be negative. Time O((n+m)^2 d), memory O(1000 (n+m)).

    Parameters
    ----------
    Xs : (n, d) array
    Xt : (m, d) array
    gamma : float
        Of :func:`rbf`.
    unbiased : bool
        Needs at least two rows a side.

    Returns
    -------
    float
        At most 2.

    References
    ----------
    Gretton et al., JMLR 13 (2012) 723-773, equations 3 and 5.

    Examples
    --------
    >>> mmd2([[0.0], [1.0]], [[0.0], [1.0]], gamma=0.5)
    0.0
    """
    Xs, Xt = _pair(Xs, Xt)
    if unbiased and min(len(Xs), len(Xt)) < 2:
        raise ValueError(f"expected at least two rows a side, got {len(Xs)} and {len(Xt)}")
    within = sum(_mean_within(X, gamma, unbiased) for X in (Xs, Xt))
    blocks = (rbf(Xs[start : start + _BLOCK], Xt, gamma) for start in range(0, len(Xs), _BLOCK))
    value = within - 2 * sum(float(K.sum()) for K in blocks) / (len(Xs) * len(Xt))
    # a squared norm: below 0 by rounding alone
    return value if unbiased else max(value, 0.0)


def _mean_within(X: Array, gamma: float, unbiased: bool) -> float:
    n, total = len(X), 0.0
    for start in range(0, n, _BLOCK):
        # K is symmetric: what stands right of the diagonal block counts twice.
        K = rbf(X[start : start + _BLOCK], X[start:], gamma)
        total += 2 * float(K.sum()) - float(K[:, : len(K)].sum())
    # the diagonal holds n ones
    return (total - n) / (n * (n - 1)) if unbiased else total / n**2


def _squared_distances(X: Array, Y: Array) -> Array:
    # Centring keeps ||x||^2 + ||y||^2 - 2xy from cancelling where the data lie far from 0.
    centre = Y.mean(axis=0)
    X, Y = X - centre, Y - centre
    D = X @ Y.T
    D *= -2
    D += (X**2).sum(axis=1)[:, None]
    D += (Y**2).sum(axis=1)
    return np.maximum(D, 0, out=D)


def _pair(X: ArrayLike, Y: ArrayLike) -> tuple[Array, Array]:
    X, Y = _rows(X, "the first argument"), _rows(Y, "the second argument")
    if X.shape[1] != Y.shape[1]:
        raise ValueError(f"expected equal numbers of columns, got {X.shape[1]} and {Y.shape[1]}")
    return X, Y


def _rows(X: ArrayLike, name: str) -> Array:
    try:
        rows = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected {name} to be a table of numbers, got {type(X).__name__}: {error}") from error
    if rows.ndim != 2 or 0 in rows.shape or not np.isfinite(rows).all():
        raise ValueError(f"expected {name} to be a finite, non-empty (n, d) array, got shape {rows.shape}")
    return rows
