"""From what a candidate says on a resample to the scores of the label-free validators."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from transfermap.measure.shift.weights import density_ratio, effective_sample_size
from transfermap.measure.validators.calibration import temperature, tempered
from transfermap.measure.validators.clustering import class_ami
from transfermap.measure.validators.expected_accuracy import difference_of_confidences, thresholded_confidence
from transfermap.measure.validators.geometry import transfer_score
from transfermap.measure.validators.importance_weighted import dev, importance_weighted
from transfermap.measure.validators.label_free import bnm, corr_c, entropy, infomax, snd
from transfermap.measure.validators.reverse import reverse_validation
from transfermap.verdict.encoded import Array, Domains, Part

# target rows that the way back is learned from, at most
REVERSE_ROWS = 600


class SharedContext(NamedTuple):
    """What all candidates share on one resample: its rows, the target rows that scores are taken on, and the weights
    ``w`` (n_held,) that make held-out source rows look like target rows."""

    part: Part
    shown: Array
    w: Array


class Seen(NamedTuple):
    """Outputs of one candidate for held-out source rows and for the shown target rows, and its scores.

    Outputs are class probabilities (n, C), or numbers (n,).
    """

    held: Array
    shown: Array
    scores: dict[str, float]


def shared_context(data: Domains, part: Part, shown: Array) -> SharedContext:
    """The weights are those of the tables as they are, the same for every candidate."""
    return SharedContext(part, shown, density_ratio(data.Xs[part.held], data.Xt[part.target], seed=0))


def chosen(predicted: Array, data: Domains) -> Array:
    """The likeliest class of each row, or its number."""
    likeliest: Array = data.classes[predicted.argmax(axis=1)] if data.kind == "classification" else predicted
    return likeliest


def scores_of(seen: Seen, Zt: Array, estimator: Any, data: Domains, ground: SharedContext) -> Seen:
    """The same, with its scores, for each of which larger is better.

    ``Zt`` are the shown target rows as the candidate sees them. A validator that the data do not suit has no score.
    """
    yh, predicted = data.ys[ground.part.held], chosen(seen.shown, data)
    right = row_scores(yh, chosen(seen.held, data), data)
    scores = {
        "source": float(right.mean()),
        "importance": importance_weighted(right, ground.w)[0],
        "dev": dev(right, ground.w)[0],
        "ess": effective_sample_size(ground.w) / len(ground.w),
        "reverse": _reverse(predicted, estimator, data, ground),
    }
    if data.kind == "classification":
        scores |= _of_classes(seen, np.searchsorted(data.classes, yh), Zt, predicted)
    found = {name: float(x) for name, x in (seen.scores | scores).items() if np.isfinite(x)}
    return seen._replace(scores=found)


def _of_classes(seen: Seen, truth: Array, Zt: Array, predicted: Array) -> dict[str, float]:
    """What class probabilities say of themselves, at the temperature that makes those of held-out source rows honest.

    How sure a model is depends on the scale of its features, which methods change; uncalibrated, a score would reward
    that.
    """
    T, C = temperature(seen.held, truth), seen.held.shape[1]
    Ph, Pt = tempered(seen.held, T), tempered(seen.shown, T)
    here, there = np.bincount(Pt.argmax(axis=1), minlength=C), np.bincount(Ph.argmax(axis=1), minlength=C)
    return {
        "infomax": infomax(Pt, normalised=True),
        "entropy": entropy(Pt) / np.log(C),
        "corr_c": corr_c(Pt) / np.sqrt(C),
        "bnm": bnm(Pt),
        "snd": snd(Pt) / np.log(max(len(Pt) - 1, 2)),
        "thresholded": thresholded_confidence(Ph, truth, Pt, "confidence").value,
        "confidences": difference_of_confidences(Ph, truth, Pt).value,
        "shares": 1 - np.abs(here / here.sum() - there / there.sum()).sum() / 2,
        "clusters": _or_none(class_ami, Zt, predicted, C),
        "transfer": _or_none(transfer_score, Zt, Pt),
    }


def _or_none(validator: Callable[..., Any], *arguments: Any) -> float:
    """A validator's value, or NaN where it refuses the data."""
    try:
        found = validator(*arguments)
    except ValueError:
        return float("nan")
    return float(getattr(found, "value", found))


def row_scores(y: Array, guessed: Array, data: Domains) -> Array:
    """Each row's share in the score: 1 or 0 for a class that is right or wrong; for numbers what averages to R2."""
    if data.kind == "classification":
        return (y == guessed).astype(float)
    return 1.0 - (y - guessed) ** 2 / max(float(np.var(data.ys)), np.finfo(float).tiny)


def consensus(predicted: Array, together: Array, data: Domains) -> float:
    """How far a candidate agrees with all methods together on the target: share of equal classes, or 1 less the mean
    square of the difference over the labels' variance."""
    return float(row_scores(chosen(together, data), chosen(predicted, data), data).mean())


def _reverse(predicted: Array, estimator: Any, data: Domains, ground: SharedContext) -> float:
    """Reverse validation: what was predicted for the target trains the plain estimator, which is held against the
    held-out source."""
    if data.kind == "classification" and len(np.unique(predicted[:REVERSE_ROWS])) < 2:
        return 1.0 / len(data.classes)

    def fit_predict(Xa: Array, ya: Array, Xb: Array) -> Array:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return np.asarray(clone(estimator).fit(Xa, ya).predict(Xb))

    held, few = ground.part.held, slice(None, REVERSE_ROWS)
    score: Any = "balanced_accuracy" if data.kind == "classification" else "r2"
    return reverse_validation(
        fit_predict, data.Xs[held], data.ys[held], data.Xt[ground.shown[few]], predicted[few], score
    )
