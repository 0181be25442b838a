"""The main job: baselines and candidates, evidence on each, a verdict, and all of it as one plain record."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from transfermap.card import cards, find
from transfermap.data.encoder import TableEncoder
from transfermap.data.task import Task
from transfermap.measure.support import Support
from transfermap.verdict.check import Check, check_encoded
from transfermap.verdict.decide import Setting, Standing, Verdict, decide, ranking, standing
from transfermap.verdict.domains import Array, Domains, encode
from transfermap.verdict.estimators import DEFAULT, estimator, guess
from transfermap.verdict.evidence import VALIDATORS, Candidate, fit_all, gather, interval, paired, steadiness
from transfermap.verdict.rows import confidence, disagreement, untrusted, worth_labelling
from transfermap.verdict.verify import target_truth, verify, with_truth
from transfermap.words import Note

RESAMPLES = 5
LEAST = 6
MOST = 1500
# share of the budget that evidence may take; the rest is for the final fits
SPENT = 0.7
DRAWN = 600
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
        Which candidates to try beside the baselines; "auto" tries every method that suits the task. A single key is the
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
    standings, verdict = _judge(candidates, data, checked, told)
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
        "leaderboard": _leaderboard(candidates, standings, data, told),
        "verdict": _spoken(verdict, model, method, candidates, standings, told, resamples),
        "ledger": _ledger(task, checked, verdict),
        "truth": None,
    } | _rows(data, support, next(c for c in candidates if c.key == model), told, seed)
    if task.truth is not None and len(task.truth):
        # last of all: nothing above has seen a target label
        rows = task.truth.index.to_numpy()
        labels, there = target_truth(task.truth, record)
        record = with_truth(record, verify(record, {k: v[rows[there]] for k, v in told.items()}, labels))
    record["seconds"] = round(time.perf_counter() - began, 2)
    arrays = _maps(candidates, verdict, standings, data, seed) | {f"told_{k}": v for k, v in told.items()}
    models = {c.key: c.model for c in candidates if c.model is not None}
    return Found(record, arrays, encoder, support, models)


def _candidates(task: Task, method: str | Sequence[str], using: Any, seed: int) -> list[Candidate]:
    last = estimator(using, task.kind, seed) if using is None or isinstance(using, str) else using
    wanted = [method] if isinstance(method, str) else list(method)
    if wanted == ["auto"]:
        wanted = [c.key for c in cards() if task.kind in c.tasks and c.label_sets == "closed" and not c.needs]
    for key in wanted:
        if task.kind not in find(key).card.tasks:
            raise ValueError(
                f"{find(key).card.name} ({key}) is for {', '.join(find(key).card.tasks)}; this is {task.kind}"
            )
    chosen = [key for key in dict.fromkeys(find(k).card.key for k in wanted) if key not in BASELINES]
    base = Candidate.of("sourceonly", guess(task.kind), "baseline")
    base.key, base.name = GUESS[task.kind], GUESS[task.kind]
    return [
        base,
        *(Candidate.of(key, last, "baseline") for key in BASELINES),
        *(Candidate.of(key, last, "candidate") for key in chosen),
    ]


def _alive(candidates: list[Candidate]) -> list[Candidate]:
    return [c for c in candidates if c.status == "ok"]


def _base(candidates: list[Candidate]) -> Candidate:
    base = next(c for c in candidates if c.key == "sourceonly")
    if base.status != "ok":
        raise ValueError(f"not even source-only could be trained on this data: {base.fault}")
    return base


def _judge(
    candidates: list[Candidate], data: Domains, checked: Check, told: dict[str, Array]
) -> tuple[dict[str, Standing], Verdict]:
    base = _base(candidates)
    setting = Setting(
        checked.auc["value"], checked.auc["low"], checked.only_shares, [s["target"] for s in checked.shares]
    )
    rivals = [c for c in _alive(candidates) if c is not base and c.key not in GUESS.values()]
    standings = {c.key: standing(c, base, setting, list(_shares(told[c.key], data).values())) for c in rivals}
    floor = next(c for c in candidates if c.key in GUESS.values())
    ahead = interval(paired(base, floor, "source"))
    learnable = ahead["low"] > 0 or _separates(base, data)
    return standings, decide(standings, setting, learnable)


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


def _shares(predicted: Array, data: Domains) -> dict[str, float]:
    return {str(c): float(np.mean(predicted == c)) for c in data.classes}


def _leaderboard(
    candidates: list[Candidate], standings: dict[str, Standing], data: Domains, told: dict[str, Array]
) -> list[dict[str, Any]]:
    order = {key: i for i, key in enumerate(ranking(standings))} if standings else {}
    place = {"baseline": 0, "candidate": 1}
    lined = sorted(
        candidates, key=lambda c: (place[c.role], order.get(c.key, len(order)) if c.role == "candidate" else 0)
    )
    return [_row(c, standings.get(c.key), data, told) for c in lined]


def _row(c: Candidate, stand: Standing | None, data: Domains, told: dict[str, Array]) -> dict[str, Any]:
    row: dict[str, Any] = {"method": c.key, "name": c.name, "role": c.role, "status": c.status, "note": None}
    row["seconds"] = round(c.seconds, 3)
    if c.status != "ok":
        code = "verdict.skipped" if c.status == "skipped" else "verdict.failed"
        return row | {"note": Note(code, "warn", {"method": c.name, "fault": c.fault}).to_dict()}
    row["evidence"] = {v: interval(c.scores[v]) for v in ("source", *VALIDATORS) if v in c.scores}
    row |= {"ess": float(np.mean(c.scores["ess"])), "agreement": steadiness(c), "changed": _changed(c.key, told, data)}
    if data.kind == "classification":
        row["shares"] = _shares(told[c.key], data)
        row["dropped"] = _dropped(row["shares"], _shares(told["sourceonly"], data))
    if stand is not None:
        for v, gain in stand.gains.items():
            row["evidence"][v] |= {"gain": gain["value"], "gain_low": gain["low"], "gain_high": gain["high"]}
        row |= {"votes": dict(stand.votes), "supported": stand.supported, "risk": not stand.supported}
        row["overlap_gain"] = dict(stand.overlap)
        row["reasons"] = [n.to_dict() for n in (*stand.vetoes, *_harm(c, stand))]
    return row


def _harm(c: Candidate, stand: Standing) -> list[Note]:
    behind = [v for v, vote in stand.votes.items() if vote == "worse"]
    if behind:
        return [Note("verdict.behind", "stop", {"method": c.name, "validators": behind})]
    return [] if stand.supported else [Note("verdict.harm", "warn", {"method": c.name})]


def _changed(key: str, told: dict[str, Array], data: Domains) -> float:
    """Share of target predictions unlike source-only's; for numbers, moved by over a tenth of the labels' spread."""
    if data.kind == "classification":
        return float(np.mean(told[key] != told["sourceonly"]))
    return float(np.mean(np.abs(told[key] - told["sourceonly"]) > 0.1 * np.std(data.ys)))


def _dropped(here: dict[str, float], base: dict[str, float]) -> list[str]:
    return [c for c, share in base.items() if share >= 0.01 and here[c] < 0.1 * share]


def _spoken(
    verdict: Verdict,
    model: str,
    method: str | Sequence[str],
    candidates: list[Candidate],
    standings: dict[str, Standing],
    told: dict[str, Array],
    resamples: int,
) -> dict[str, Any]:
    names = {c.key: c.name for c in candidates}
    reasons = list(verdict.reasons)
    if model in standings and not standings[model].supported:
        reasons += [*standings[model].vetoes, *_harm(next(c for c in candidates if c.key == model), standings[model])]
    changed = float(np.mean(told[model] != told["sourceonly"])) if model in told else 0.0
    if verdict.answer == "use" and told[model].dtype.kind != "f" and changed > 0.3:
        reasons.append(Note("verdict.changes_much", "warn", {"method": names[model], "share": changed}))
    if model != (verdict.method if verdict.answer == "use" else "sourceonly"):
        reasons.append(Note("verdict.named", "warn", {"method": names[model]}))
    if any("abstains" in s.votes.values() for s in standings.values()):
        reasons.append(Note("verdict.abstains"))
    reasons.append(
        Note("verdict.resampled" if resamples == RESAMPLES else "verdict.budget", "info", {"resamples": resamples})
    )
    risk = verdict.risk or (model in standings and not standings[model].supported)
    return {
        "answer": verdict.answer,
        "method": verdict.method,
        "name": names.get(verdict.method, verdict.method),
        "model": model,
        "reasons": [n.to_dict() for n in reasons],
        "risk": risk,
    }


def _ledger(task: Task, checked: Check, verdict: Verdict) -> list[dict[str, Any]]:
    """What the verdict rests on: measured here, asserted by whoever asks, or beyond what the data can say."""
    low = checked.auc["low"]
    shares = next(
        (n for n in checked.notes if n.code.startswith("check.shares") or n.code == "check.only_shares"), None
    )
    outside = next(n for n in checked.notes if n.code in ("check.outside", "check.inside"))
    rows = [
        (checked.notes[0], "measured", low <= 0.9),
        (outside, "measured", outside.code == "check.inside"),
        *([(shares, "measured", shares.code == "check.shares_steady")] if shares else []),
        (Note("ledger.same_task", "info", {"label": task.label}), "asserted", None),
        (Note("ledger.same_columns"), "asserted", None),
        (Note("ledger.same_meaning", "warn", {"label": task.label}), "unknowable", None),
        *[(Note("ledger.method", "info", {"claim": claim}), "unknowable", None) for claim in _claims(verdict)],
    ]
    return [{"note": note.to_dict(), "status": status, "fine": fine} for note, status, fine in rows]


def _claims(verdict: Verdict) -> tuple[str, ...]:
    return find(verdict.method).card.assumes if verdict.answer == "use" else ()


def _rows(data: Domains, support: Support, chosen: Candidate, told: dict[str, Array], seed: int) -> dict[str, Any]:
    sure = confidence(chosen.model, data.Xt) if data.kind == "classification" else None
    useful = {k: v for k, v in told.items() if k not in GUESS.values()}
    return {
        "untrusted": untrusted(support.distance(data.Xt), support.threshold_, sure),
        "label_me": worth_labelling(disagreement(useful, data.kind), sure, seed),
    }


def _maps(
    candidates: list[Candidate], verdict: Verdict, standings: dict[str, Standing], data: Domains, seed: int
) -> dict[str, Array]:
    """Source and target as flat maps, before and after the method that the verdict speaks of (or the runner-up)."""
    rng = np.random.default_rng([seed, 4])
    s = np.sort(rng.permutation(len(data.Xs))[:DRAWN])
    t = np.sort(rng.permutation(len(data.Xt))[:DRAWN])
    arrays = dict(zip(("before_source", "before_target"), _flat(data.Xs[s], data.Xt[t]), strict=True))
    if data.kind == "classification":
        arrays["classes_source"] = np.searchsorted(data.classes, data.ys[s])
    key = verdict.method if verdict.answer == "use" else next(iter(ranking(standings)), "") if standings else ""
    shown = next((c for c in candidates if c.key == key and c.model is not None), None)
    if shown is None or shown.model is None:
        return arrays
    arrays["method"] = np.array(shown.name)
    if hasattr(shown.model.adapter_, "weights_"):
        return arrays | {"weights": shown.model.adapter_.weights_}
    Zs = shown.model.adapter_._see_source(data.Xs[s], data.sources[s])
    after = _flat(Zs, shown.model.adapter_._see_target(data.Xt[t]))
    return arrays | dict(zip(("after_source", "after_target"), after, strict=True))


def _flat(Zs: Array, Zt: Array) -> tuple[Array, Array]:
    """Both clouds on the two main axes of their union, in units of its spread, so that pictures share their axes."""
    Z = np.concatenate([Zs, Zt])
    k = min(2, *Z.shape)
    flat = np.zeros((len(Z), 2))
    flat[:, :k] = PCA(k, svd_solver="full").fit_transform(Z)
    flat /= max(float(flat.std()), np.finfo(float).tiny)
    return flat[: len(Zs)], flat[len(Zs) :]
