"""How far apart two tables lie: by their moments, by their rows, and by how well they can be told apart.

Kernel distances are in :mod:`transfermap.measure.shift.mmd`; the classifier two-sample test, with interval and p-value,
is :func:`~transfermap.measure.shift.domain_classifier.domain_classifier` and
:func:`~transfermap.measure.shift.domain_classifier.two_sample_test`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from transfermap.math.earthmover import exact_plan
from transfermap.math.linalg import moments
from transfermap.math.transport import centred, distinct
from transfermap.measure.inputs import pair, vector
from transfermap.measure.scores import Interval, accuracy_interval
from transfermap.measure.shift.domain_classifier import DomainClassifier, domain_classifier

Array = NDArray[np.float64]


def coral_distance(Xs: ArrayLike, Xt: ArrayLike) -> float:
    r"""How unlike the spreads and correlations are: :math:`\|C_s-C_t\|_F^2/4d^2`, blind to a shift of the mean.

    Parameters
    ----------
    Xs : (n, d) array
    Xt : (m, d) array
        At least two rows a side.

    Returns
    -------
    float
        >= 0, in the fourth power of the unit of X; turning both tables alike changes nothing.

    References
    ----------
    Sun and Saenko, Deep CORAL, ECCV 2016 Workshops, doi:10.1007/978-3-319-49409-8_35.

    Examples
    --------
    >>> coral_distance([[0.0], [2.0]], [[0.0], [4.0]])
    9.0
    """
    (_, Cs), (_, Ct) = (moments(X) for X in pair(Xs, Xt))
    # by 4 d^2, as printed: a mean over the entries, as some programs take, is four times as much
    return float(((Cs - Ct) ** 2).sum()) / (4 * len(Cs) ** 2)


def proxy_a_distance(Xs: ArrayLike, Xt: ArrayLike, seed: int = 0, folds: int = 5, most: int = 5000) -> Interval:
    """:func:`a_distance` of :func:`~transfermap.measure.shift.domain_classifier.domain_classifier`; same arguments.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> proxy_a_distance(X[:100], X[100:] + 9).value
    2.0
    """
    return a_distance(domain_classifier(Xs, Xt, seed, folds, most))


def a_distance(found: DomainClassifier, level: float = 0.95) -> Interval:
    r"""The proxy A-distance :math:`\max\{0,\,2(1-2\epsilon)\}`: how much better than by a guess domains are told apart.

    :math:`\epsilon` is the mean of the two sides' shares of rows taken for the other side, by rules that never saw
    them (with training errors the distance would near 2 in many columns, whatever the data); a row at exactly 1/2
    counts half. The interval joins Wilson's two by the square root of the sum of squares, with the variance doubled for
    cross-fitting (see :func:`~transfermap.measure.chance.auc_error`).

    With the best possible rule it is 2 TV, twice the total variation between the domains, so 1 - distance / 2 is the
    share of mass that they hold in common; any rule that can be learnt finds less, and so a smaller distance.

    Parameters
    ----------
    found : DomainClassifier
    level : float

    Returns
    -------
    Interval
        In [0, 2].

    References
    ----------
    Ben-David, Blitzer, Crammer and Pereira, Analysis of representations for domain adaptation, NIPS 2006. Interval:
    Newcombe, Statistics in Medicine 17 (1998) 873-890,
    doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I.
    """
    # a level at which Wilson's intervals are wider by sqrt(2): cross-fitting doubles the variance
    wider = float(2 * norm.cdf(np.sqrt(2) * norm.ppf((1 + level) / 2)) - 1)
    sides = ((found.source, found.n_source), (1 - found.target, found.n_target))
    # side by side, so that unequal tables do not make a guess look good
    wrong = [((scores > 0.5).mean() + (scores >= 0.5).mean()) / 2 for scores, _ in sides]
    limits = [accuracy_interval(round(e * n), n, wider) for e, (_, n) in zip(wrong, sides, strict=True)]
    better = math.hypot(*(i.value - i.low for i in limits))
    worse = math.hypot(*(i.high - i.value for i in limits))
    value = 2 - 2 * sum(wrong)
    low, middle, high = (float(np.clip(v, 0, 2)) for v in (value - 2 * worse, value, value + 2 * better))
    return Interval(middle, low, high)


def wasserstein_1d(xs: ArrayLike, xt: ArrayLike, p: float = 1.0) -> float:
    r"""How far the values of one column must move, on average, to become the other's.

    :math:`W_p=\bigl(\int_0^1|F_s^{-1}(u)-F_t^{-1}(u)|^p\,du\bigr)^{1/p}`, exact also for unequal numbers of rows: both
    quantile functions are steps, and u is cut where either of them jumps.

    Parameters
    ----------
    xs : (n,) array
    xt : (m,) array
    p : float
        >= 1.

    Returns
    -------
    float
        >= 0, in the unit of the column.

    References
    ----------
    Villani, Topics in Optimal Transportation, AMS 2003, theorem 2.18.

    Examples
    --------
    >>> wasserstein_1d([0.0, 1.0], [3.0, 4.0])
    3.0
    """
    if not p >= 1:
        raise ValueError(f"expected p >= 1, got {p}")
    x, y = np.sort(vector(xs, "xs")), np.sort(vector(xt, "xt"))
    return float(_moved(x[:, None], y[:, None], p)[0] ** (1 / p))


def sliced_wasserstein(Xs: ArrayLike, Xt: ArrayLike, p: float = 2.0, directions: int = 200, seed: int = 0) -> float:
    r""":func:`wasserstein_1d` of the rows seen from many random directions.

    :math:`\bigl(\frac1D\sum_\theta W_p^p(X_s\theta,X_t\theta)\bigr)^{1/p}` over D unit vectors. A pure shift v gives
    :math:`\|v\|/\sqrt d` for p = 2, not :math:`\|v\|`.

    Parameters
    ----------
    Xs : (n, d) array
    Xt : (m, d) array
    p : float
        >= 1.
    directions, seed : int
        D, and what draws them.

    Returns
    -------
    float
        >= 0, in the unit of X.

    References
    ----------
    Bonneel, Rabin, Peyré and Pfister, Journal of Mathematical Imaging and Vision 51 (2015) 22-45,
    doi:10.1007/s10851-014-0506-3.

    Examples
    --------
    >>> sliced_wasserstein([[0.0], [1.0]], [[2.0], [3.0]])
    2.0
    """
    if not p >= 1 or directions < 1:
        raise ValueError(f"expected p >= 1 and at least one direction, got {p} and {directions}")
    source, target = pair(Xs, Xt, least=1)
    # normal draws of length one are even over the sphere; uniform ones would crowd into its corners
    thetas = np.random.default_rng(seed).normal(size=(source.shape[1], directions))
    thetas /= np.linalg.norm(thetas, axis=0)
    return float(_moved(np.sort(source @ thetas, axis=0), np.sort(target @ thetas, axis=0), p).mean() ** (1 / p))


def wasserstein(Xs: ArrayLike, Xt: ArrayLike) -> float:
    r"""The exact distance :math:`W_2=\sqrt{\min_P\sum_{ij}P_{ij}\|x_i-y_j\|^2}` over plans P with equal row weights.

    For thousands of rows (:func:`~transfermap.math.earthmover.exact_plan`); in many columns it stays far above 0 also
    between two samples of one distribution, so compare it with that.

    Parameters
    ----------
    Xs : (n, d) array
    Xt : (m, d) array

    Returns
    -------
    float
        >= 0, in the unit of X.

    References
    ----------
    Peyré and Cuturi, Computational Optimal Transport, 2019, doi:10.1561/2200000073.

    Examples
    --------
    >>> round(wasserstein([[0.0, 0.0], [5.0, 0.0]], [[5.0, 1.0], [0.0, 1.0]]), 9)
    1.0
    """
    # equal rows as one heavier row: the plan has fewer pairs, and ties fewer ways to be broken
    (source, a, _), (target, b, _) = (distinct(X) for X in pair(Xs, Xt, least=1))
    plan = exact_plan(centred(source, target), a, b)[0].tocoo()
    # made again from differences, which do not cancel as the solver's products may
    squared = ((source[plan.row] - target[plan.col]) ** 2).sum(axis=1)
    return float(np.sqrt(plan.data @ squared))


def gaussian_wasserstein(Xs: ArrayLike, Xt: ArrayLike) -> float:
    r"""The distance :math:`W_2` between two Gaussians with the tables' means and covariances (Fréchet's distance).

    :math:`W_2^2=\|\mu_s-\mu_t\|^2+\mathrm{tr}\bigl(C_s+C_t-2(C_s^{1/2}C_tC_s^{1/2})^{1/2}\bigr)` with the covariances
    divided by n; the last trace is the sum of singular values of :math:`R_sR_t^\top` where :math:`C=R^\top R`, so no
    matrix is squared or inverted and constant columns do no harm. It is never above :func:`wasserstein`.

    Parameters
    ----------
    Xs : (n, d) array
    Xt : (m, d) array

    Returns
    -------
    float
        >= 0, in the unit of X. Its square is what is called the Fréchet (inception) distance.

    References
    ----------
    Dowson and Landau, Journal of Multivariate Analysis 12 (1982) 450-455, doi:10.1016/0047-259X(82)90077-X. Bound:
    Gelbrich, Mathematische Nachrichten 147 (1990) 185-203, doi:10.1002/mana.19901470121.

    Examples
    --------
    >>> round(gaussian_wasserstein([[0.0], [2.0]], [[3.0], [9.0]]), 6)  # means 1, 6; spreads 1, 3
    5.385165
    """
    source, target = pair(Xs, Xt, least=1)
    gap = source.mean(axis=0) - target.mean(axis=0)
    Rs, Rt = (_triangle((X - X.mean(axis=0)) / np.sqrt(len(X))) for X in (source, target))
    common = np.linalg.svd(Rs @ Rt.T, compute_uv=False).sum()
    # the sums of squares are the traces of the covariances
    squared = gap @ gap + (Rs**2).sum() + (Rt**2).sum() - 2 * common
    # rounding alone takes it below 0
    return float(np.sqrt(max(squared, 0.0)))


def _triangle(X: Array) -> Array:
    """R (min(n, d), d) with R'R = X'X."""
    return np.asarray(np.linalg.qr(X, mode="r"))


def _moved(x: Array, y: Array, p: float) -> Array:
    """Mean of the p-th power of the way, for each column of sorted values (n, k) and (m, k)."""
    if len(x) == len(y):
        return np.asarray((np.abs(x - y) ** p).mean(axis=0))
    n, m = len(x), len(y)
    # In whole numbers of 1/(n m), so that a jump of both is one jump.
    cuts = np.union1d(np.arange(n) * m, np.arange(m) * n)
    length = np.diff(np.append(cuts, n * m)) / (n * m)
    return np.asarray(length @ np.abs(x[cuts // m] - y[cuts // n]) ** p)
