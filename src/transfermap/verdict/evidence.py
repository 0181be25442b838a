"""What can be known about a candidate without target labels: the same validators, over the same resamples, for all."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import t as student
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score

from transfermap.measure.validators import agreement, importance_weighted, infomax
from transfermap.measure.weights import density_ratio, effective_sample_size
from transfermap.roles import Adapted
from transfermap.verdict.domains import HELD_OUT, Array, Domains, Part, parts

VALIDATORS = ("importance", "reverse", "infomax")
CONFIDENCE = 0.90
# what a method may raise when the data do not suit it; anything else is an error of ours and must be seen
UNSUITED = (ValueError, np.linalg.LinAlgError, MemoryError, FloatingPointError)


@dataclass
class Candidate:
    """A method in front of the estimator, and what has been seen of it.

    ``scores`` maps each validator to one value a resample; ``drawn`` holds its predictions for the same target rows, one
    vector a resample.
    """

    key: str
    name: str
    role: str
    method: Any
    estimator: Any
    status: str = "ok"
    fault: str = ""
    seconds: float = 0.0
    scores: dict[str, list[float]] = field(default_factory=dict)
    drawn: list[Array] = field(default_factory=list)
    held: list[tuple[Array, Array]] = field(default_factory=list)
    model: Adapted | None = None

    def fitted(self, Xs: Array, ys: Array, Xt: Array, sources: Array) -> Adapted:
        """A fresh model, adapted from ``(Xs, ys)`` to ``Xt``. The placeholders where target labels would stand say nothing."""
        model = Adapted(clone(self.method), clone(self.estimator))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(
                np.concatenate([Xs, Xt]),
                np.concatenate([ys, np.full(len(Xt), ys[0], dtype=ys.dtype)]),
                sample_domain=np.concatenate([sources, np.full(len(Xt), -1)]),
            )


def gather(
    candidates: Iterable[Candidate],
    data: Domains,
    *,
    seed: int,
    resamples: int,
    most: int,
    late: Callable[[float], bool],
    tick: Callable[[str], None],
) -> int:
    """Fill the candidates with evidence; returns how many resamples there were.

    The first resample finds out what fails and what it all costs; a candidate that comes up when half of the time is gone is
    skipped, and the number of further resamples is what the rest of the time allows, at least one.
    """
    candidates = list(candidates)
    shown = np.sort(np.random.default_rng([seed, 2**20]).permutation(len(data.Xt))[:most])
    draws = parts(data, seed, most)
    for done in range(resamples):
        part = next(draws)
        if done >= 2 and late(done + 1):
            return done
        for candidate in candidates:
            if done == 0 and candidate.role == "candidate" and late(2):
                candidate.status = "skipped"
            if candidate.status == "ok":
                tick(candidate.name)
                _observe(candidate, data, part, shown)
    return resamples


def _observe(candidate: Candidate, data: Domains, part: Part, shown: Array) -> None:
    began = time.perf_counter()
    try:
        seen = _resample(candidate, data, part, shown)
    except UNSUITED as error:
        candidate.status, candidate.fault = "failed", str(error).strip().splitlines()[0] if str(error) else "out of memory"
        return
    for name, value in seen.items():
        candidate.scores.setdefault(name, []).append(value)
    candidate.seconds += time.perf_counter() - began


def _resample(candidate: Candidate, data: Domains, part: Part, shown: Array) -> dict[str, float]:
    Xs, ys, from_ = data.Xs[part.train], data.ys[part.train], data.sources[part.train]
    Xh, yh, from_h = data.Xs[part.held], data.ys[part.held], data.sources[part.held]
    model = candidate.fitted(Xs, ys, data.Xt[part.target], from_)
    Zh = model.adapter_._see_source(Xh, from_h)
    guessed = model.estimator_.predict(Zh)
    w = density_ratio(Zh, model.adapter_._see_target(data.Xt[part.target]), seed=0)
    right = row_scores(yh, guessed, data)
    candidate.held.append((yh, guessed))
    candidate.drawn.append(model.predict(data.Xt[shown]))
    seen = {
        "source": float(right.mean()),
        "importance": importance_weighted(right, w)[0],
        "ess": effective_sample_size(w) / len(w),
        "reverse": _reverse(candidate, data, part, model),
    }
    if data.kind == "classification":
        seen["infomax"] = infomax(model.predict_proba(data.Xt[shown]), normalised=True)
    return seen


def _reverse(candidate: Candidate, data: Domains, part: Part, model: Adapted) -> float:
    """Reverse validation: what was predicted for the target trains a model for the way back, to the held-out source."""
    Xt = data.Xt[part.target]
    told = model.predict(Xt)
    if data.kind == "classification" and len(np.unique(told)) < 2:
        return float(np.mean(data.ys[part.held] == told[0]))
    back = candidate.fitted(Xt, told, data.Xs[part.held], np.zeros(len(Xt), dtype=int))
    return float(row_scores(data.ys[part.held], back.predict(data.Xs[part.held]), data).mean())


def row_scores(y: Array, guessed: Array, data: Domains) -> Array:
    """Each row's share in the score: 1 or 0 for a class that is right or wrong; for numbers what averages to R2."""
    if data.kind == "classification":
        return (y == guessed).astype(float)
    return 1.0 - (y - guessed) ** 2 / max(float(np.var(data.ys)), np.finfo(float).tiny)


def score(y: Array, guessed: Array, kind: str) -> float:
    """Accuracy, or R2 for regression."""
    return float(np.mean(y == guessed)) if kind == "classification" else float(r2_score(y, guessed))


def interval(values: list[float]) -> dict[str, float]:
    """Mean over resamples with a 90 % interval that allows for their overlap.

    The resamples share rows, so their spread alone is too narrow; the variance is widened by the share held out (Nadeau
    and Bengio, Inference for the Generalization Error, Machine Learning 52, 2003, doi:10.1023/A:1024068626366).
    """
    v = np.asarray(values, dtype=float)
    mean = float(v.mean())
    if len(v) < 2:
        return {"value": mean, "low": float("-inf"), "high": float("inf")}
    spread = np.sqrt(v.var(ddof=1) * (1 / len(v) + HELD_OUT / (1 - HELD_OUT)))
    reach = float(student.ppf(0.5 + CONFIDENCE / 2, len(v) - 1) * spread)
    return {"value": mean, "low": mean - reach, "high": mean + reach}


def steadiness(candidate: Candidate) -> float:
    """How far the predictions of one candidate agree from resample to resample."""
    return float(agreement(candidate.drawn)) if len(candidate.drawn) > 1 else 1.0
