"""The truth, once some target labels exist: scores with intervals, and whether the verdict was right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from transfermap.data.tables.columns import coerce
from transfermap.measure.scores import accuracy_interval, bootstrap_interval, paired_difference
from transfermap.messages import Note
from transfermap.verdict.encoded import Array
from transfermap.verdict.labels.choosing import LEADING
from transfermap.verdict.labels.posterior import Scores, posterior
from transfermap.verdict.labels.update import Normal, beliefs, combined, foreseen, labels_needed, updated
from transfermap.verdict.named_estimators import GUESS

FEW = 30
_NO_RIVALS = {"sourceonly", *GUESS.values()}
_GAIN = ("gain", "gain_low", "gain_high")


def target_truth(values: pd.Series[Any], record: Mapping[str, Any]) -> tuple[Array, Array]:
    """Labels as the run's models give them, and which of the rows have one.

    Raises
    ------
    ValueError
        If no row has a label, or a regression label is no number.
    """
    text = coerce(values, "category").to_numpy(dtype=object)
    there = text != ""
    if not there.any():
        raise ValueError(f"the column {record['task']['label']!r} is empty: no row has a label yet")
    if record["task"]["kind"] == "regression":
        numbers = coerce(values[there], "number", record["task"].get("label_style") or None).to_numpy(dtype=float)
        if np.isnan(numbers).any():
            raise ValueError(f"{int(np.isnan(numbers).sum())} labels are no numbers; this run predicts a number")
        return numbers, there
    return text[there], there


def verify(
    record: Mapping[str, Any],
    predicted: Mapping[str, Array],
    labels: Array,
    target: Mapping[str, Array] | None = None,
    proposed: bool = False,
) -> dict[str, Any]:
    """Score every method of a run on labelled target rows, and say what follows for the verdict.

    Parameters
    ----------
    record : mapping
        The run's record.
    told : mapping of method key to array of shape (n,)
        Predictions for the labelled rows.
    labels : ndarray of shape (n,)
        Their true labels, spelled as the predictions are.
    target : mapping of method key to array of shape (N,), default=None
        Predictions for all target rows; None: they are not known.
    proposed : bool
        Whether the rows are among those that the run proposed, and count as they were drawn; otherwise they are a
        simple random sample of the target.

    Returns
    -------
    dict
        ``metric``, ``n``, ``rows`` (one a method: score and difference from source-only on all target rows, with 95 %
        intervals, and ``posterior``, see :func:`transfermap.verdict.labels.update.beliefs`), ``verdict_right`` (True,
        False, or None where the labels do not decide it), ``updated`` (the verdict that labels and what was foreseen
        support now; None where there is no method but source-only) and ``notes``.
    """
    kind = record["task"]["kind"]
    metric = "accuracy" if kind == "classification" else "r2"
    lines = [line for line in (*record["leaderboard"], *record.get("few", ())) if line["method"] in predicted]
    predicted = _comparable({line["method"]: predicted[line["method"]] for line in lines}, kind)
    leaders = leading(record, predicted)
    scores = posterior(predicted, labels, leaders, kind, None if target is None else _comparable(target, kind))
    base = list(predicted).index("sourceonly")
    rows = [
        _estimated(line, scores, j, base) if proposed else _row(line, predicted, labels, metric)
        for j, line in enumerate(lines)
    ]
    left = record["task"].get("n_target", np.inf) - len(labels)
    now = _update(rows, lines, scores.drawn, leaders, len(labels), left)
    right, why = _right(record, {r["method"]: r for r in rows})
    notes = [why, *_few(len(labels)), *_drawn(record, proposed), *_unknown(record, labels)]
    return {
        "score": metric,
        "metric": metric,
        "n": len(labels),
        "rows": rows,
        "verdict_right": right,
        "updated": now,
        "notes": [n.to_dict() for n in notes],
    }


def _comparable(predicted: Mapping[str, Array], kind: str) -> dict[str, Array]:
    return {k: p.astype(str).astype(object) if kind == "classification" else p for k, p in predicted.items()}


def leading(record: Mapping[str, Any], predicted: Mapping[str, Array]) -> list[str]:
    """The candidates that led before there were labels: those whose rows were proposed, or first on the leaderboard."""
    named = record.get("label_design", {}).get("leaders")
    if named is None:
        order = sorted(record["leaderboard"], key=lambda line: line["role"] == "baseline")
        named = [record["verdict"]["method"], *(line["method"] for line in order)]
    return [key for key in dict.fromkeys(named) if key in predicted and key not in _NO_RIVALS][:LEADING]


def _update(
    rows: list[dict[str, Any]],
    lines: Sequence[Mapping[str, Any]],
    drawn: Array,
    leaders: Sequence[str],
    n: int,
    left: float,
) -> dict[str, Any] | None:
    """The updated verdict; each method's row is given its posterior. Guessing is no method, and has none."""
    base = next(j for j, row in enumerate(rows) if row["method"] == "sourceonly")
    rivals = [j for j, row in enumerate(rows) if row["method"] not in _NO_RIVALS]
    if not leaders:
        return None
    alone = [drawn[:, j] - drawn[:, base] for j in rivals]
    gains = [combined(gain, foreseen(lines[j])) for j, gain in zip(rivals, alone, strict=True)]
    found, base_best = beliefs(np.column_stack(gains))
    for j, mine, both, belief in zip(rivals, alone, gains, found, strict=True):
        rows[j]["posterior"] = belief | {"needs": labels_needed(Normal.of(both), Normal.of(mine), n)}
    return updated([rows[j] for j in rivals], leaders, base_best, left)


