"""What the contract tests try methods on: models, rows, labels as a method may see them, and what comes out."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from side_information import told
from sklearn.linear_model import LogisticRegression, Ridge

from transfermap.adapted import Adapted
from transfermap.card import find, keys
from transfermap.data.toy import make_toy
from transfermap.deep.learner import DeepLearner
from transfermap.roles import Generator
from transfermap.split import Side

# defaults were chosen with small seeds in view; these were not looked at
SEEDS = range(1000, 1008)
MARGIN = 0.05
BASELINES = ("sourceonly", "erm")

# methods that cannot do without side information
NEED_SIDE = [k for k in keys() if find(k).reads.side]

# all that can stand in front of an estimator, or are one; generators have promises of their own
ADAPT = [k for k in keys() if not issubclass(find(k), Generator)]

each = pytest.mark.parametrize("key", ADAPT)


def new(key):
    return find(key)()


def baseline(key):
    """The method without transfer that a method is held against: nets against a net."""
    return "erm" if issubclass(find(key), DeepLearner) else "sourceonly"


def likewise(key):
    """What a baseline takes over from a method: the net."""
    return {"net": find(key).net} if issubclass(find(key), DeepLearner) else {}


def seeds(key):
    """Draws of a toy; half as many for nets, which take seconds each."""
    return SEEDS[::2] if issubclass(find(key), DeepLearner) else SEEDS


def numeric(key):
    """Whether a method predicts nothing but numbers; all others are tried with classes."""
    return find(key).card.tasks == ("regression",)


def model(key, **params):
    estimator = Ridge() if numeric(key) else LogisticRegression(tol=1e-10, max_iter=10_000)
    return Adapted(find(key)(**params), estimator)


def data_for(key, name="no_shift", **how):
    """Rows with labels of the kind that the method learns."""
    return data(name, task="regression" if numeric(key) else "classification", **how)


def data(name="no_shift", n=40, seed=0, task="classification"):
    """Both domains one below the other, in mixed order: X, y with the target's true labels, and sample_domain."""
    X, y, d, _ = data_and_side(name, n, seed, task)
    return X, y, d


def data_and_side(name, n, seed, task):
    """As ``data``, and the toy's own side information where it has some."""
    toy = make_toy(name, n=n, seed=seed, task=task)
    X, y = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, toy.yt]
    sources = np.ones(len(toy.Xs), int) if toy.sources is None else toy.sources
    mixed = np.random.default_rng(seed).permutation(len(X))
    side = Side(pairs=toy.pairs, attributes=toy.attributes)[mixed]
    return X[mixed], y[mixed], np.r_[sources, -np.ones(len(toy.Xt), int)][mixed], side


def hidden(key, y, d, mark=None, few=20):
    """The labels as a method may see them: the target's marked as unknown, but for a few where it learns of them."""
    seen = y.copy()
    mark = unknown(key) if mark is None else mark
    target = np.flatnonzero(d < 0)
    seen[target[few:] if find(key).reads.target else target] = mark
    return seen


def unknown(key):
    """What stands in y where there is no label."""
    return np.nan if numeric(key) else -1


def is_unknown(y):
    return np.isnan(y) if y.dtype.kind == "f" else y == -1


def outputs(fitted, X):
    """The finest that it says of rows: decision values, or numbers."""
    return getattr(fitted, "decision_function", fitted.predict)(X)


def enough(key):
    """Accuracy, or R2, well above guessing's on rows without a shift; their noise allows an R2 of 0.8."""
    return 0.6 if numeric(key) else 0.8


def scores(m, X, y, d, Xnew):
    return outputs(m.fit(X, y, **told(m.adapter.card.key, X, y, d)), Xnew)


@cache
def accuracy(key, shift, seed, net, shuffle=None):
    X, y, d, side = data_and_side(shift, 300, seed, "classification")
    side = side if shuffle is None else side.shuffled(100 * seed + shuffle)
    method = find(key)(**({} if net is None else {"net": net}))
    m = Adapted(method, LogisticRegression(max_iter=2000))
    m.fit(X, hidden(key, y, d), sample_domain=d, side=side)
    return m.score(X[d < 0], y[d < 0])


@cache
def r2(key, shift, seed):
    X, y, d, side = data_and_side(shift, 300, seed, "regression")
    m = Adapted(new(key), Ridge()).fit(X, hidden(key, y, d, np.nan), sample_domain=d, side=side)
    return m.score(X[d < 0], y[d < 0])
