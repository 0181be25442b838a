"""What little learning does with frozen features: the baselines that any transferability score has to beat."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from transfermap.measure.inputs import labels, rows, vector
from transfermap.measure.scores import Interval, accuracy_interval, bootstrap_interval

Array = NDArray[np.float64]
_PENALTIES = np.logspace(-3, 5, 9)  # on standardised columns: from none to where all coefficients are near 0


def neighbour_accuracy(F: ArrayLike, yt: ArrayLike, k: int = 5) -> Interval:
    """How often a row's k nearest other rows vote for its class; of the classes with most votes the nearest one's wins.

    Columns count as they are: standardise those of unlike units first. Copies of rows make it too good.

    Parameters
    ----------
    F : (n, d) array
        Features of target rows, n > 1.
    yt : (n,) array
        Their classes, of any kind.
    k : int
        At most n - 1 neighbours are asked.

    Returns
    -------
    Interval
        A share in [0, 1] with Wilson's 95 % interval.

    References
    ----------
    Cover and Hart, IEEE Transactions on Information Theory 13 (1967) 21-27, doi:10.1109/TIT.1967.1053964.

    Examples
    --------
    >>> neighbour_accuracy([[0.0], [1.0], [9.0], [10.0]], list("aabb"), k=1).value
    1.0
    """
    features = rows(F, "F", least=2)
    codes, classes = pd.factorize(labels(yt, "yt", len(features)))
    if k < 1:
        raise ValueError(f"expected k >= 1, got {k}")
    # asked without rows, it leaves each row itself out
    near = NearestNeighbors(n_neighbors=min(k, len(features) - 1)).fit(features).kneighbors(return_distance=False)
    votes = np.zeros((len(features), len(classes)))
    for rank, column in enumerate(near.T):
        # Less than one vote in all, so that nearness only breaks ties.
        votes[np.arange(len(features)), codes[column]] += 1 + 0.4 ** (rank + 1)
    return accuracy_interval(int((votes.argmax(axis=1) == codes).sum()), len(features))


def linear_probe(F: ArrayLike, yt: ArrayLike, regression: bool = False, folds: int = 5, seed: int = 0) -> Interval:
    """How well a ridge rule on the features does on rows it never saw.

    Columns are standardised and the penalty is chosen by leave-one-out within the training rows of each fold; classes
    are each fitted as -1/1 against the rest.

    Parameters
    ----------
    F : (n, d) array
        Features of target rows, n > 3.
    yt : (n,) array
        Classes of any kind, or numbers.
    regression : bool
        Take ``yt`` as numbers.
    folds, seed : int

    Returns
    -------
    Interval
        Accuracy, or R^2 for regression, with its 95 % bootstrap interval over rows.

    References
    ----------
    Hoerl and Kennard, Technometrics 12 (1970) 55-67, doi:10.1080/00401706.1970.10488634.

    Examples
    --------
    >>> F = np.random.default_rng(0).normal(size=(60, 3))
    >>> linear_probe(F, np.where(F[:, 0] > 0, "yes", "no")).value > 0.8
    True
    """
    features = rows(F, "F", least=4)
    y = vector(yt, "yt", len(features)) if regression else labels(yt, "yt", len(features))
    rule = RidgeCV(_PENALTIES) if regression else RidgeClassifierCV(_PENALTIES)
    predicted = held_out(make_pipeline(StandardScaler(), rule), features, y, folds, seed)
    return bootstrap_interval(y, predicted, "r2" if regression else "accuracy", seed=seed)


def held_out(estimator: Any, X: Array, y: NDArray[Any], folds: int, seed: int) -> NDArray[Any]:
    """Each row's prediction by the estimator fitted without its fold; folds hold like mixtures of y.

    Parameters
    ----------
    estimator : scikit-learn estimator
        Is cloned, not fitted. Where the training rows of a fold have one label only, that is the answer.
    X : (n, d) array
    y : (n,) array
    folds : int
        At least 2, at most n of them are made.
    seed : int
        Deals the rows.

    Returns
    -------
    (n,) array of the type of y
    """
    if folds < 2:
        raise ValueError(f"expected at least two folds, got {folds}")
    codes = pd.factorize(y, sort=True)[0]
    fold = np.empty(len(y), dtype=np.int64)
    # sorted by label, ties at random, dealt in turn: strata for classes and for numbers alike
    fold[np.lexsort((np.random.default_rng(seed).random(len(y)), codes))] = np.arange(len(y)) % folds
    predicted = y.copy()
    for k in np.unique(fold):
        test = fold == k
        train = y[~test]
        # most classifiers refuse one class
        single = (train == train[0]).all()
        predicted[test] = train[0] if single else clone(estimator).fit(X[~test], train).predict(X[test])
    return predicted
