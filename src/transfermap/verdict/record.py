"""The record of an investigation in plain values: the leaderboard, the verdict in words, the assumptions, the maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from transfermap.card import find
from transfermap.data.task import Task
from transfermap.verdict.check import Check
from transfermap.verdict.decide import Standing, Verdict, ranking
from transfermap.verdict.domains import Array, Domains
from transfermap.verdict.evidence import RESAMPLES, VALIDATORS, Candidate, interval, steadiness
from transfermap.words import Note

DRAWN = 600


def predicted_shares(predicted: Array, data: Domains) -> dict[str, float]:
    return {str(c): float(np.mean(predicted == c)) for c in data.classes}


def leaderboard(
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
        row["shares"] = predicted_shares(told[c.key], data)
        row["dropped"] = _dropped(row["shares"], predicted_shares(told["sourceonly"], data))
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


def spoken(
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
    if verdict.answer == "use" and find(verdict.method).card.family == "baseline":
        reasons.append(Note("verdict.no_transfer", "warn", {"method": names[verdict.method]}))
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


def ledger(task: Task, checked: Check, verdict: Verdict) -> list[dict[str, Any]]:
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


def maps(
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
    adapter = shown.model.adapter_
    if hasattr(adapter, "history_"):
        arrays |= curves(adapter.history_)
        after = _flat(adapter.features(data.Xs[s]), adapter.features(data.Xt[t]))
    else:
        after = _flat(adapter._see_source(data.Xs[s], data.sources[s]), adapter._see_target(data.Xt[t]))
    return arrays | dict(zip(("after_source", "after_target"), after, strict=True))


def curves(history: list[dict[str, float]]) -> dict[str, Array]:
    """What training noted: ``curve_names`` (k,) and ``curves`` (points, 1 + k), steps first; nan where nothing was."""
    names = list(dict.fromkeys(name for point in history for name in point if name not in ("step", "seconds")))
    table = [[point["step"], *(point.get(name, np.nan) for name in names)] for point in history]
    return {"curve_names": np.array(names), "curves": np.array(table, dtype=float)}


def _flat(Zs: Array, Zt: Array) -> tuple[Array, Array]:
    """Both clouds on the two main axes of their union, in units of its spread, so that pictures share their axes."""
    Z = np.concatenate([Zs, Zt])
    k = min(2, *Z.shape)
    flat = np.zeros((len(Z), 2))
    flat[:, :k] = PCA(k, svd_solver="full").fit_transform(Z)
    flat /= max(float(flat.std()), np.finfo(float).tiny)
    return flat[: len(Zs)], flat[len(Zs) :]
