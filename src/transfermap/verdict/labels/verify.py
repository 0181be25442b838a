"""The truth, once some target labels exist: scores with intervals, and whether the verdict was right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from transfermap.data.tables.columns import coerce
from transfermap.measure.scores import accuracy_interval, bootstrap_interval, paired_difference
from transfermap.messages import Note
from transfermap.verdict.check.facts import TaskFacts
from transfermap.verdict.encoded import Array
from transfermap.verdict.labels.choosing import LEADING
from transfermap.verdict.labels.posterior import Scores, posterior
from transfermap.verdict.labels.update import Normal, beliefs, combined, labels_needed, prior, updated
from transfermap.verdict.named_estimators import GUESS
from transfermap.verdict.record import FewLabelsRow, Oracle, Posterior, Record, Row, Truth, TruthRow, UpdatedVerdict

FEW = 30
Line = Row | FewLabelsRow
_NO_RIVALS = {"sourceonly", *GUESS.values()}


def target_truth(values: pd.Series[Any], task: TaskFacts) -> tuple[Array, Array]:
    """Labels as the run's models give them, and which of the rows have one.

    Raises
    ------
    ValueError
        If no row has a label, or a regression label is no number.
    """
    text = coerce(values, "category").to_numpy(dtype=object)
    there = text != ""
    if not there.any():
        raise ValueError(f"the column {task.label!r} is empty: no row has a label yet")
    if task.kind == "regression":
        numbers = coerce(values[there], "number", task.label_style or None).to_numpy(dtype=float)
        if np.isnan(numbers).any():
            raise ValueError(f"{int(np.isnan(numbers).sum())} labels are no numbers; this run predicts a number")
        return numbers, there
    return text[there], there


def verify(
    record: Record,
    predicted: Mapping[str, Array],
    labels: Array,
    target: Mapping[str, Array] | None = None,
    proposed: bool = False,
) -> Truth:
    """Score every method of a run on labelled target rows, and say what follows for the verdict.

    Parameters
    ----------
    record : Record
    predicted : mapping of method key to array of shape (n,)
        Predictions for the labelled rows.
    labels : ndarray of shape (n,)
        Their true labels, spelled as the predictions are.
    target : mapping of method key to array of shape (N,), default=None
        Predictions for all target rows; None: they are not known.
    proposed : bool
        Whether the rows are among those that the run proposed, and count as they were drawn; otherwise they are a
        simple random sample of the target.
    """
    kind = record.task.kind
    metric = "accuracy" if kind == "classification" else "r2"
    known: tuple[Line, ...] = (*record.leaderboard, *record.few_labels)
    lines = [line for line in known if line.method in predicted]
    predicted = _comparable({line.method: predicted[line.method] for line in lines}, kind)
    leaders = among(record.label_design.leaders, predicted)
    scores = posterior(predicted, labels, leaders, kind, None if target is None else _comparable(target, kind))
    base = list(predicted).index("sourceonly")
    rows = [
        _estimated(line, scores, j, base) if proposed else _row(line, predicted, labels, metric)
        for j, line in enumerate(lines)
    ]
    right, why = _right(record, {row.method: row for row in rows})
    priors = {row.method: prior(row.predicted_gain) for row in record.leaderboard}
    rows, now = _update(rows, priors, scores.drawn, leaders, len(labels), record.task.n_target - len(labels))
    notes = (why, *_few(len(labels)), *_drawn(record, proposed), *_unknown(record, labels))
    return Truth(metric, len(labels), tuple(rows), right, now, notes)


def _comparable(predicted: Mapping[str, Array], kind: str) -> dict[str, Array]:
    return {k: p.astype(str).astype(object) if kind == "classification" else p for k, p in predicted.items()}


def leading(leaderboard: Sequence[Row], method: str, predicted: Mapping[str, Array]) -> list[str]:
    """The candidates that lead without labels: the verdict's ``method``, then as the leaderboard has them."""
    order = sorted(leaderboard, key=lambda row: row.role == "baseline")
    return among([method, *(row.method for row in order)], predicted)


def among(named: Sequence[str], predicted: Mapping[str, Array]) -> list[str]:
    """The first of the named that are candidates and have predictions."""
    return [key for key in dict.fromkeys(named) if key in predicted and key not in _NO_RIVALS][:LEADING]


