"""What can be known about a candidate without target labels: the same validators, over the same resamples, for all."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, cpu_count, delayed
from scipy.stats import t as student
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from transfermap.adapted import Adapted
from transfermap.card import find
from transfermap.measure.validators.label_free import agreement
from transfermap.measure.validators.mixup import mixval
from transfermap.split import Split
from transfermap.verdict.encoded import HELD_OUT, Array, Domains, parts
from transfermap.verdict.ensembles import ENSEMBLES
from transfermap.verdict.named_estimators import GUESS
from transfermap.verdict.record import Status
from transfermap.verdict.scoring import Seen, SharedContext, chosen, consensus, scores_of, shared_context
from transfermap.verdict.voting import joint, outputs

VALIDATORS = ("importance", "reverse", "infomax")
CONFIDENCE = 0.90
RESAMPLES = 5
WORTH_PROCESSES = 200_000
# what a method may raise when the data do not suit it; anything else is an error of ours and must be seen
UNSUITED = (ValueError, np.linalg.LinAlgError, MemoryError, FloatingPointError)


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
    status: Status = "ok"
    fault: str = ""
    seconds: float = 0.0
    scores: dict[str, list[float]] = field(default_factory=dict)
    drawn: list[Array] = field(default_factory=list)
    held: list[tuple[Array, Array]] = field(default_factory=list)
    model: Any = None
    optional: bool = False
    costly: bool = False
    last: Seen | None = None

    @classmethod
    def of(cls, key: str, estimator: Any, role: str, optional: bool = False, **params: Any) -> Candidate:
        """The method ``key`` with its default hyper-parameters, but for ``params``."""
        method = find(key)(**params)
        costly = optional and "torch" in method.card.needs
        return cls(key, method.card.name, role, method, estimator, optional=optional, costly=costly)

    def take(self, outcome: Outcome) -> None:
        """Note what became of a piece of work on this candidate."""
        self.seconds += outcome.seconds
        if outcome.fault is not None:
            self.status, self.fault = ("failed", outcome.fault) if outcome.fault else ("skipped", "")
        elif isinstance(outcome.value, Seen):
            self.last = outcome.value
        else:
            self.model = outcome.value

    @property
    def guesses(self) -> bool:
        """Whether it looks at no feature."""
        return self.key in GUESS.values()

    @property
    def is_ensemble(self) -> bool:
        """Whether it is made of the others, and has no fit of its own."""
        return self.key in ENSEMBLES

    def note(self, scores: dict[str, float], drawn: Array, held: tuple[Array, Array]) -> None:
        """Keep what one resample has shown."""
        for name, value in scores.items():
            self.scores.setdefault(name, []).append(value)
        self.drawn.append(drawn)
        self.held.append(held)
        self.last = None


def fitted(method: Any, estimator: Any, Xs: Array, ys: Array, Xt: Array, sources: Array) -> Adapted:
    """A fresh model, adapted from ``(Xs, ys)`` to ``Xt``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return Adapted(clone(method), clone(estimator)).fit_split(Split.of(Xs, ys, Xt, sources))


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
    shown = np.random.default_rng([seed, 2**20]).permutation(len(data.Xt))[:most]
    draws = parts(data, seed, most)
    for done in range(resamples):
        if done >= 2 and (time.time() - began) * (done + 1) / done > budget:
            return done
        tick(f"gathering evidence, resample {done + 1} of {resamples}")
        with threadpool_limits(1):
            ground = shared_context(data, next(draws), shown)
        alive = [c for c in candidates if c.status == "ok" and not c.is_ensemble]
        latest = [began + budget / (resamples if c.costly else 1) for c in alive]
        deadlines = [late if done == 0 and c.optional else np.inf for c, late in zip(alive, latest, strict=True)]
        work = [(observe, c.method, c.estimator, data, ground) for c in alive]
        _share_out(alive, work, deadlines, data)
        _note_all([c for c in candidates if c.status == "ok"], data, ground)
        if done == 0:
            _let_go(alive, (time.time() - began) * resamples - budget, resamples)
    return resamples


def _note_all(candidates: list[Candidate], data: Domains, ground: SharedContext) -> None:
    """Score what was seen on one resample; what is made of the others is seen through them."""
    predicted = {c.key: c.last for c in candidates if c.last is not None and not c.guesses}
    if not predicted:
        return
    crowd = joint([seen.shown for seen in predicted.values()])
    for c in candidates:
        if c.is_ensemble:
            c.take(_attempt(np.inf, _look, c.method, predicted, c.estimator, data, ground))
            if c.status != "ok":
                continue
        seen = c.last
        assert seen is not None
        scores = seen.scores | {"consensus": consensus(seen.shown, crowd, data)}
        c.note(scores, chosen(seen.shown, data), (data.ys[ground.part.held], chosen(seen.held, data)))


def _look(method: Any, predicted: dict[str, Seen], estimator: Any, data: Domains, ground: SharedContext) -> Seen:
    """One candidate that is made of the others, on one resample."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        held, shown = method.on_resample(predicted, estimator, data, ground.part, ground.shown)
    return scores_of(Seen(held, shown, {}), data.Xt[ground.shown], estimator, data, ground)


def _let_go(candidates: list[Candidate], over: float, resamples: int) -> None:
    """Skip costly candidates, the slowest first, until the seconds that their resamples are ``over`` time are saved."""
    for c in sorted((c for c in candidates if c.costly and c.status == "ok"), key=lambda c: -c.seconds):
        if over <= 0:
            return
        c.status = "skipped"
        over -= c.seconds * resamples


def fit_all(candidates: Iterable[Candidate], data: Domains, tick: Callable[[str], None]) -> None:
    """Fit every candidate that is still in the race on all rows."""
    candidates = list(candidates)
    alive = [c for c in candidates if c.status == "ok" and not c.is_ensemble]
    tick("fitting on all rows")
    work = [
        (
            fitted,
            c.method,
            c.estimator,
            data.source.read_by(c.method),
            data.ys,
            data.target.read_by(c.method),
            data.sources,
        )
        for c in alive
    ]
    _share_out(alive, work, [np.inf] * len(alive), data)
    members = {c.key: c.model for c in alive if c.status == "ok" and not c.guesses}
    for c in candidates:
        if c.is_ensemble and c.status == "ok" and members:
            c.take(_attempt(np.inf, _join, c.method, members, c.estimator, data))


def _join(method: Any, members: dict[str, Any], estimator: Any, data: Domains) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return method.model(members, estimator, data)


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


def observe(method: Any, estimator: Any, data: Domains, ground: SharedContext) -> Seen:
    """One candidate on one resample."""
    part, classes = ground.part, data.classes if data.kind == "classification" else None
    source, target = data.source.read_by(method), data.target.read_by(method)
    model = fitted(
        method, estimator, source[part.train], data.ys[part.train], target[part.target], data.sources[part.train]
    )
    Zh = model.adapter_._see_source(source[part.held], data.sources[part.held])
    shown = target[ground.shown]
    # between two files there lies no image
    mixable = classes is not None and len(shown) > 2 and shown.dtype.kind == "f"
    mixed = mixval(model.predict, shown).inter if mixable else np.nan
    seen = Seen(outputs(model.estimator_, Zh, classes), outputs(model, shown, classes), {"mixed": mixed})
    # geometry is a matter of features: a net on images moves none, so theirs stay as they are
    Zt = np.asarray(model.adapter_._see_target(data.Xt[ground.shown]))
    return scores_of(seen, Zt, estimator, data, ground)


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
