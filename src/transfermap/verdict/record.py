"""The record of an investigation in plain values: the leaderboard, the verdict in words, the assumptions, the maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from transfermap.messages import Note
from transfermap.tasks.task import Task
from transfermap.verdict.assessment import Judgement, predicted_shares
from transfermap.verdict.check.check import Check
from transfermap.verdict.decide import Verdict, ranking
from transfermap.verdict.encoded import Array, Domains
from transfermap.verdict.ensembles import card_of
from transfermap.verdict.evidence import RESAMPLES, Candidate, interval, steadiness
from transfermap.verdict.meta_model import Foreseen, shipped

DRAWN = 600


def leaderboard(
    candidates: list[Candidate], judged: Judgement, data: Domains, predicted: dict[str, Array]
) -> list[dict[str, Any]]:
    order = {key: i for i, key in enumerate(lined_up(judged))}
    place = {"baseline": 0, "candidate": 1}
    lined = sorted(
        candidates, key=lambda c: (place[c.role], order.get(c.key, len(order)) if c.role == "candidate" else 0)
    )
    return [_row(c, judged, data, predicted) for c in lined]


def lined_up(judged: Judgement) -> list[str]:
    """Keys, best first: by the gain that is foreseen where one is, by the votes otherwise."""
    if not judged.standings:
        return []
    order = ranking(judged.standings)
    return sorted(order, key=lambda k: -judged.foreseen[k].gain if k in judged.foreseen else 0.0)


def _row(c: Candidate, judged: Judgement, data: Domains, predicted: dict[str, Array]) -> dict[str, Any]:
    stand, foreseen = judged.standings.get(c.key), judged.foreseen.get(c.key)
    row: dict[str, Any] = {"method": c.key, "name": c.name, "role": c.role, "status": c.status, "note": None}
    row["seconds"] = round(c.seconds, 3)
    if c.status != "ok":
        code = "verdict.skipped" if c.status == "skipped" else "verdict.failed"
        return row | {"note": Note(code, "warn", {"method": c.name, "fault": c.fault}).to_dict()}
    row["evidence"] = {v: interval(values) for v, values in c.scores.items() if v != "ess"}
    row |= {
        "ess": float(np.mean(c.scores["ess"])),
        "agreement": steadiness(c),
        "changed": _changed(c.key, predicted, data),
    }
    if data.kind == "classification":
        row["shares"] = predicted_shares(predicted[c.key], data)
        row["dropped"] = _dropped(row["shares"], predicted_shares(predicted["sourceonly"], data))
    if foreseen is not None:
        row["foreseen"] = foreseen._asdict()
        row["evidence"]["foreseen"] = _expected(foreseen, c.key == "sourceonly")
    if stand is not None:
        for v, gain in stand.gains.items():
            row["evidence"][v] |= {"gain": gain["value"], "gain_low": gain["low"], "gain_high": gain["high"]}
        backed = judged.backs(c.key)
        votes = stand.votes if foreseen is None else {"foreseen": _leaning(foreseen), **stand.votes}
        row |= {"votes": dict(votes), "supported": backed, "risk": not backed}
        row["reasons"] = [n.to_dict() for n in (*stand.vetoes, *_harm(c, judged))]
    return row


def _expected(found: Foreseen, plain: bool) -> dict[str, float]:
    """What is foreseen, as the validators' scores are kept; source-only has no gain over itself."""
    scored = {"value": found.score, "low": found.score_low, "high": found.score_high}
    return scored | ({} if plain else {"gain": found.gain, "gain_low": found.gain_low, "gain_high": found.gain_high})


def _leaning(found: Foreseen) -> str:
    least = shipped().least
    return "better" if found.net >= least else "worse" if found.net <= -least else "even"


def _harm(c: Candidate, judged: Judgement) -> list[Note]:
    behind = [v for v, vote in judged.standings[c.key].votes.items() if vote == "worse"]
    if behind:
        return [Note("verdict.behind", "stop", {"method": c.name, "validators": behind})]
    return [] if judged.backs(c.key) else [Note("verdict.harm", "warn", {"method": c.name})]


def _changed(key: str, predicted: dict[str, Array], data: Domains) -> float:
    """Share of target predictions unlike source-only's; for numbers, moved by over a tenth of the labels' spread."""
    if data.kind == "classification":
        return float(np.mean(predicted[key] != predicted["sourceonly"]))
    return float(np.mean(np.abs(predicted[key] - predicted["sourceonly"]) > 0.1 * np.std(data.ys)))


def _dropped(here: dict[str, float], base: dict[str, float]) -> list[str]:
    return [c for c, share in base.items() if share >= 0.01 and here[c] < 0.1 * share]


