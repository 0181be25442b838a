"""The maximum mean discrepancy: how far the kernel means of two clouds lie apart, and whether that is chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from transfermap.math.kernels import median_bandwidth, mmd2, rbf
from transfermap.measure.inputs import pair

Array = NDArray[np.float64]
_BLOCK = 1000
_AT_ONCE = 100  # shuffles: their sums are one matrix product, in bounded memory


class MMDTest(NamedTuple):
    """A test of "both tables come from one distribution".

    ``value``: the unbiased squared discrepancy, which may be negative; ``p_value`` in (0, 1]; ``gamma`` of the kernel.
    """

    value: float
    p_value: float
    gamma: float


class LinearMMD(NamedTuple):
    """The linear-time discrepancy: ``value`` (squared, may be negative), its standard ``error``, and ``p_value``."""

    value: float
    error: float
    p_value: float


def mmd(Xs: ArrayLike, Xt: ArrayLike, gamma: float | None = None, unbiased: bool = False) -> float:
    r"""The *squared* maximum mean discrepancy :math:`\|\mu_s-\mu_t\|^2` of a Gaussian kernel.

    :func:`transfermap.math.kernels.mmd2` with the usual width: half the median squared distance between the pooled
    rows, so that the unit of X does not matter. Columns of unlike units should be standardised before.

    Parameters
    ----------
    Xs : (n, d) array
    Xt : (m, d) array
        At least two rows a side.
    gamma : float, default=None
        Of :math:`k(x,y)=\exp(-\gamma\|x-y\|^2)`; None: the median rule.
    unbiased : bool
        Leave each row's product with itself out: the mean is then 0 for equal distributions, and values may be
        negative.

    Returns
    -------
    float
        At most 2; 0 for equal tables and >= 0 where biased.

    References
    ----------
    Gretton, Borgwardt, Rasch, Schölkopf and Smola, A kernel two-sample test, JMLR 13 (2012) 723-773.

    Examples
    --------
    >>> mmd([[0.0], [1.0]], [[1.0], [0.0]])
    0.0
    """
    source, target = pair(Xs, Xt)
    return mmd2(source, target, _width(source, target, gamma), unbiased)


def mmd_test(
    Xs: ArrayLike, Xt: ArrayLike, gamma: float | None = None, draws: int = 499, most: int = 1000, seed: int = 0
) -> MMDTest:
    r"""Is the discrepancy more than chance? Compared with the same rows dealt to the sides at random.

    :math:`p=\frac{1+\#\{b:\widehat{MMD}^2_b\ge\widehat{MMD}^2\}}{1+B}` over B permutations of the pooled rows. The
    pooled Gram matrix is computed once and only its indices are permuted; the kernel's width depends on the pool alone,
    so the level is exact for independent rows. Copies of rows, or rows that belong together, make p too small.

    Parameters
    ----------
    Xs : (n, d) array
    Xt : (m, d) array
        At least two rows a side.
    gamma : float, default=None
        As in :func:`mmd`. A width chosen to make *these* rows differ voids the level.
    draws : int
        B >= 19; the smallest p is 1 / (1 + B).
    most : int
        Rows a side that take part (a seeded subsample); memory is 32 ``most`` ** 2 bytes.
    seed : int

    Returns
    -------
    MMDTest

    References
    ----------
    Gretton et al., JMLR 13 (2012) 723-773. Phipson and Smyth, Statistical Applications in Genetics and Molecular
    Biology 9 (2010) 39, doi:10.2202/1544-6115.1585 (why p is never 0).

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(60, 2))
    >>> mmd_test(X[:30], X[30:] + 2).p_value
    0.002
    """
    if draws < 19 or most < 2:
        raise ValueError(f"expected at least 19 draws and 2 rows a side, got {draws} and {most}")
    rng = np.random.default_rng(seed)
    source, target = (_sample(X, most, rng) for X in pair(Xs, Xt))
    gamma = _width(source, target, gamma)
    pool = np.concatenate([source, target])
    K = rbf(pool, pool, gamma)
    # the unbiased estimate leaves i = j out
    np.fill_diagonal(K, 0)
    is_source = np.arange(len(pool)) < len(source)
    value = float(_statistics(K, is_source[:, None])[0])
    shuffled = (_shuffled(is_source, min(_AT_ONCE, draws - start), rng) for start in range(0, draws, _AT_ONCE))
    drawn = np.concatenate([_statistics(K, S) for S in shuffled])
    # Equal splits of equal rows must tie, whatever the order of their sums.
    reached = int((drawn >= value - 1e-12).sum())
    return MMDTest(value, (1 + reached) / (1 + draws), gamma)


def mmd_linear(Xs: ArrayLike, Xt: ArrayLike, gamma: float | None = None, seed: int = 0) -> LinearMMD:
    r"""The discrepancy in linear time, for very many rows, with a normal p-value.

    The mean of :math:`h_i=k(x_{2i-1},x_{2i})+k(y_{2i-1},y_{2i})-k(x_{2i-1},y_{2i})-k(x_{2i},y_{2i-1})` over disjoint
    pairs of (shuffled) rows; it has the mean of the unbiased :func:`mmd`, a far larger spread, and is a mean of
    independent terms: :math:`p=1-\Phi(\bar h\sqrt{N}/s_h)`. The longer table's spare rows are left out.

    Parameters
    ----------
    Xs : (n, d) array
    Xt : (m, d) array
        At least four rows a side; the p-value wants a hundred.
    gamma : float, default=None
        As in :func:`mmd`.
    seed : int
        Shuffles the rows.

    Returns
    -------
    LinearMMD
        ``p_value`` is 1/2 where all terms are 0.

    References
    ----------
    Gretton et al., JMLR 13 (2012) 723-773, section 6.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(2000, 2))
    >>> mmd_linear(X[:1000], X[1000:] + 1).p_value < 0.001
    True
    """
    source, target = pair(Xs, Xt, least=4)
    gamma = _width(source, target, gamma)
    rng, pairs = np.random.default_rng(seed), min(len(source), len(target)) // 2
    # shuffled, as tables come sorted; disjoint, so that the terms are independent. Deep libraries pair row i with
    # i + 1 all the way round, which uses every row twice
    x, y = (rng.permutation(X)[: 2 * pairs].reshape(2, pairs, -1) for X in (source, target))

    def kernel(a: Array, b: Array) -> Array:
        return np.exp(-gamma * ((a - b) ** 2).sum(axis=1))

    h = kernel(x[0], x[1]) + kernel(y[0], y[1]) - kernel(x[0], y[1]) - kernel(x[1], y[0])
    value, error = float(h.mean()), float(h.std(ddof=1) / np.sqrt(pairs))
    # all terms equal: the error is 0
    return LinearMMD(value, error, float(norm.sf(value / max(error, 1e-300))))


def mmd_random_features(
    Xs: ArrayLike,
    Xt: ArrayLike,
    gamma: float | None = None,
    features: int = 1024,
    unbiased: bool = False,
    seed: int = 0,
) -> float:
    r"""The squared discrepancy of all rows in linear time, from random waves in place of the kernel.

    :math:`\|\bar\phi_s-\bar\phi_t\|^2` with :math:`\phi(x)=D^{-1/2}[\cos\Omega x,\sin\Omega x]`, the D rows of
    :math:`\Omega` drawn from :math:`N(0,2\gamma I)`; its mean over draws is :func:`mmd`, its error
    :math:`O(D^{-1/2})`.

    Parameters
    ----------
    Xs : (n, d) array
    Xt : (m, d) array
        At least two rows a side.
    gamma : float, default=None
        As in :func:`mmd`.
    features : int
        D, the number of waves.
    unbiased : bool
        As in :func:`mmd`.
    seed : int
        Draws the waves.

    Returns
    -------
    float

    References
    ----------
    Rahimi and Recht, Random features for large-scale kernel machines, NIPS 2007.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> abs(mmd_random_features(X[:100], X[100:] + 1) - mmd(X[:100], X[100:] + 1)) < 0.05
    True
    """
    if features < 1:
        raise ValueError(f"expected at least one feature, got {features}")
    source, target = pair(Xs, Xt)
    gamma = _width(source, target, gamma)
    waves = np.random.default_rng(seed).normal(size=(source.shape[1], features)) * np.sqrt(2 * gamma)
    mean_s, mean_t = (_mean_wave(X, waves) for X in (source, target))
    if not unbiased:
        return float(((mean_s - mean_t) ** 2).sum())
    # Every row's product with itself is cos^2 + sin^2 = 1.
    within = sum((len(X) * float(mu @ mu) - 1) / (len(X) - 1) for X, mu in ((source, mean_s), (target, mean_t)))
    return within - 2 * float(mean_s @ mean_t)


def _width(source: Array, target: Array, gamma: float | None) -> float:
    if gamma is None:
        # from the pool, which no shuffle changes, so that the permutation test keeps its level
        return 1 / (2 * median_bandwidth(np.concatenate([source, target])))
    if not 0 < gamma < np.inf:
        raise ValueError(f"expected gamma > 0, got {gamma}")
    return float(gamma)


def _sample(X: Array, most: int, rng: np.random.Generator) -> Array:
    return X if len(X) <= most else X[rng.choice(len(X), most, replace=False)]


def _shuffled(is_source: NDArray[np.bool_], times: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(N, times): each column deals the rows anew."""
    return rng.permuted(np.tile(is_source[:, None], times), axis=0)


def _statistics(K: Array, sides: NDArray[np.bool_]) -> Array:
    """The unbiased estimate for each column of ``sides`` (N, B), from the Gram matrix with an empty diagonal."""
    Z, total = sides.astype(np.float64), K.sum(axis=0)
    n = Z[:, 0].sum()
    m = len(K) - n
    ss, any_s = np.einsum("ib,ib->b", Z, K @ Z), total @ Z
    # the other two sums follow from one product: of its columns' sums, what is not within is across
    st, tt = any_s - ss, total.sum() - 2 * any_s + ss
    value: Array = ss / (n * (n - 1)) + tt / (m * (m - 1)) - 2 * st / (n * m)
    return value


def _mean_wave(X: Array, waves: Array) -> Array:
    total = np.zeros(2 * waves.shape[1])
    for start in range(0, len(X), _BLOCK):
        angle = X[start : start + _BLOCK] @ waves
        total += np.concatenate([np.cos(angle).sum(axis=0), np.sin(angle).sum(axis=0)])
    return total / (len(X) * np.sqrt(waves.shape[1]))
