"""How well predictions agree with labels, with intervals: for checking afterwards, never for choosing.

The functions that take y are given true labels: held against *target* labels, what they return is an oracle score.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, norm, t

from transfermap.measure.inputs import vector
from transfermap.measure.quality import Measure, checked


class Interval(NamedTuple):
    """An estimate and its interval: ``low`` <= ``value`` <= ``high``, in the units of the measure."""

    value: float
    low: float
    high: float


class McNemar(NamedTuple):
    """Rows that only the first and only the second prediction gets right, and the p-value of equal chances."""

    only_first: int
    only_second: int
    p_value: float


def accuracy_interval(correct: int, total: int, level: float = 0.95) -> Interval:
    """Wilson's interval for a share.

    The shares p with :math:`|\\hat p-p|\\le z\\sqrt{p(1-p)/n}`:
    :math:`\\frac{\\hat p+z^2/2n\\pm z\\sqrt{\\hat p(1-\\hat p)/n+z^2/4n^2}}{1+z^2/n}`.

    Parameters
    ----------
    correct, total : int
        0 <= correct <= total, total > 0.
    level : float
        Coverage in (0, 1).

    Returns
    -------
    Interval
        In [0, 1].

    References
    ----------
    Wilson, JASA 22 (1927) 209-212, doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> [round(v, 3) for v in accuracy_interval(8, 10)]
    [0.8, 0.49, 0.943]
    """
    if not 0 <= correct <= total or total == 0:
        raise ValueError(f"expected 0 <= correct <= total and total > 0, got {correct} of {total}")
    z, p = float(norm.ppf((1 + _checked(level)) / 2)), correct / total
    centre = p + z**2 / (2 * total)
    half = z * np.sqrt(p * (1 - p) / total + z**2 / (4 * total**2))
    low, high = ((centre + side * half) / (1 + z**2 / total) for side in (-1, 1))
    # the limits meet p at 0 and at 1, up to rounding
    return Interval(p, min(max(float(low), 0.0), p), max(min(float(high), 1.0), p))


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Student's interval for a mean: :math:`\\bar v\\pm t_{n-1}\\,s/\\sqrt n`.

    Parameters
    ----------
    values : (n,) array
        Independent values, one a row, seed or trial.
    level : float

    Returns
    -------
    Interval
        In the units of the values; infinitely wide for n = 1.

    References
    ----------
    Student, Biometrika 6 (1908) 1-25, doi:10.1093/biomet/6.1.1.

    Examples
    --------
    >>> [round(v, 3) for v in mean_interval([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484]
    """
    v = vector(values, "values")
    mean, n = float(v.mean()), len(v)
    # one value has no spread to judge by
    if n == 1:
        return Interval(mean, -np.inf, np.inf)
    half = float(t.ppf((1 + _checked(level)) / 2, n - 1) * v.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half)


def bootstrap_interval(
    y: ArrayLike, predicted: ArrayLike, measure: Measure, draws: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Interval of a measure: its middle values over tables drawn from this one, rows with replacement.

    Parameters
    ----------
    y, predicted : (n,) arrays
    measure : {"accuracy", "balanced_accuracy", "r2", "mae"}
    draws, seed : int
    level : float

    Returns
    -------
    Interval
        In the range of the measure; a class that a draw misses does not count in that draw.

    References
    ----------
    Efron, Annals of Statistics 7 (1979) 1-26, doi:10.1214/aos/1176344552.

    Examples
    --------
    >>> bootstrap_interval([0, 1, 0, 1], [0, 1, 0, 1], "balanced_accuracy")
    Interval(value=1.0, low=1.0, high=1.0)
    """
    truth, guess, score = checked(y, predicted, measure)
    drawn = [score(truth[i], guess[i]) for i in _draws(len(truth), draws, seed)]
    return _middle(score(truth, guess), drawn, level)


def paired_difference(
    y: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    measure: Measure,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """How much better ``first`` is than ``second`` on the same rows, with a bootstrap interval.

    :math:`m(y,a)-m(y,b)`, both on the same redrawn rows, so that rows hard for both cancel. For ``"mae"`` a negative
    difference is an improvement.

    Parameters
    ----------
    y, first, second : (n,) arrays
    measure : {"accuracy", "balanced_accuracy", "r2", "mae"}
    draws, seed : int
    level : float

    Returns
    -------
    Interval
        Excludes 0 where the difference is more than chance.

    References
    ----------
    Efron, Annals of Statistics 7 (1979) 1-26, doi:10.1214/aos/1176344552.

    Examples
    --------
    >>> paired_difference([0, 1, 1], [0, 1, 0], [0, 1, 0], "accuracy")
    Interval(value=0.0, low=0.0, high=0.0)
    """
    truth, a, score = checked(y, first, measure)
    # Labels are numbered anew with each prediction, hence a second truth.
    also, b, _ = checked(y, second, measure)

    def gap(i: NDArray[np.intp] | slice) -> float:
        return score(truth[i], a[i]) - score(also[i], b[i])

    return _middle(gap(slice(None)), [gap(i) for i in _draws(len(truth), draws, seed)], level)


def mcnemar(y: ArrayLike, first: ArrayLike, second: ArrayLike) -> McNemar:
    """Is one of two predictions right more often, on the same rows?

    Of the b + c rows that just one gets right, b goes to the first with chance 1/2 if they are equally good: the exact
    two-sided binomial test.

    Parameters
    ----------
    y, first, second : (n,) arrays

    Returns
    -------
    McNemar
        ``p_value`` in (0, 1]; 1 where both are right on the same rows.

    References
    ----------
    McNemar, Psychometrika 12 (1947) 153-157, doi:10.1007/BF02295996.

    Examples
    --------
    >>> mcnemar([1] * 6, [1] * 6, [0] * 6)
    McNemar(only_first=6, only_second=0, p_value=0.03125)
    """
    right = [np.equal(*checked(y, guess, "accuracy")[:2]) for guess in (first, second)]
    b, c = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    # exact, since rows that just one gets right are often too few for the chi-square form
    return McNemar(b, c, float(binomtest(b, b + c).pvalue) if b + c else 1.0)


def _checked(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"expected a level between 0 and 1, got {level}")
    return level


def _draws(n: int, draws: int, seed: int) -> Iterator[NDArray[np.intp]]:
    if draws < 1:
        raise ValueError(f"expected at least one draw, got {draws}")
    # an expression, not a generator function, in which the check above would wait for the first draw
    rng = np.random.default_rng(seed)
    return (rng.integers(n, size=n) for _ in range(draws))


def _middle(value: float, drawn: list[float], level: float) -> Interval:
    # percentiles of draws need not hold the value itself, as with balanced accuracy, which is biased in small draws
    low, high = np.quantile(drawn, [(1 - _checked(level)) / 2, (1 + level) / 2])
    return Interval(value, min(float(low), value), max(float(high), value))