def spoken(
    judged: Judgement,
    model: str,
    method: str | Sequence[str],
    candidates: list[Candidate],
    predicted: dict[str, Array],
    resamples: int,
) -> dict[str, Any]:
    verdict, standings = judged.verdict, judged.standings
    names = {c.key: c.name for c in candidates}
    reasons = list(verdict.reasons)
    doubtful = model in standings and not judged.backs(model)
    if doubtful:
        reasons += [*standings[model].vetoes, *_harm(next(c for c in candidates if c.key == model), judged)]
    if verdict.answer == "use" and card_of(verdict.method).family == "baseline":
        reasons.append(Note("verdict.no_transfer", "warn", {"method": names[verdict.method]}))
    if model in standings and "torch" in card_of(model).needs and "erm" not in names:
        reasons.append(Note("verdict.net_alone", "warn", {"method": names[model]}))
    changed = float(np.mean(predicted[model] != predicted["sourceonly"])) if model in predicted else 0.0
    if verdict.answer == "use" and predicted[model].dtype.kind != "f" and changed > 0.3:
        reasons.append(Note("verdict.changes_much", "warn", {"method": names[model], "share": changed}))
    if model != (verdict.method if verdict.answer == "use" else "sourceonly"):
        reasons.append(Note("verdict.named", "warn", {"method": names[model]}))
    if any("abstains" in s.votes.values() for s in standings.values()):
        reasons.append(Note("verdict.abstains"))
    reasons.append(
        Note("verdict.resampled" if resamples == RESAMPLES else "verdict.budget", "info", {"resamples": resamples})
    )
    risk = verdict.risk or doubtful
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
        (Note("assumptions.same_task", "info", {"label": task.label}), "asserted", None),
        (Note("assumptions.same_columns"), "asserted", None),
        (Note("assumptions.same_meaning", "warn", {"label": task.label}), "unknowable", None),
        *[(Note("assumptions.method", "info", {"claim": claim}), "unknowable", None) for claim in _claims(verdict)],
    ]
    return [{"note": note.to_dict(), "status": status, "fine": fine} for note, status, fine in rows]


def _claims(verdict: Verdict) -> tuple[str, ...]:
    return card_of(verdict.method).assumes if verdict.answer == "use" else ()


def maps(candidates: list[Candidate], judged: Judgement, data: Domains, seed: int) -> dict[str, Array]:
    """Source and target as flat maps, before and after the method that the verdict speaks of (or the runner-up)."""
    rng = np.random.default_rng([seed, 4])
    s = np.sort(rng.permutation(len(data.Xs))[:DRAWN])
    t = np.sort(rng.permutation(len(data.Xt))[:DRAWN])
    arrays = dict(zip(("before_source", "before_target"), _flat(data.Xs[s], data.Xt[t]), strict=True))
    if data.kind == "classification":
        arrays["classes_source"] = np.searchsorted(data.classes, data.ys[s])
    verdict = judged.verdict
    key = verdict.method if verdict.answer == "use" else next(iter(lined_up(judged)), "")
    shown = next((c for c in candidates if c.key == key and c.model is not None), None)
    if shown is None or shown.model is None:
        return arrays
    arrays["method"] = np.array(shown.name)
    if shown.joins:
        return arrays
    adapter = shown.model.adapter_
    if hasattr(adapter, "weights_"):
        return arrays | {"weights": adapter.weights_}
    if hasattr(adapter, "source_weights"):
        arrays["weights"] = adapter.source_weights(data.source.read_by(adapter))
    if hasattr(adapter, "history_"):
        arrays |= curves(adapter.history_)
        after = _flat(*(adapter.features(side.read_by(adapter)[i]) for side, i in ((data.source, s), (data.target, t))))
    else:
        after = _flat(adapter._see_source(data.Xs[s], data.sources[s]), adapter._see_target(data.Xt[t]))
    return arrays | dict(zip(("after_source", "after_target"), after, strict=True))


def curves(history: list[dict[str, float]]) -> dict[str, Array]:
    """What training noted: ``curve_names`` (k,) and ``curves`` (points, 1 + k), steps first; nan where nothing was."""
    names = list(dict.fromkeys(name for point in history for name in point if name not in ("step", "seconds")))
    table = [[point["step"], *(point.get(name, np.nan) for name in names)] for point in history]
    return {"curve_names": np.array(names), "curves": np.array(table, dtype=float)}


def _flat(Zs: Array, Zt: Array) -> tuple[Array, Array]:
    """Both clouds on the two main axes of their union, in units of its spread, so that images share their axes."""
    Z = np.concatenate([Zs, Zt])
    k = min(2, *Z.shape)
    flat = np.zeros((len(Z), 2))
    flat[:, :k] = PCA(k, svd_solver="full").fit_transform(Z)
    flat /= max(float(flat.std()), np.finfo(float).tiny)
    return flat[: len(Zs)], flat[len(Zs) :]
