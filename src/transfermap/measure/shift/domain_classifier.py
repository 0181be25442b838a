"""Telling the domains apart: is there a shift at all, and which table columns carry it?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transfermap.measure.chance import auc, auc_interval, auc_p_value
from transfermap.measure.inputs import pair
from transfermap.measure.shift.crossfit import Folds, deal, judge, mixed
from transfermap.measure.shift.naive_bayes import single_column

Array = NDArray[np.float64]


class DomainClassifier(NamedTuple):
    """How well a rule tells target rows from source rows it never saw.

    ``auc`` lies in [0, 1] (1/2: not at all) with the 95 % interval ``low`` to ``high``; ``source`` (n_s,) and
    ``target`` (n_t,) are the rows' out-of-fold probabilities of being target, were both sides equally large;
    ``n_source`` and ``n_target`` count the independent rows that took part.
    """

    auc: float
    low: float
    high: float
    source: Array
    target: Array
    n_source: int
    n_target: int


class ColumnCarry(NamedTuple):
    """How well one table column alone tells the domains apart: ``auc`` with its 95 % interval and ``p_value``."""

    column: str
    auc: float
    low: float
    high: float
    p_value: float


def domain_classifier(
    Xs: ArrayLike, Xt: ArrayLike, seed: int = 0, folds: int = 5, most: int = 5000
) -> DomainClassifier:
    """Try to tell the domains apart; success is a shift, of whatever kind.

    The score of a row is the mean of two target probabilities, an L2 logistic rule's and a small boosted forest's, both
    learnt without the row's fold (:func:`~transfermap.measure.shift.crossfit.mixed`); unequal sizes of the sides are
    taken out of them. At most ``most`` rows a side take part (seeded subsample), the others are scored by all folds'
    rules. Equal rows share a fold unless the data are a few discrete cells
    (:func:`~transfermap.measure.shift.crossfit.deal`).

    Parameters
    ----------
    Xs : (n_s, d) array
    Xt : (n_t, d) array
        At least two rows a side.
    seed, folds, most : int

    Returns
    -------
    DomainClassifier

    References
    ----------
    Lopez-Paz and Oquab, Revisiting classifier two-sample tests, ICLR 2017, arXiv:1610.06545. Interval: Hanley and
    McNeil, 1982, doi:10.1148/radiology.143.1.7063747, widened for cross-fitting
    (:func:`~transfermap.measure.chance.auc_error`).

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> found = domain_classifier(X[:100], X[100:] + 2)
    >>> found.auc > 0.9, two_sample_test(found) < 0.001
    (True, True)
    """
    X, is_target, dealt = _stacked(Xs, Xt, folds, most, seed)
    scores = judge(X, is_target, dealt, mixed(seed))
    source, target = scores[is_target == 0], scores[is_target == 1]
    took_part = dealt.fold >= 0
    # the others' scores are means over all rules, less spread out than one rule's: ranks would mix two scales
    value = auc(source[took_part[is_target == 0]], target[took_part[is_target == 1]])
    low, high = auc_interval(value, dealt.source, dealt.target)
    return DomainClassifier(value, low, high, source, target, dealt.source, dealt.target)


def two_sample_test(found: DomainClassifier) -> float:
    """The p-value of "both tables come from one distribution", from the cross-fitted AUC and without permutations.

    :math:`p=1-\\Phi\\bigl((a-\\tfrac12)/\\sqrt{2v_0}\\bigr)` with :math:`v_0=(n_s+n_t+1)/12 n_s n_t`; the 2 pays for
    the training rows that folds share (:func:`~transfermap.measure.chance.auc_error`). One-sided: a difference can
    only raise the AUC. The level is kept, cautiously in few columns: without a difference a p-value
    below 0.05 comes in 1 % of cases with one column, in 3 % with six and in 5 % with a hundred (1,500 simulations
    each).

    Parameters
    ----------
    found : DomainClassifier

    Returns
    -------
    float
        In (0, 1); small where the tables differ.

    References
    ----------
    Mann and Whitney, Annals of Mathematical Statistics 18 (1947) 50-60, doi:10.1214/aoms/1177730491.
    """
    return auc_p_value(found.auc, found.n_source, found.n_target)


def column_carry(
    Xs: ArrayLike, Xt: ArrayLike, origin: Sequence[str], seed: int = 0, folds: int = 5, most: int = 5000
) -> list[ColumnCarry]:
    """Which table columns tell the domains apart, each taken alone, the strongest first.

    A column's score of a row is the sum over its features of the log odds of the target in the feature's bin, learnt on
    the other folds (:func:`~transfermap.measure.shift.naive_bayes.single_column`). It sees shifts of place, spread,
    shape and category; correlated columns do not hide one another, as they do under permutation importance. A
    difference that lies only in how columns go together is in no column: then the AUC of :func:`domain_classifier` is
    high and all of these are near 1/2.

    Parameters
    ----------
    Xs : (n_s, d) array
    Xt : (n_t, d) array
    origin : sequence of d str
        The table column that each feature came from.
    seed, folds, most : int
        As in :func:`domain_classifier`.

    Returns
    -------
    list of ColumnCarry
        One a column, by falling AUC, then by first appearance.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> column_carry(X[:200], X[200:] * [1, 4], ["age", "income"])[0].column
    'income'
    """
    X, is_target, dealt = _stacked(Xs, Xt, folds, most, seed)
    if len(origin) != X.shape[1]:
        raise ValueError(f"expected origin to name {X.shape[1]} features, got {len(origin)}")
    taken = dealt.fold >= 0
    # rows beyond ``most`` are left out here: what is returned holds no scores of single rows
    X, is_target, dealt = X[taken], is_target[taken], dealt._replace(fold=dealt.fold[taken])
    features: dict[str, list[int]] = {}
    for j, column in enumerate(origin):
        features.setdefault(column, []).append(j)
    carried = [_carried(column, X[:, js], is_target, dealt) for column, js in features.items()]
    # not by |AUC - 1/2|: below one half is chance, since the rule was learnt to be above it
    return sorted(carried, key=lambda c: -c.auc)


def _carried(column: str, X: Array, is_target: NDArray[np.int64], dealt: Folds) -> ColumnCarry:
    scores = judge(X, is_target, dealt, single_column)
    value = auc(scores[is_target == 0], scores[is_target == 1])
    n, m = dealt.source, dealt.target
    return ColumnCarry(column, value, *auc_interval(value, n, m), auc_p_value(value, n, m))


def _stacked(Xs: ArrayLike, Xt: ArrayLike, folds: int, most: int, seed: int) -> tuple[Array, NDArray[np.int64], Folds]:
    source, target = pair(Xs, Xt)
    X = np.concatenate([source, target])
    is_target = np.repeat([0, 1], [len(source), len(target)])
    return X, is_target, deal(X, is_target, folds, most, seed)