def _estimated(line: Mapping[str, Any], scores: Scores, j: int, base: int) -> dict[str, Any]:
    """Score and gain on all target rows, from labels on rows that were drawn stratum by stratum."""
    row: dict[str, Any] = {key: line[key] for key in ("method", "name", "role")}
    own, gain = scores.drawn[:, j], scores.drawn[:, j] - scores.drawn[:, base]
    points = (scores.point[j], scores.point[j] - scores.point[base])
    for parts, point, drawn in zip((("value", "low", "high"), _GAIN), points, (own, gain), strict=True):
        low, high = np.quantile(drawn, [0.025, 0.975])
        row |= zip(parts, map(float, (point, min(low, point), max(high, point))), strict=True)
    return row


def _row(entry: Mapping[str, Any], predicted: Mapping[str, Array], labels: Array, metric: Any) -> dict[str, Any]:
    mine, base = predicted[entry["method"]], predicted["sourceonly"]
    if metric == "accuracy":
        scored = accuracy_interval(int(np.sum(mine == labels)), len(labels))
    else:
        scored = bootstrap_interval(labels, mine, metric)
    gain = paired_difference(labels, mine, base, metric)
    return {
        "method": entry["method"],
        "name": entry["name"],
        "role": entry["role"],
        "value": scored.value,
        "low": scored.low,
        "high": scored.high,
        "gain": gain.value,
        "gain_low": gain.low,
        "gain_high": gain.high,
    }


def _right(record: Mapping[str, Any], rows: Mapping[str, dict[str, Any]]) -> tuple[bool | None, Note]:
    """Right: what was recommended is not beaten beyond chance; for "use", it must also beat source-only."""
    answer, method = record["verdict"]["answer"], record["verdict"]["method"]
    rivals = [r for r in rows.values() if r["method"] != "sourceonly"]
    best = max(rivals, key=lambda r: r["value"])
    if answer == "use":
        gain = rows[method]
        values = {"method": gain["name"], "gain": gain["gain"], "low": gain["gain_low"], "high": gain["gain_high"]}
        if gain["gain_low"] > 0:
            return True, Note("verify.helped", "info", values)
        if gain["gain_high"] < 0:
            return False, Note("verify.harmed", "stop", values)
        return None, Note("verify.undecided", "warn", values)
    values = {"method": best["name"], "gain": best["gain"], "low": best["gain_low"], "high": best["gain_high"]}
    missed = best["gain_low"] > 0
    if answer == "unknown":
        return None, Note("verify.would_help" if missed else "verify.would_not", "info", values)
    return (False, Note("verify.missed", "warn", values)) if missed else (True, Note("verify.stayed", "info", values))


def _few(n: int) -> list[Note]:
    return [Note("verify.few", "warn", {"n": n})] if n < FEW else []


def _drawn(record: Mapping[str, Any], proposed: bool) -> list[Note]:
    return [Note("verify.weighted", "info", {"n": record["task"]["n_target"]})] if proposed else []


def _unknown(record: Mapping[str, Any], labels: Array) -> list[Note]:
    if record["task"]["kind"] == "regression":
        return []
    strange = sorted(set(labels.tolist()) - set(record["task"]["classes"]))
    return [Note("verify.strange", "warn", {"classes": strange})] if strange else []


def with_truth(record: Mapping[str, Any], truth: Mapping[str, Any]) -> dict[str, Any]:
    """The record with the truth in it, each method's line carrying its *oracle* score."""
    oracle = {r["method"]: {k: r[k] for k in ("value", "low", "high")} | {"n": truth["n"]} for r in truth["rows"]}
    lines = [
        line | ({"oracle": oracle[line["method"]]} if line["method"] in oracle else {})
        for line in record["leaderboard"]
    ]
    return {**record, "leaderboard": lines, "truth": dict(truth)}
