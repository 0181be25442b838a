"""What chance alone would do: the spread of an AUC, and the chi-square test of two lists of counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from scipy.stats import chi2, norm, rankdata

Array = NDArray[np.float64]


def auc(negative: ArrayLike, positive: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a positive outscores a negative, ties counting half.

    Parameters
    ----------
    negative : (n,) array
    positive : (m,) array
        Scores.

    Returns
    -------
    float
        In [0, 1]; 1/2 where the scores say nothing.

    References
    ----------
    Hanley and McNeil, Radiology 143 (1982) 29-36, doi:10.1148/radiology.143.1.7063747.

    Examples
    --------
    >>> auc([0.1, 0.4], [0.4, 0.9])
    0.875
    """
    low, high = np.asarray(negative, dtype=np.float64), np.asarray(positive, dtype=np.float64)
    n, m = len(low), len(high)
    # Mann and Whitney's count from ranks: n log n instead of all n m pairs, and mean ranks let ties count half
    ranks = rankdata(np.concatenate([low, high]))
    return float((ranks[n:].sum() - m * (m + 1) / 2) / (n * m))


def auc_error(value: float, n: int, m: int) -> float:
    """Standard error of a cross-fitted AUC.

    :math:`\\sqrt{2v}` with Hanley and McNeil's
    :math:`v=[a(1-a)+(m-1)(\\tfrac{a}{2-a}-a^2)+(n-1)(\\tfrac{2a^2}{1+a}-a^2)]/nm`, which at :math:`a=\\tfrac12` is
    the exact variance of the Mann-Whitney statistic. The 2 is due to cross-fitting: with a linear rule that is the
    difference of the training means, the folds' results are sums of the same products
    :math:`\\delta_j^\\top\\delta_k`, each taken twice, so under no difference their sum has twice the variance that
    independent folds would give.

    Parameters
    ----------
    value : float
        The AUC; held inside (0, 1) by half a row of the smaller side.
    n, m : int
        Rows of the two sides.

    Returns
    -------
    float
        Above 0.
    """
    edge = 0.5 / min(n, m)
    a = min(max(value, edge), 1 - edge)
    spread = a * (1 - a) + (m - 1) * (a / (2 - a) - a**2) + (n - 1) * (2 * a**2 / (1 + a) - a**2)
    return float(np.sqrt(2 * spread / (n * m)))


def auc_interval(value: float, n: int, m: int) -> tuple[float, float]:
    """The 95 % interval of a cross-fitted AUC, formed on the log-odds scale so that it stays in [0, 1]."""
    edge = 0.5 / min(n, m)
    a = min(max(value, edge), 1 - edge)
    # the delta method: the log odds change by 1 / (a (1 - a)) as a does
    half = 1.96 * auc_error(value, n, m) / (a * (1 - a))
    low, high = expit(logit(a) - half), expit(logit(a) + half)
    # an AUC of 0 or 1 lies outside of the interval about the held-in a
    return min(float(low), value), max(float(high), value)


def auc_p_value(value: float, n: int, m: int) -> float:
    """One-sided p-value of "the cross-fitted AUC is no more than 1/2"; see :func:`auc_error`."""
    return float(norm.sf((value - 0.5) / auc_error(0.5, n, m)))


class ChiSquare(NamedTuple):
    """A chi-square test: ``statistic`` >= 0, ``freedom`` (categories less one) and ``p_value`` in [0, 1]."""

    statistic: float
    freedom: int
    p_value: float


def chi_square(first: ArrayLike, second: ArrayLike) -> ChiSquare:
    """Do two lists of counts come from the same shares?

    :math:`\\chi^2=\\sum_{ij}(O_{ij}-E_{ij})^2/E_{ij}` over the 2 x C table. Categories with an expected count below
    5 on either side are first merged into one (a choice that depends on the column totals only, so the level holds);
    if that one is still below 5, it joins the next smallest.

    Parameters
    ----------
    first, second : (C,) array
        Counts of the same C categories on the two sides.

    Returns
    -------
    ChiSquare
        ``p_value`` is 1 where a side is empty or one category is left.

    Examples
    --------
    >>> round(chi_square([30, 70], [70, 30]).statistic, 1)
    32.0
    """
    table = np.stack([np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)])
    side = table.sum(axis=1)
    if side.min() == 0:
        return ChiSquare(0.0, 0, 1.0)
    # Cochran's rule, on the smaller side: 5 expected there are this many in both
    table = _merged(table, 5 * side.sum() / side.min())
    expected = np.outer(side, table.sum(axis=0)) / side.sum()
    freedom = table.shape[1] - 1
    if freedom == 0:
        return ChiSquare(0.0, 0, 1.0)
    statistic = float(((table - expected) ** 2 / expected).sum())
    return ChiSquare(statistic, freedom, float(chi2.sf(statistic, freedom)))


def _merged(table: Array, least: float) -> Array:
    """Columns with totals below ``least`` as one column, at the end."""
    table = table[:, np.argsort(-table.sum(axis=0), kind="stable")]
    total = table.sum(axis=0)
    keep = int((total >= least).sum())
    rest = total[keep:].sum()
    # what was merged may still be too small: the smallest of the kept columns, the last, joins it
    if 0 < rest < least and keep > 0:
        keep -= 1
        rest += total[keep]
    kept = table[:, :keep]
    return np.column_stack([kept, table[:, keep:].sum(axis=1)]) if rest > 0 else kept
