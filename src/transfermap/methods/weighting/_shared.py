"""What the label-shift methods share: predictions to learn the shares from, and class weights spread over rows."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from transfermap.math.linalg import Array


class Predictions(NamedTuple):
    """Probabilities of source rows by rules that never saw them, Ps (n_s, C), and of target rows, Pt (n_t, C)."""

    Ps: Array
    Pt: Array


class Spread(NamedTuple):
    """Weights of classes and target shares (C,), and weights of source rows (n_s,), mean 1."""

    class_weights: Array
    shares: Array
    weights: Array


def cross_fitted(Xs: Array, truth: Array, Xt: Array, C: float, folds: int) -> Predictions | None:
    """Class probabilities by logistic regression on standardised columns; ``truth`` (n_s,) numbers the classes.

    None where all classes but one have fewer than two different rows: then nothing can be left out and judged.
    """
    fold, count = _folds(Xs, truth, folds)
    if count < 2:
        return None
    classes = int(truth.max()) + 1
    # by rules that did not see the rows: on its own rows a rule confuses too little, and weights come out too even
    Ps = np.empty((len(truth), classes))
    for k in range(count):
        Ps[fold == k] = _probabilities(_rule(Xs[fold != k], truth[fold != k], C), Xs[fold == k], classes)
    return Predictions(Ps, _probabilities(_rule(Xs, truth, C), Xt, classes))


def spread(w: Array, truth: Array, gamma: float, clip: float) -> Spread:
    """Class weights ``1 + gamma (w - 1)``, held in [1 / clip, clip], given to the rows of each class; mean 1."""
    # never 0: an estimate that is wrong once would take a class's rows away altogether
    held = np.clip(1 + gamma * (w - 1), 1 / clip, clip)
    source = np.bincount(truth, minlength=len(w)) / len(truth)
    held = held / (source @ held)
    rows = held[truth]
    return Spread(held, source * held, rows / rows.mean())


def _folds(X: Array, truth: Array, folds: int) -> tuple[Array, int]:
    """A fold for each row, and their number; each class is dealt out in turn along a fixed direction.

    The folds depend on what rows hold, not on their order. Equal rows go together, unless a class consists of a few
    distinct rows only: then they are draws of their own.
    """
    along: Array = X @ np.random.default_rng(0).normal(size=X.shape[1])
    # equal rows at different places of a product may differ in the last bits
    along = np.round(along / (np.abs(along).max() or 1.0), 12)
    turn, distinct = np.empty(len(truth), dtype=int), []
    for c in range(int(truth.max()) + 1):
        own = np.flatnonzero(truth == c)
        values, turn[own] = np.unique(along[own], return_inverse=True)
        if 2 * len(values) < len(own):
            turn[own[np.argsort(along[own], kind="stable")]] = np.arange(len(own))
        distinct.append(turn[own].max() + 1)
    # the second largest: whichever fold is left out, two classes are there to be learnt
    count = min(folds, sorted(distinct)[-2]) if len(distinct) > 1 else 1
    return turn % count, count


def _rule(X: Array, truth: Array, C: float) -> Any:
    rule = make_pipeline(StandardScaler(with_mean=not sparse.issparse(X)), LogisticRegression(C=C, max_iter=1000))
    with warnings.catch_warnings():
        # a fit that stopped early is still a rule whose errors are then measured
        warnings.simplefilter("ignore", ConvergenceWarning)
        return rule.fit(X, truth)


def _probabilities(rule: Any, X: Array, classes: int) -> Array:
    """Columns for all classes, zero for those that the rule never saw."""
    P = np.zeros((X.shape[0], classes))
    P[:, rule.classes_] = rule.predict_proba(X)
    # a rule of two classes out of three gives sums of one already, up to rounding
    return P / P.sum(axis=1, keepdims=True)
