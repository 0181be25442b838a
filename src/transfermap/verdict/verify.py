"""The truth, once some target labels exist: scores with intervals, and whether the verdict was right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from transfermap.data.columns import coerce
from transfermap.measure.scores import accuracy_interval, bootstrap_interval, paired_difference
from transfermap.verdict.domains import Array
from transfermap.words import Note

FEW = 30


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


def verify(record: Mapping[str, Any], told: Mapping[str, Array], labels: Array) -> dict[str, Any]:
    """Score every method of a run on labelled target rows.

    Parameters
    ----------
    record : mapping
        The run's record.
    told : mapping of method key to array of shape (n,)
        Predictions for the labelled rows.
    labels : ndarray of shape (n,)
        Their true labels, spelled as the predictions are.

    Returns
    -------
    dict
        ``metric``, ``n``, ``rows`` (one a method: score and difference from source-only, with 95 % intervals),
        ``verdict_right`` (True, False, or None where the labels do not decide it) and ``notes``.
    """
    kind = record["task"]["kind"]
    metric = "accuracy" if kind == "classification" else "r2"
    if kind == "classification":
        told = {key: p.astype(str).astype(object) for key, p in told.items()}
    rows = [_row(entry, told, labels, metric) for entry in record["leaderboard"] if entry["method"] in told]
    right, why = _right(record, {r["method"]: r for r in rows})
    notes = [why, *_few(len(labels)), *_unknown(record, labels)]
    return {
        "score": metric,
        "metric": metric,
        "n": len(labels),
        "rows": rows,
        "verdict_right": right,
        "notes": [n.to_dict() for n in notes],
    }


def _row(entry: Mapping[str, Any], told: Mapping[str, Array], labels: Array, metric: Any) -> dict[str, Any]:
    mine, base = told[entry["method"]], told["sourceonly"]
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
