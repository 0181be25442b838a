"""What can be known about a candidate without target labels: the same validators, over the same resamples, for all."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from joblib import Parallel, cpu_count, delayed
from scipy.stats import t as student
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from transfermap.adapted import Adapted
from transfermap.card import find
from transfermap.measure.calibration import temperature, tempered
from transfermap.measure.reverse import reverse_validation
from transfermap.measure.validators import agreement, infomax
from transfermap.measure.weighted import importance_weighted
from transfermap.measure.weights import density_ratio, effective_sample_size
from transfermap.verdict.domains import HELD_OUT, Array, Domains, Part, parts

VALIDATORS = ("importance", "reverse", "infomax")
CONFIDENCE = 0.90
RESAMPLES = 5
WORTH_PROCESSES = 200_000
# what a method may raise when the data do not suit it; anything else is an error of ours and must be seen
UNSUITED = (ValueError, np.linalg.LinAlgError, MemoryError, FloatingPointError)


class Seen(NamedTuple):
    """One candidate on one resample: scores, predictions for the shown target rows, held-out truth and guesses."""

    scores: dict[str, float]
    drawn: Array
    held: tuple[Array, Array]


class Outcome(NamedTuple):
    """What became of a piece of work: a value, or why there is none ("" for: it came too late)."""

    value: Any
    fault: str | None
    seconds: float


@dataclass
class Candidate:
    """A method in front of the estimator, and what has been seen of it, resample by resample.

    An ``optional`` one may be skipped when time is short; baselines, and what was asked for by name, may not. A
    ``costly`` one of them stays in the race only while there is time for all resamples with it.
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
    optional: bool = False
    costly: bool = False

    @classmethod
    def of(cls, key: str, estimator: Any, role: str, optional: bool = False) -> Candidate:
        """The method ``key`` with its default hyper-parameters."""
        method = find(key)()
        costly = optional and "torch" in method.card.needs
        return cls(key, method.card.name, role, method, estimator, optional=optional, costly=costly)

    def take(self, outcome: Outcome) -> None:
        """Note what became of a piece of work on this candidate."""
        self.seconds += outcome.seconds
        if outcome.fault is not None:
            self.status, self.fault = ("failed", outcome.fault) if outcome.fault else ("skipped", "")
        elif isinstance(outcome.value, Seen):
            for name, value in outcome.value.scores.items():
                self.scores.setdefault(name, []).append(value)
            self.drawn.append(outcome.value.drawn)
            self.held.append(outcome.value.held)
        else:
            self.model = outcome.value


