"""What can be guessed of the target's classes before any transfer: their shares, and which of them it lacks."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from scipy.stats import beta
from sklearn.exceptions import ConvergenceWarning

from transfermap.measure.shift.domain_classifier import domain_classifier
from transfermap.measure.shift.label_shift import LabelShift, label_shift
from transfermap.measure.validators.absent_classes import absent_classes
from transfermap.verdict.check.facts import ClassShare, Interval
from transfermap.verdict.encoded import Array, Domains, parts, sample
from transfermap.verdict.named_estimators import estimator

SIGNIFICANT = 0.05


class Classes(NamedTuple):
    """The estimate of the class shares, and whether the target seems to lack each class (C,), in their order."""

    shares: LabelShift
    absent: Array


def target_classes(data: Domains, seed: int, most: int) -> Classes | None:
    """Judge the target's classes by a model that is held against source rows it never saw; None for regression."""
    if data.kind != "classification":
        return None
    part = next(parts(data, seed, most))
    if len(np.unique(data.ys[part.train])) < 2:
        return None
    last = estimator(None, data.kind, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = last.fit(data.Xs[part.train], data.ys[part.train])
    held, found, predicted = data.ys[part.held], model.predict(data.Xs[part.held]), model.predict(data.Xt)
    shares = label_shift(held, found, predicted, data.classes, seed=seed)
    return Classes(shares, _lacking(shares, held, found, predicted))


def _lacking(shares: LabelShift, held: Array, found: Array, predicted: Array) -> Array:
    """Classes that hardly any target row is predicted as, given how many of its source rows each is predicted for."""
    hits = np.array([np.sum(found[held == c] == c) for c in shares.classes])
    seen = np.array([np.sum(held == c) for c in shares.classes])
    recall = beta.ppf(0.05, np.maximum(hits, 0.5), seen - hits + 1)  # the least that the held-out rows speak for
    one_hot = (predicted[:, None] == shares.classes).astype(float)
    absent: Array = absent_classes(one_hot, shares.source, np.clip(recall, 1e-3, 1)).absent
    return absent


def shares_explain(data: Domains, found: LabelShift, auc: Interval, alike: float, seed: int) -> bool:
    """Whether the difference is gone once the source's classes are thinned out to the target's estimated shares.

    Under label shift alone, p(x|y) is the same in both, so a source with the target's shares cannot be told from it.
    """
    if found.p_value > SIGNIFICANT or auc.low <= alike:
        return False
    share = dict(zip(found.classes.tolist(), found.weights, strict=True))
    keep = np.array([share[y] for y in data.ys.tolist()])
    rng = np.random.default_rng([seed, 1])
    kept = rng.random(len(keep)) < keep / keep.max()
    if kept.sum() < 50:
        return False
    left = domain_classifier(sample(data.Xs[kept], seed), sample(data.Xt, seed + 1), seed, folds=3, most=2000)
    return left.low <= 0.5


def share_rows(found: Classes | None) -> tuple[ClassShare, ...]:
    """A class a row: its share in the source, the target's with interval, and whether it is absent."""
    if found is None:
        return ()
    s = found.shares
    numbers = zip(*(x.tolist() for x in (s.source, s.target, s.low, s.high, found.absent)), strict=True)
    return tuple(ClassShare(str(c), *row) for c, row in zip(s.classes, numbers, strict=True))
