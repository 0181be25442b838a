"""How the target differs from the source, column by column, and beyond what the source has seen."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import ks_2samp, wasserstein_distance

from transfermap.measure.chance import chi_square
from transfermap.measure.inputs import pair
from transfermap.measure.shift.support import Support

Array = NDArray[np.float64]
# numbers on a side, and different ones, from which on a shape can be spoken of
_ENOUGH, _DIFFERENT = 50, 20


class NumberShift(NamedTuple):
    """Shift of a column of numbers; the fields are explained at :func:`number_shift`."""

    ks: float
    p_value: float
    mean_difference: float
    spread_ratio: float
    wasserstein: float
    missing_source: float
    missing_target: float
    missing_p_value: float


class CategoryShift(NamedTuple):
    """Shift of a column of categories; the fields are explained at :func:`category_shift`."""

    total_variation: float
    p_value: float
    unseen_share: float
    unseen: tuple[Any, ...]
    missing_source: float
    missing_target: float
    missing_p_value: float


def number_shift(xs: ArrayLike, xt: ArrayLike) -> NumberShift:
    """How a column of numbers has moved. Cells that hold no finite number are missing.

    Parameters
    ----------
    xs : (n_s,) array
    xt : (n_t,) array

    Returns
    -------
    NumberShift
        ``ks`` in [0, 1]: the largest gap between the two distribution functions, ``p_value`` its asymptotic p-value;
        ``mean_difference``: :math:`(\\bar x_t-\\bar x_s)/\\sqrt{(s_s^2+s_t^2)/2}`; ``spread_ratio``: :math:`s_t/s_s`;
        ``wasserstein``: :math:`\\int|F_s-F_t|/s_s` (with the pooled spread where :math:`s_s=0`); ``missing_source``,
        ``missing_target``: shares in [0, 1], and ``missing_p_value`` of their being equal. Without a number on
        either side the first five are NaN; ``spread_ratio`` is 1 for two constants and infinite where only the
        source is constant.

    References
    ----------
    Hodges, Arkiv för Matematik 3 (1958) 469-486, doi:10.1007/BF02589501.

    Examples
    --------
    >>> moved = number_shift([0, 1, 2, 3], [1, 2, 3, 4, None])
    >>> moved.ks, round(moved.mean_difference, 3), moved.missing_target
    (0.25, 0.894, 0.2)
    """
    source, target = _column(xs, "xs", float), _column(xt, "xt", float)
    here, there = np.isfinite(source), np.isfinite(target)
    missing = _missing(~here, ~there)
    if not here.any() or not there.any():
        return NumberShift(np.nan, np.nan, np.nan, np.nan, np.nan, *missing)
    source, target = source[here], target[there]
    # one formula at every size: "auto" changes from the exact one to it at 10,000 rows
    ks = ks_2samp(source, target, method="asymp")
    s_s, s_t = _spread(source), _spread(target)
    gap = float(target.mean() - source.mean())
    pooled = np.sqrt((s_s**2 + s_t**2) / 2)
    # the source's unit; where it is constant the pooled spread, and for two equal constants 1
    scale = s_s or _spread(np.concatenate([source, target])) or 1.0
    return NumberShift(
        ks=float(ks.statistic),
        p_value=float(ks.pvalue),
        mean_difference=gap / float(pooled) if pooled > 0 else gap / scale,
        spread_ratio=s_t / s_s if s_s > 0 else (np.inf if s_t > 0 else 1.0),
        wasserstein=float(wasserstein_distance(source, target)) / scale,
        missing_source=missing[0],
        missing_target=missing[1],
        missing_p_value=missing[2],
    )


class Rescaled(NamedTuple):
    """How a column of numbers moves into another: ``stretch * x + move``; what is left between them then, as the
    largest gap ``ks`` of the distribution functions, and its ``p_value``."""

    stretch: float
    move: float
    ks: float
    p_value: float


def rescaled(xs: ArrayLike, xt: ArrayLike) -> Rescaled | None:
    """Whether the target's column is the source's, moved and stretched: as if another instrument or unit measured it.

    The line is the least-squares line of the target's quantiles on the source's, from the 5th to the 95th percentile,
    so that single values far out do not turn it. That its two numbers are fitted makes the p-value too large, so a
    column is called of the same shape rather too often than too seldom: in few rows most columns are.

    Parameters
    ----------
    xs : (n_s,) array
    xt : (n_t,) array
        Cells that hold no finite number are passed over.

    Returns
    -------
    Rescaled, or None
        None where a side has fewer than 50 numbers or 20 different ones, or nine in ten of its numbers are one.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(2, 500))
    >>> found = rescaled(x[0], 1.8 * x[1] + 32)
    >>> round(found.stretch, 1), round(found.move), found.p_value > 0.05
    (1.7, 32, True)
    """
    source, target = (x[np.isfinite(x)] for x in (_column(xs, "xs", float), _column(xt, "xt", float)))
    if min(len(source), len(target)) < _ENOUGH or min(len(np.unique(x)) for x in (source, target)) < _DIFFERENT:
        return None
    # each percent
    at = np.linspace(0.05, 0.95, 91)
    a, b = np.quantile(source, at), np.quantile(target, at)
    # nine in ten cells are one value: there is no shape to compare
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    stretch, move = np.polyfit(a, b, 1)
    # quantiles rise on both sides, and so does the line: a column turned round shows in the gap that is left
    if stretch <= 0:
        return None
    ks = ks_2samp(stretch * source + move, target, method="asymp")
    return Rescaled(float(stretch), float(move), float(ks.statistic), float(ks.pvalue))


def category_shift(cs: ArrayLike, ct: ArrayLike) -> CategoryShift:
    """How a column of categories has moved. None, NaN and the like are missing.

    Parameters
    ----------
    cs : (n_s,) array
    ct : (n_t,) array
        Values of any hashable kind; 1 and "1" differ.

    Returns
    -------
    CategoryShift
        ``total_variation`` in [0, 1]: :math:`\\tfrac12\\sum_c|q_c-p_c|`; ``p_value`` of the chi-square test
        (:func:`~transfermap.measure.chance.chi_square`); ``unseen_share`` in [0, 1]: share of the target's cells whose
        category the source never shows; ``unseen``: those categories, the most frequent first; missing shares and
        their p-value. The shares leave missing cells out; they are NaN where a side has no other.

    Examples
    --------
    >>> moved = category_shift(["a", "a", "b", None], ["a", "c"])
    >>> round(moved.total_variation, 3), moved.unseen, moved.unseen_share
    (0.5, ('c',), 0.5)
    """
    source, target = _column(cs, "cs", object), _column(ct, "ct", object)
    here, there = ~pd.isna(source), ~pd.isna(target)
    missing = _missing(~here, ~there)
    if not here.any() or not there.any():
        return CategoryShift(np.nan, np.nan, np.nan, (), *missing)
    n = int(here.sum())
    code, names = _factorize(np.concatenate([source[here], target[there]]))
    p, q = (np.bincount(part, minlength=len(names)) for part in (code[:n], code[n:]))
    new = np.flatnonzero(p == 0)
    # stable, so that equally frequent ones keep the order of their appearance
    new = new[np.argsort(-q[new], kind="stable")]
    return CategoryShift(
        float(np.abs(q / q.sum() - p / p.sum()).sum() / 2),
        chi_square(p, q).p_value,
        float(q[new].sum() / q.sum()),
        tuple(names[new]),
        *missing,
    )


def false_discovery(p: ArrayLike) -> Array:
    """Benjamini and Hochberg's adjusted p-values: columns with a value <= 0.05 hold at most 5 % false finds on average.

    :math:`\\tilde p_{(i)}=\\min_{j\\ge i}\\min(1, m p_{(j)}/j)`.

    Parameters
    ----------
    p : (m,) array
        p-values; NaN (no test was possible) stays NaN and is not counted.

    Returns
    -------
    (m,) array
        In [0, 1], in the order given.

    References
    ----------
    Benjamini and Hochberg, JRSS B 57 (1995) 289-300, doi:10.1111/j.2517-6161.1995.tb02031.x.

    Examples
    --------
    >>> false_discovery([0.01, 0.04, 0.03, float("nan")]).round(3).tolist()
    [0.03, 0.04, 0.04, nan]
    """
    adjusted = _column(p, "p", float).copy()
    tested = np.flatnonzero(~np.isnan(adjusted))
    if ((adjusted[tested] < 0) | (adjusted[tested] > 1)).any():
        raise ValueError("expected p to hold p-values between 0 and 1")
    # from the largest down, the running minimum is that over all larger ranks
    falling = tested[np.argsort(-adjusted[tested], kind="stable")]
    rank = np.arange(len(falling), 0, -1)
    adjusted[falling] = np.minimum.accumulate(adjusted[falling] * len(falling) / rank) if len(falling) else []
    return adjusted


def outside_support(Xs: ArrayLike, Xt: ArrayLike, seed: int = 0) -> NDArray[np.bool_]:
    """Which target rows lie where the source has none; about 1 % do where there is no shift.

    Parameters
    ----------
    Xs : (n_s, d) array
    Xt : (n_t, d) array
    seed : int

    Returns
    -------
    (n_t,) array of bool
        As :class:`~transfermap.measure.shift.support.Support` judges them; its mean is a share in [0, 1].
    """
    source, target = pair(Xs, Xt)
    return Support(seed=seed).fit(source).far(target)


def _column(values: ArrayLike, name: str, kind: type) -> NDArray[Any]:
    try:
        column: NDArray[Any] = np.asarray(values, dtype=kind)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected {name} to be a column of numbers: {error}") from error
    if column.ndim != 1 or len(column) == 0:
        raise ValueError(f"expected {name} to have shape (n,), n > 0, got {column.shape}")
    return column


def _factorize(values: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[Any]]:
    try:
        code, names = pd.factorize(values)
    except TypeError as error:
        raise ValueError(f"expected categories that can be told apart, got {error}") from error
    return code, np.asarray(names)


def _spread(x: Array) -> float:
    # A constant's deviation from its rounded mean is noise, not spread.
    return float(x.std()) if np.ptp(x) > 0 else 0.0


def _missing(source: NDArray[np.bool_], target: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Shares of missing cells on both sides and the p-value of their being equal."""
    counts = [np.bincount(side.astype(int), minlength=2) for side in (source, target)]
    return float(source.mean()), float(target.mean()), chi_square(*counts).p_value
