"""The main job: baselines and candidates, evidence on each, a verdict, and all of it as one plain record."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

import numpy as np

from transfermap.card import Card, cards, find
from transfermap.data.encoder import TableEncoder
from transfermap.data.task import Task
from transfermap.measure.support import Support
from transfermap.verdict.check import Check, check_encoded
from transfermap.verdict.decide import Setting, Standing, Verdict, decide, standing
from transfermap.verdict.domains import Array, Domains, encode
from transfermap.verdict.estimators import DEFAULT, estimator, guess
from transfermap.verdict.evidence import RESAMPLES, Candidate, fit_all, gather, interval, paired
from transfermap.verdict.findings import shares_known
from transfermap.verdict.record import leaderboard, ledger, maps, predicted_shares, spoken
from transfermap.verdict.rows import confidence, disagreement, untrusted, worth_labelling
from transfermap.verdict.verify import target_truth, verify, with_truth

LEAST = 6
NET_ROWS = 1000
MOST = 1500
# share of the budget that evidence may take; the rest is for the final fits
SPENT = 0.7
GUESS = {"classification": "majority", "regression": "mean"}
BASELINES = ("sourceonly", "domainscaler")


@dataclass(frozen=True)
class Found:
    """What an investigation leaves: the record (plain values), arrays for the report, and the fitted parts."""

    record: dict[str, Any]
    arrays: dict[str, Array]
    encoder: TableEncoder
    support: Support
    models: dict[str, Any]


def investigate(
    task: Task,
    *,
    method: str | Sequence[str] = "auto",
    using: Any = None,
    seed: int = 0,
    budget: float = 120.0,
    tick: Callable[[str], None] = lambda _: None,
) -> Found:
    """Try methods on a task and reach a verdict, without reading a target label.

    Parameters
    ----------
    task : Task
    method : "auto", key or list of keys
        Which candidates to try beside the baselines; "auto" tries every method that suits the task,
        nets among them where PyTorch is there and both tables have 1,000 rows. A single key is the
        caller's decision: its predictions are handed out, and the verdict says whether the evidence supports it.
    using : str or scikit-learn estimator, default=None
        What is trained after each method; None: logistic regression, or ridge for regression.
    seed : int
    budget : float
        Seconds for gathering evidence. Candidates that come too late are skipped, which the record says.
    tick : callable
        Told what is being done.

    Raises
    ------
    ValueError
        If a method or estimator is not known or does not suit the task.
    """
    began = time.perf_counter()
    if len(task.source) < LEAST:
        raise ValueError(f"expected at least {LEAST} labelled source rows, to hold some out; got {len(task.source)}")
    candidates = _candidates(task, method, using, seed)
    tick("reading the tables")
    encoder, data = encode(task, seed)
    checked = check_encoded(task, encoder, data, seed)

    left = budget * SPENT - (time.perf_counter() - began)
    resamples = gather(candidates, data, seed=seed, resamples=RESAMPLES, most=MOST, budget=left, tick=tick)
    fit_all(candidates, data, tick)
    told = {c.key: c.model.predict(data.Xt) for c in candidates if c.model is not None}
    support = Support(seed=seed).fit(np.concatenate([data.Xs, data.Xt]))
    standings, verdict = _judge(candidates, data, checked, told, resamples)
    model = _model(candidates, method, verdict)
    record = {
        "format": 1,
        "kind": "transfermap-run",
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "budget": budget,
        "estimator": using if isinstance(using, str) else DEFAULT[task.kind] if using is None else repr(using),
        "inputs": dict(task.inputs),
        "task": checked.task,
        "notes": [n.to_dict() for n in (*task.notes, *encoder.notes)],
        "check": checked.to_dict(),
        "leaderboard": leaderboard(candidates, standings, data, told),
        "verdict": spoken(verdict, model, method, candidates, standings, told, resamples),
        "ledger": ledger(task, checked, verdict),
        "truth": None,
    } | _rows(data, support, next(c for c in candidates if c.key == model), told, seed)
    if task.truth is not None and len(task.truth):
        # last of all: nothing above has seen a target label
        rows = task.truth.index.to_numpy()
        labels, there = target_truth(task.truth, record)
        record = with_truth(record, verify(record, {k: v[rows[there]] for k, v in told.items()}, labels))
    record["seconds"] = round(time.perf_counter() - began, 2)
    arrays = maps(candidates, verdict, standings, data, seed) | {f"told_{k}": v for k, v in told.items()}
    models = {c.key: c.model for c in candidates if c.model is not None}
    return Found(record, arrays, encoder, support, models)


def _candidates(task: Task, method: str | Sequence[str], using: Any, seed: int) -> list[Candidate]:
    last = estimator(using, task.kind, seed) if using is None or isinstance(using, str) else using
    wanted = [method] if isinstance(method, str) else list(method)
    auto = "auto" in wanted
    if auto:
        wanted = [c.key for c in cards() if task.kind in c.tasks and c.by_default and _worth_trying(c, task)]
    for key in wanted:
        if task.kind not in find(key).card.tasks:
            raise ValueError(
                f"{find(key).card.name} ({key}) is for {', '.join(find(key).card.tasks)}; this is {task.kind}"
            )
        if find(key).target_labels:
            raise ValueError(
                f"{find(key).card.name} ({key}) learns from some labelled target rows, and the target has none here; "
                f"fit it in Python: Adapted({find(key).__name__}(), estimator).fit(X, y, sample_domain=...)"
            )
        find(key).require()
    chosen = [key for key in dict.fromkeys(find(k).card.key for k in wanted) if key not in BASELINES]
    base = Candidate.of("sourceonly", guess(task.kind), "baseline")
    base.key, base.name = GUESS[task.kind], GUESS[task.kind]
    return [
        base,
        *(Candidate.of(key, last, "baseline") for key in BASELINES),
        # nets last: they may take only what time the others leave
        *sorted((Candidate.of(key, last, "candidate", optional=auto) for key in chosen), key=lambda c: c.costly),
    ]


def _worth_trying(card: Card, task: Task) -> bool:
    """Whether "auto" tries a method here: nets are for those who have PyTorch, and rows enough to train one."""
    if "torch" not in card.needs:
        return True
    return find_spec("torch") is not None and min(len(task.source), len(task.target)) >= NET_ROWS


def _alive(candidates: list[Candidate]) -> list[Candidate]:
    return [c for c in candidates if c.status == "ok"]


def _base(candidates: list[Candidate]) -> Candidate:
    base = next(c for c in candidates if c.key == "sourceonly")
    if base.status != "ok":
        raise ValueError(f"not even source-only could be trained on this data: {base.fault}")
    return base


def _judge(
    candidates: list[Candidate], data: Domains, checked: Check, told: dict[str, Array], resamples: int
) -> tuple[dict[str, Standing], Verdict]:
    base = _base(candidates)
    setting = Setting(checked.auc["value"], checked.auc["low"], checked.only_shares, _likely_shares(checked))
    rivals = [c for c in _alive(candidates) if c is not base and c.key not in GUESS.values()]
    standings = {c.key: standing(c, base, setting, list(predicted_shares(told[c.key], data).values())) for c in rivals}
    floor = next(c for c in candidates if c.key in GUESS.values())
    ahead = interval(paired(base, floor, "source"))
    learnable = ahead["low"] > 0 or _separates(base, data)
    return standings, decide(standings, setting, learnable, resamples)


def _likely_shares(checked: Check) -> list[float]:
    """The target's class shares: the estimate where it means something, else the source's."""
    side = "target" if shares_known(checked.auc, checked.only_shares) else "source"
    return [s[side] for s in checked.shares]


def _separates(base: Candidate, data: Domains) -> bool:
    """With rare classes a good model may still guess the majority; balanced accuracy shows what it has learned."""
    if data.kind == "regression":
        return False
    gains = []
    for y, guessed in base.held:
        present = np.unique(y)
        gains.append(float(np.mean([np.mean(guessed[y == c] == c) for c in present])) - 1 / len(present))
    return interval(gains)["low"] > 0


def _model(candidates: list[Candidate], method: str | Sequence[str], verdict: Verdict) -> str:
    """Whose predictions are handed out: the one method that was asked for by name, else the verdict's."""
    asked = [method] if isinstance(method, str) else list(method)
    if len(asked) == 1 and asked[0] != "auto":
        key = find(asked[0]).card.key
        one = next(c for c in candidates if c.key == key)
        if one.status != "ok":
            raise ValueError(f"{one.name} could not be used on this data: {one.fault or 'the time budget was used up'}")
        return key
    return verdict.method if verdict.answer == "use" else "sourceonly"


def _rows(data: Domains, support: Support, chosen: Candidate, told: dict[str, Array], seed: int) -> dict[str, Any]:
    sure = confidence(chosen.model, data.Xt) if data.kind == "classification" else None
    useful = {k: v for k, v in told.items() if k not in GUESS.values()}
    return {
        "untrusted": untrusted(support.distance(data.Xt), support.threshold_, sure),
        "label_me": worth_labelling(disagreement(useful, data.kind), sure, seed),
    }