def fitted(method: Any, estimator: Any, Xs: Array, ys: Array, Xt: Array, sources: Array) -> Adapted:
    """A fresh model, adapted from ``(Xs, ys)`` to ``Xt``; placeholders stand where target labels would."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return Adapted(clone(method), clone(estimator)).fit(
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
    budget: float,
    tick: Callable[[str], None],
) -> int:
    """Fill the candidates with evidence; returns how many resamples there were.

    The first resample finds out what fails and what it all costs; a candidate whose turn comes when the ``budget``
    (seconds) is gone is skipped, a costly one as soon as its resamples would not all fit. There are as many further
    resamples as the time left allows, one at least.
    """
    began = time.time()
    candidates = list(candidates)
    shown = np.sort(np.random.default_rng([seed, 2**20]).permutation(len(data.Xt))[:most])
    draws = parts(data, seed, most)
    for done in range(resamples):
        if done >= 2 and (time.time() - began) * (done + 1) / done > budget:
            return done
        part = next(draws)
        tick(f"gathering evidence, resample {done + 1} of {resamples}")
        alive = [c for c in candidates if c.status == "ok"]
        latest = [began + budget / (resamples if c.costly else 1) for c in alive]
        deadlines = [late if done == 0 and c.optional else np.inf for c, late in zip(alive, latest, strict=True)]
        work = [(observe, c.method, c.estimator, data, part, shown) for c in alive]
        _share_out(alive, work, deadlines, data)
        if done == 0:
            _let_go(alive, (time.time() - began) * resamples - budget, resamples)
    return resamples


def _let_go(candidates: list[Candidate], over: float, resamples: int) -> None:
    """Skip costly candidates, the slowest first, until the seconds that their resamples are ``over`` time are saved."""
    for c in sorted((c for c in candidates if c.costly and c.status == "ok"), key=lambda c: -c.seconds):
        if over <= 0:
            return
        c.status = "skipped"
        over -= c.seconds * resamples


def fit_all(candidates: Iterable[Candidate], data: Domains, tick: Callable[[str], None]) -> None:
    """Fit every candidate that is still in the race on all rows."""
    alive = [c for c in candidates if c.status == "ok"]
    tick("fitting on all rows")
    work = [(fitted, c.method, c.estimator, data.Xs, data.ys, data.Xt, data.sources) for c in alive]
    _share_out(alive, work, [np.inf] * len(alive), data)


def _share_out(candidates: list[Candidate], work: list[Any], deadlines: list[float], data: Domains) -> None:
    """Do a piece of work for each candidate, over the processors where the data are large enough to pay for it."""
    jobs = 1 if data.Xs.size + data.Xt.size < WORTH_PROCESSES else min(cpu_count(), len(work))
    tasks = (delayed(_attempt)(deadline, *piece) for deadline, piece in zip(deadlines, work, strict=False))
    for candidate, outcome in zip(candidates, Parallel(n_jobs=jobs)(tasks), strict=True):
        candidate.take(outcome)


def _attempt(deadline: float, do: Callable[..., Any], *arguments: Any) -> Outcome:
    """One thread a piece of work, in this process or another: so the numbers are the same to the last bit."""
    began = time.time()
    if began > deadline:
        return Outcome(None, "", 0.0)
    try:
        with threadpool_limits(1):
            value = do(*arguments)
    except UNSUITED as error:
        return Outcome(None, " ".join(str(error).split()) or "out of memory", time.time() - began)
    return Outcome(value, None, time.time() - began)


def observe(method: Any, estimator: Any, data: Domains, part: Part, shown: Array) -> Seen:
    """One candidate on one resample."""
    Xt, Xh, yh = data.Xt[part.target], data.Xs[part.held], data.ys[part.held]
    model = fitted(method, estimator, data.Xs[part.train], data.ys[part.train], Xt, data.sources[part.train])
    Zh = model.adapter_._see_source(Xh, data.sources[part.held])
    guessed = model.estimator_.predict(Zh)
    w = density_ratio(Zh, model.adapter_._see_target(Xt), seed=0)
    right = row_scores(yh, guessed, data)
    scores = {
        "source": float(right.mean()),
        "importance": importance_weighted(right, w)[0],
        "ess": effective_sample_size(w) / len(w),
        "reverse": _reverse(method, estimator, data, part, model),
    }
    if data.kind == "classification" and hasattr(model, "predict_proba"):
        scores["infomax"] = _clear_and_varied(model, Zh, yh, data.Xt[shown])
    return Seen(scores, model.predict(data.Xt[shown]), (yh, guessed))


def _clear_and_varied(model: Adapted, Zh: Array, yh: Array, Xt: Array) -> float:
    """InfoMax of the target's predictions, at the temperature that makes those for held-out source rows honest.

    How sure a model is depends on the scale of its features, which methods change; uncalibrated, the score would reward
    that.
    """
    known = np.isin(yh, model.classes_)
    Ph, truth = model.estimator_.predict_proba(Zh[known]), np.searchsorted(model.classes_, yh[known])
    return infomax(tempered(model.predict_proba(Xt), temperature(Ph, truth)), normalised=True)


def _reverse(method: Any, estimator: Any, data: Domains, part: Part, model: Adapted) -> float:
    """Reverse validation: what was predicted for the target trains a model for the way back, to the held-out source."""
    Xt, Xh, yh = data.Xt[part.target], data.Xs[part.held], data.ys[part.held]
    told = model.predict(Xt)
    if data.kind == "classification" and len(np.unique(told)) < 2:
        return 1.0 / len(data.classes)

    def way_back(Xa: Array, ya: Array, Xb: Array) -> Array:
        return fitted(method, estimator, Xa, ya, Xb, np.zeros(len(Xa), dtype=int)).predict(Xb)

    score: Literal["balanced_accuracy", "r2"] = "balanced_accuracy" if data.kind == "classification" else "r2"
    return reverse_validation(way_back, Xh, yh, Xt, told, score)


def row_scores(y: Array, guessed: Array, data: Domains) -> Array:
    """Each row's share in the score: 1 or 0 for a class that is right or wrong; for numbers what averages to R2."""
    if data.kind == "classification":
        return (y == guessed).astype(float)
    return 1.0 - (y - guessed) ** 2 / max(float(np.var(data.ys)), np.finfo(float).tiny)


def interval(values: Iterable[float]) -> dict[str, float]:
    """Mean over resamples with a 90 % interval that allows for their overlap.

    The resamples share rows, so their spread alone is too narrow; the variance is widened by the share held out (Nadeau
    and Bengio, Inference for the Generalization Error, Machine Learning 52, 2003, doi:10.1023/A:1024068626366).
    """
    v = np.fromiter(values, dtype=float)
    mean = float(v.mean())
    if len(v) < 2:
        return {"value": mean, "low": float("-inf"), "high": float("inf")}
    spread = np.sqrt(v.var(ddof=1) * (1 / len(v) + HELD_OUT / (1 - HELD_OUT)))
    reach = float(student.ppf(0.5 + CONFIDENCE / 2, len(v) - 1) * spread)
    return {"value": mean, "low": mean - reach, "high": mean + reach}


def paired(first: Candidate, second: Candidate, score: str) -> Iterator[float]:
    """What the first scores above the second, resample by resample."""
    return (a - b for a, b in zip(first.scores[score], second.scores[score], strict=True))


def steadiness(candidate: Candidate) -> float:
    """How far the predictions of one candidate agree from resample to resample."""
    if len(candidate.drawn) < 2:
        return 1.0
    return float(agreement(candidate.drawn, "regression" if candidate.drawn[0].dtype.kind == "f" else "classification"))
