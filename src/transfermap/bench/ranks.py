"""Comparing many methods over many tasks: mean ranks, Friedman's test, Nemenyi's critical difference.

References
----------
Demsar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7, 2006.
https://www.jmlr.org/papers/v7/demsar06a.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import chi2, f, rankdata, studentized_range

Array = np.ndarray[Any, np.dtype[Any]]


class Friedman(NamedTuple):
    """Friedman's chi-squared statistic and its p-value, and Iman and Davenport's sharper F with its own."""

    chi2: float
    p: float
    F: float
    F_p: float


def task_ranks(scores: Array) -> Array:
    """The rank of each method on each task: 1 for the highest score, equal scores share the mean of their ranks.

    Parameters
    ----------
    scores : ndarray of shape (n_tasks, n_methods)
        Higher is better.

    Returns
    -------
    ndarray of shape (n_tasks, n_methods)

    Examples
    --------
    >>> from transfermap.bench.ranks import task_ranks
    >>> task_ranks([[0.9, 0.7, 0.9]]).tolist()
    [[1.5, 3.0, 1.5]]
    """
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 2 or not scores.size or not np.isfinite(scores).all():
        raise ValueError(f"expected a score of every method on every task; got an array of shape {scores.shape}")
    # equal scores share the mean of their ranks: the sum stays k (k + 1) / 2
    ranks: Array = rankdata(-scores, axis=1)
    return ranks


def friedman(ranks: Array) -> Friedman:
    r"""Whether methods differ at all beyond chance, given their ranks on each task.

    .. math:: \chi^2_F = \frac{12 N}{k (k + 1)} \Big[\sum_j R_j^2 - \frac{k (k + 1)^2}{4}\Big] \Big/ c, \qquad
              F = \frac{(N - 1) \chi^2_F}{N (k - 1) - \chi^2_F}

    with N tasks, k methods, R_j the mean rank of method j, and c = 1 - sum (t^3 - t) / (N (k^3 - k)) over the sizes t
    of ties.

    Parameters
    ----------
    ranks : ndarray of shape (n_tasks, n_methods)
        As :func:`task_ranks` gives them.

    Raises
    ------
    ValueError
        If there are fewer than 2 tasks or 3 methods.
    """
    N, k = _shape(ranks)
    means = np.mean(ranks, axis=0)
    plain = 12 * N / (k * (k + 1)) * (np.sum(means**2) - k * (k + 1) ** 2 / 4)
    # ties make ranks vary less than the formula takes for granted
    tied = 1 - sum(_ties(row) for row in np.asarray(ranks)) / (N * (k**3 - k))
    statistic = float(plain / tied) if tied > 0 else 0.0
    return _with_p(statistic, N, k)


def friedman_untied(means: Sequence[float], n_tasks: int) -> Friedman:
    """The same from mean ranks alone, as Demsar's formula has it: without the correction for ties."""
    k = len(means)
    squares = float(np.sum(np.square(means)))
    return _with_p(12 * n_tasks / (k * (k + 1)) * (squares - k * (k + 1) ** 2 / 4), n_tasks, k)


def _with_p(statistic: float, N: int, k: int) -> Friedman:
    room = N * (k - 1) - statistic
    # all tasks rank alike: F has no bound
    F = (N - 1) * statistic / room if room > 1e-9 else np.inf
    return Friedman(statistic, float(chi2.sf(statistic, k - 1)), float(F), float(f.sf(F, k - 1, (k - 1) * (N - 1))))


def _ties(row: Array) -> float:
    _, sizes = np.unique(row, return_counts=True)
    return float(np.sum(sizes.astype(float) ** 3 - sizes))


def _shape(ranks: Array) -> tuple[int, int]:
    N, k = np.shape(ranks)
    if N < 2 or k < 3:
        raise ValueError(f"Friedman's test needs at least 2 tasks and 3 methods; got {N} and {k}")
    return N, k


def critical_difference(n_methods: int, n_tasks: int, alpha: float = 0.05) -> float:
    r"""How far two mean ranks must lie apart to differ beyond chance, among all pairs at once (Nemenyi).

    .. math:: CD = q_\alpha \sqrt{k (k + 1) / (6 N)}

    where q is the studentised range's quantile divided by the square root of 2.

    Examples
    --------
    >>> from transfermap.bench.ranks import critical_difference
    >>> round(critical_difference(4, 14), 2)
    1.25
    """
    if n_methods < 2 or n_tasks < 1 or not 0 < alpha < 1:
        raise ValueError(
            f"expected at least 2 methods, 1 task and 0 < alpha < 1; got {n_methods}, {n_tasks} and {alpha}"
        )
    # infinitely many degrees of freedom, as in Demsar's table 5
    q = studentized_range.ppf(1 - alpha, n_methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_methods * (n_methods + 1) / (6 * n_tasks)))


def alike(means: Sequence[float], difference: float) -> list[list[int]]:
    """The largest groups of methods whose mean ranks lie within ``difference`` of each other, best first.

    Examples
    --------
    >>> from transfermap.bench.ranks import alike
    >>> alike([1.0, 1.5, 3.0, 2.2], 1.25)
    [[0, 1, 3], [3, 2]]
    """
    order = np.argsort(means, kind="stable")
    sets = [[int(j) for j in order[i:] if means[j] - means[first] <= difference] for i, first in enumerate(order)]
    # a group that ends where the one before ends lies wholly inside it
    return [group for i, group in enumerate(sets) if len(group) > 1 and (i == 0 or group[-1] != sets[i - 1][-1])]