def _update(
    rows: list[TruthRow],
    priors: Mapping[str, Normal | None],
    drawn: Array,
    leaders: Sequence[str],
    n: int,
    left: int,
) -> tuple[list[TruthRow], UpdatedVerdict | None]:
    """Each method's row with its posterior, and the updated verdict. Guessing is no method, and has none."""
    if not leaders:
        return rows, None
    base = next(j for j, row in enumerate(rows) if row.method == "sourceonly")
    rivals = [j for j, row in enumerate(rows) if row.method not in _NO_RIVALS]
    alone = [drawn[:, j] - drawn[:, base] for j in rivals]
    gains = [combined(gain, priors.get(rows[j].method)) for j, gain in zip(rivals, alone, strict=True)]
    found, base_best = beliefs(np.column_stack(gains))
    rows = list(rows)
    for j, mine, both, belief in zip(rivals, alone, gains, found, strict=True):
        needs = labels_needed(Normal.of(both), Normal.of(mine), n)
        rows[j] = replace(rows[j], posterior=Posterior(**belief, needs=needs))
    return rows, updated([rows[j] for j in rivals], leaders, base_best, left)


def _estimated(line: Line, scores: Scores, j: int, base: int) -> TruthRow:
    """Score and gain on all target rows, from labels on rows that were drawn stratum by stratum."""
    own, gain = scores.drawn[:, j], scores.drawn[:, j] - scores.drawn[:, base]
    points = (scores.point[j], scores.point[j] - scores.point[base])
    (value, gained) = (_around(float(point), drawn) for point, drawn in zip(points, (own, gain), strict=True))
    return TruthRow(line.method, line.name, line.role, *value, *gained)


def _around(point: float, drawn: Array) -> tuple[float, float, float]:
    """The estimate and its 95 % interval, which holds it."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return point, min(float(low), point), max(float(high), point)


def _row(line: Line, predicted: Mapping[str, Array], labels: Array, metric: Any) -> TruthRow:
    mine, base = predicted[line.method], predicted["sourceonly"]
    if metric == "accuracy":
        scored = accuracy_interval(int(np.sum(mine == labels)), len(labels))
    else:
        scored = bootstrap_interval(labels, mine, metric)
    gain = paired_difference(labels, mine, base, metric)
    numbers = (scored.value, scored.low, scored.high, gain.value, gain.low, gain.high)
    return TruthRow(line.method, line.name, line.role, *numbers)


def _right(record: Record, rows: Mapping[str, TruthRow]) -> tuple[bool | None, Note]:
    """Right: what was recommended is not beaten beyond chance; for "use", it must also beat source-only."""
    answer, method = record.verdict.answer, record.verdict.method
    best = max((row for row in rows.values() if row.method != "sourceonly"), key=lambda row: row.value)
    asked = rows[method] if answer == "use" else best
    values = {"method": asked.name, "gain": asked.gain, "low": asked.gain_low, "high": asked.gain_high}
    if answer == "use":
        if asked.gain_low > 0:
            return True, Note("verify.helped", "info", values)
        if asked.gain_high < 0:
            return False, Note("verify.harmed", "stop", values)
        return None, Note("verify.undecided", "warn", values)
    missed = best.gain_low > 0
    if answer == "unknown":
        return None, Note("verify.would_help" if missed else "verify.would_not", "info", values)
    return (False, Note("verify.missed", "warn", values)) if missed else (True, Note("verify.stayed", "info", values))


def _few(n: int) -> list[Note]:
    return [Note("verify.few", "warn", {"n": n})] if n < FEW else []


def _drawn(record: Record, proposed: bool) -> list[Note]:
    return [Note("verify.weighted", "info", {"n": record.task.n_target})] if proposed else []


def _unknown(record: Record, labels: Array) -> list[Note]:
    if record.task.kind == "regression":
        return []
    strange = sorted(set(labels.tolist()) - set(record.task.classes or ()))
    return [Note("verify.strange", "warn", {"classes": strange})] if strange else []


def with_truth(record: Record, truth: Truth) -> Record:
    """The record with the truth in it, each method's row carrying its *oracle* score."""
    oracle = {row.method: Oracle(row.value, row.low, row.high, truth.n) for row in truth.rows}
    rows = tuple(replace(row, oracle=oracle.get(row.method, row.oracle)) for row in record.leaderboard)
    return replace(record, leaderboard=rows, truth=truth)
