"""The leaderboard: a row a candidate, with the evidence for it and what speaks against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from transfermap.messages import Note
from transfermap.verdict.assessment import Judgement, predicted_shares
from transfermap.verdict.decide import ranking
from transfermap.verdict.encoded import Array, Domains
from transfermap.verdict.evidence import Candidate, interval, steadiness
from transfermap.verdict.meta_model import shipped
from transfermap.verdict.record import META_MODEL, Evidence, PredictedGain, Row, Vote


def leaderboard(
    candidates: list[Candidate], judged: Judgement, data: Domains, predicted: Mapping[str, Array]
) -> tuple[Row, ...]:
    """Guessing and the baselines, then the candidates, best first."""
    order = {key: i for i, key in enumerate(ranked(judged))}
    place = {"baseline": 0, "candidate": 1}
    lined = sorted(
        candidates, key=lambda c: (place[c.role], order.get(c.key, len(order)) if c.role == "candidate" else 0)
    )
    return tuple(_row(c, judged, data, predicted) for c in lined)


def ranked(judged: Judgement) -> list[str]:
    """Keys, best first: by the predicted gain where there is one, by the votes otherwise."""
    if not judged.assessments:
        return []
    order = ranking(judged.assessments)
    return sorted(order, key=lambda k: -judged.predicted_gains[k].gain if k in judged.predicted_gains else 0.0)


def _row(c: Candidate, judged: Judgement, data: Domains, predicted: Mapping[str, Array]) -> Row:
    row = Row(c.key, c.name, c.role, c.status, round(c.seconds, 3))
    if c.status != "ok":
        code = "verdict.skipped" if c.status == "skipped" else "verdict.failed"
        return replace(row, note=Note(code, "warn", {"method": c.name, "fault": c.fault}))
    row = replace(
        row,
        evidence={v: Evidence(**interval(values)) for v, values in c.scores.items() if v != "ess"},
        ess=float(np.mean(c.scores["ess"])),
        agreement=steadiness(c),
        changed=_changed(c.key, predicted, data),
    )
    return _held_to_rivals(_with_shares(row, data, predicted), judged)


def _with_shares(row: Row, data: Domains, predicted: Mapping[str, Array]) -> Row:
    """With the class shares that it predicts, and the classes that source-only predicts and it hardly does."""
    if data.kind != "classification":
        return row
    here, base = (predicted_shares(predicted[key], data) for key in (row.method, "sourceonly"))
    lost = tuple(c for c, share in base.items() if share >= 0.01 and here[c] < 0.1 * share)
    return replace(row, shares=here, dropped=lost)


def _held_to_rivals(row: Row, judged: Judgement) -> Row:
    """With what it gains over source-only, by each validator and by the meta-model."""
    stand, predicted = judged.assessments.get(row.method), judged.predicted_gains.get(row.method)
    evidence = dict(row.evidence)
    votes: dict[str, Vote] = {}
    if predicted is not None:
        evidence[META_MODEL] = _expected(predicted, row.method == "sourceonly")
        votes[META_MODEL] = _vote(predicted)
    if stand is None:
        return replace(row, evidence=evidence, predicted_gain=predicted)
    for v, gain in stand.gains.items():
        evidence[v] = replace(evidence[v], gain=gain["value"], gain_low=gain["low"], gain_high=gain["high"])
    supported = judged.is_supported(row.method)
    return replace(
        row,
        evidence=evidence,
        predicted_gain=predicted,
        votes={**votes, **stand.votes},
        supported=supported,
        risk=not supported,
        reasons=(*stand.vetoes, *harm(row.method, row.name, judged)),
    )


def _expected(found: PredictedGain, plain: bool) -> Evidence:
    """What the meta-model predicts, as the validators' scores are kept; source-only has no gain over itself."""
    score = (found.score, found.score_low, found.score_high)
    return Evidence(*score) if plain else Evidence(*score, found.gain, found.gain_low, found.gain_high)


def _vote(found: PredictedGain) -> Vote:
    least = shipped().least
    return "better" if found.net >= least else "worse" if found.net <= -least else "even"


def harm(key: str, name: str, judged: Judgement) -> list[Note]:
    """What warns of a candidate: validators that see it behind, or the want of support."""
    behind = [v for v, vote in judged.assessments[key].votes.items() if vote == "worse"]
    if behind:
        return [Note("verdict.behind", "stop", {"method": name, "validators": behind})]
    return [] if judged.is_supported(key) else [Note("verdict.harm", "warn", {"method": name})]


def _changed(key: str, predicted: Mapping[str, Array], data: Domains) -> float:
    """Share of target predictions unlike source-only's; for numbers, moved by over a tenth of the labels' spread."""
    if data.kind == "classification":
        return float(np.mean(predicted[key] != predicted["sourceonly"]))
    return float(np.mean(np.abs(predicted[key] - predicted["sourceonly"]) > 0.1 * np.std(data.ys)))
