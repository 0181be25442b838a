"""Telling source rows from target rows with rules that never saw the row they judge."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

Array = NDArray[np.float64]
Rule = Callable[[Array], Array]
Learn = Callable[[Array, NDArray[np.int64]], Rule]


class Folds(NamedTuple):
    """Which fold judges each row, and how many independent rows there are a side.

    ``fold`` is -1 for rows that no rule is learnt from, else 0 ... ``rules`` - 1; ``source`` and ``target`` count equal
    rows once where equal rows are copies.
    """

    fold: NDArray[np.int64]
    rules: int
    source: int
    target: int


def deal(X: Array, is_target: NDArray[np.int64], folds: int, most: int, seed: int) -> Folds:
    """Deal the rows into folds, equal rows together and each fold holding both sides in equal measure.

    A row that stands in both tables would otherwise be learnt from and judged at once. Where fewer than half of the
    rows are distinct, the data lie in a few discrete cells and equal rows are draws of their own: they are dealt
    singly. At most ``most`` rows a side take part.
    """
    rng = np.random.default_rng(seed)
    fold = np.full(len(X), -1)
    # side by side, or the larger table would crowd out the smaller one
    taken = np.concatenate([_sample(np.flatnonzero(is_target == side), most, rng) for side in (0, 1)])
    cell = _cells(X[taken])
    sides = _occupied(cell, is_target[taken])
    # also where all rows of a side are equal, since a fold needs both sides
    if sides.min() < 2 or 2 * (cell.max() + 1) < len(taken):
        cell = np.arange(len(taken))
        sides = _occupied(cell, is_target[taken])
    count = min(folds, *sides.tolist())
    if count < 2:
        raise ValueError(f"expected at least two rows a side and two folds, got {sides.tolist()} and {folds}")
    share = np.bincount(cell, is_target[taken]) / np.bincount(cell)
    # by the share of target rows, ties at random, then dealt in turn: each fold gets like numbers of both sides
    order = np.lexsort((rng.random(len(share)), share))
    turn = np.empty(len(order), dtype=np.int64)
    turn[order] = np.arange(len(order)) % count
    fold[taken] = turn[cell]
    return Folds(fold, count, int(sides[0]), int(sides[1]))


def _sample(rows: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def _cells(X: Array) -> NDArray[np.int64]:
    """The number of the distinct row that each row equals; rows are numbered in rising order, column by column."""
    order = np.lexsort(X.T[::-1])
    new = (X[order[1:]] != X[order[:-1]]).any(axis=1)
    cell = np.zeros(len(X), dtype=np.int64)
    cell[order[1:]] = np.cumsum(new)
    return cell


def _occupied(cell: NDArray[np.int64], is_target: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many distinct cells hold source rows, and how many hold target rows."""
    return np.array([len(np.unique(cell[is_target == side])) for side in (0, 1)])


def judge(X: Array, is_target: NDArray[np.int64], dealt: Folds, learn: Learn) -> Array:
    """Each row's score by the rule learnt without its fold; rows in no fold get the mean over the rules."""
    scores = np.zeros(len(X))
    spare = np.flatnonzero(dealt.fold < 0)
    for k in range(dealt.rules):
        train = (dealt.fold >= 0) & (dealt.fold != k)
        rule = learn(X[train], is_target[train])
        own = np.flatnonzero(dealt.fold == k)
        scores[own] = rule(X[own])
        if len(spare):
            # no rule has seen them, so all may judge
            scores[spare] += rule(X[spare]) / dealt.rules
    return scores


def linear(C: float) -> Learn:
    """Learn an L2 logistic rule on standardised columns.

    Its score estimates :math:`\\log p_t(x)/p_s(x)`: the log odds of the target less those of any row.
    """

    def learn(X: Array, is_target: NDArray[np.int64]) -> Rule:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=500))
        with warnings.catch_warnings():
            # A fit that stopped early is still a rule that never saw the rows it judges.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, is_target)
        prior = _prior(is_target)
        # the side's sizes are no part of a ratio of densities
        return lambda rows: np.asarray(model.decision_function(rows), dtype=np.float64) - prior

    return learn


def mixed(seed: int) -> Learn:
    """Learn a logistic rule and a small boosted forest; the score is the mean of their target probabilities.

    The first sees shifts of the mean in many columns at once, the second shifts of spread, shape and combination. Their
    mean is fixed beforehand: taking the better of the two would find a difference where there is none. Both
    probabilities are those of a row from sides of equal size.
    """

    def learn(X: Array, is_target: NDArray[np.int64]) -> Rule:
        flat = linear(0.1)(X, is_target)
        # The prior is taken out afterwards: class weights make scikit-learn's binning many times slower.
        boosted = HistGradientBoostingClassifier(
            max_iter=50, max_leaf_nodes=15, early_stopping=False, random_state=seed
        )
        # On so few rows more threads wait for each other, many times longer where the cores are busy with other things.
        with threadpool_limits(1, user_api="openmp"):
            boosted.fit(X, is_target)
        prior = _prior(is_target)
        return lambda rows: (expit(flat(rows)) + expit(boosted.decision_function(rows) - prior)) / 2

    return learn


def _prior(is_target: NDArray[np.int64]) -> float:
    """Log odds of the target among the rows."""
    target = int(is_target.sum())
    return float(np.log(target / (len(is_target) - target)))
