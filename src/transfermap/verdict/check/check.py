"""What differs between source and target, before any training, and what cannot be known without target labels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from transfermap.data.encode.encoder import TableEncoder
from transfermap.data.encode.text import AUTO
from transfermap.measure.shift.column_shift import (
    category_shift,
    false_discovery,
    number_shift,
    outside_support,
    rescaled,
)
from transfermap.measure.shift.domain_classifier import column_carry, domain_classifier
from transfermap.tasks.task import Task, duplicates
from transfermap.verdict.check.facts import Check, ColumnShift, Interval, TaskFacts
from transfermap.verdict.check.findings import (
    ALIKE,
    absent_words,
    columns_words,
    difference,
    outside_words,
    rescaled_columns,
    rescaled_words,
    shares_known,
    shares_words,
    table_words,
    unknowable,
)
from transfermap.verdict.check.sources import source_rows, source_words
from transfermap.verdict.check.target_classes import SIGNIFICANT, Classes, share_rows, shares_explain, target_classes
from transfermap.verdict.decide import Setting
from transfermap.verdict.encoded import MOST, Domains, encode, sample

# cells that the domain classifier looks at on either side: wide tables through fewer rows
WIDE = 1_000_000


class Compared(NamedTuple):
    """What a check found, and what of it bears on the verdict."""

    check: Check
    setting: Setting


def check(task: Task, seed: int = 0, text: str = AUTO) -> Check:
    """Compare the two tables of a task.

    Parameters
    ----------
    task : Task
    seed : int
        Large tables are looked at through a sample; the seed says which.
    text : str
        How sentences are read: "topics", the name of a pretrained text net, or "auto".

    Returns
    -------
    Check
    """
    encoder, data = encode(task, seed, text)
    return check_encoded(task, encoder, data, seed).check


def check_encoded(task: Task, encoder: TableEncoder, data: Domains, seed: int) -> Compared:
    """As :func:`check`, where the encoding has been done already."""
    # threads gain little on samples of this size, and lose much where the processors are busy with other things
    with threadpool_limits(1):
        return _compared(task, encoder, data, seed)


class Look(NamedTuple):
    """How well the tables can be told apart, what can be guessed of the target's classes, and whether a change of their
    shares alone explains the difference."""

    auc: Interval
    classes: Classes | None
    only_shares: bool

    @property
    def setting(self) -> Setting:
        """What of it bears on the verdict; the target's class shares where they are known, else the source's."""
        side = "target" if shares_known(self.auc, self.only_shares) else "source"
        likely = [getattr(row, side) for row in share_rows(self.classes)]
        return Setting(self.auc.value, self.auc.low, self.only_shares, likely)


def first_look(data: Domains, seed: int) -> Look:
    """The domains as wholes."""
    Xs, Xt = sample(data.Xs, seed), sample(data.Xt, seed + 1)
    predicted = domain_classifier(Xs, Xt, seed, most=max(1000, min(MOST, WIDE // Xs.shape[1])))
    auc = Interval(predicted.auc, predicted.low, predicted.high)
    classes = target_classes(data, seed, MOST)
    shares = None if classes is None else classes.shares
    return Look(auc, classes, shares is not None and shares_explain(data, shares, auc, ALIKE, seed))


def _compared(task: Task, encoder: TableEncoder, data: Domains, seed: int) -> Compared:
    Xs, Xt = sample(data.Xs, seed), sample(data.Xt, seed + 1)
    look = first_look(data, seed)
    auc, classes, only_shares = look
    shares = None if classes is None else classes.shares
    columns = _columns(task, encoder, Xs, Xt, seed)
    outside = float(outside_support(Xs, Xt, seed).mean())
    shared = duplicates(task)
    sources = source_rows(data, task.source_names, seed)
    measured = [] if only_shares or task.images is not None else rescaled_columns(columns)
    notes = (
        *difference(auc, columns),
        *columns_words(columns),
        *rescaled_words(measured),
        *outside_words(outside),
        *shares_words(shares, only_shares, auc),
        *absent_words(classes, shares_known(auc, only_shares)),
        *source_words(sources),
        *table_words(task, shared),
        *unknowable(task),
    )
    found = Check(
        notes=notes,
        reading=(*task.notes, *encoder.notes),
        auc=auc,
        columns=tuple(columns),
        outside=outside,
        shares=share_rows(classes),
        sources=sources,
        only_shares=only_shares,
        duplicates=shared,
        task=describe(task, data),
    )
    return Compared(found, look.setting._replace(rescaled=tuple(measured)))


def describe(task: Task, data: Domains) -> TaskFacts:
    """The task in plain facts, for the record."""
    return TaskFacts(
        label=task.label,
        kind=task.kind,
        classes=tuple(str(c) for c in data.classes) or None,
        n_source=len(task.source),
        n_target=len(task.target),
        source_names=tuple(task.source_names),
        target_name=task.target_name,
        columns=task.source.shape[1],
        features=data.Xs.shape[1],
        label_style=task.label_style,
    )


def _columns(task: Task, encoder: TableEncoder, Xs: Any, Xt: Any, seed: int) -> list[ColumnShift]:
    """One row a table column: how far it has moved, and how well it alone tells the tables apart."""
    carried = {c.column: c for c in column_carry(Xs, Xt, encoder.origin_, seed)}
    rows = [_column(task, name, kind) for name, kind in encoder.kinds_.items() if name in task.target]
    for row in rows:
        carry = carried.get(row["column"])
        row["carries"] = None if carry is None else carry.auc
        if row["p"] is None and carry is not None:  # text and the like: only the domain classifier can judge it
            row["p"], row["shift"] = carry.p_value, max(0.0, 2 * carry.auc - 1)
    adjusted = false_discovery([np.nan if r["p"] is None else r["p"] for r in rows])
    for row, p in zip(rows, adjusted, strict=True):
        row["p"] = None if np.isnan(p) else float(p)
        row["significant"] = bool(p <= SIGNIFICANT)
    found = [ColumnShift(**row) for row in rows]
    return sorted(found, key=lambda c: (not c.significant, -(c.shift or 0.0), c.column))


def _column(task: Task, name: str, kind: str) -> dict[str, Any]:
    row: dict[str, Any] = {"column": name, "kind": kind, "shift": None, "p": None, "detail": {}}
    if kind not in ("number", "date", "flag", "category"):
        gaps = (float(side[name].isna().mean()) for side in (task.source, task.target))
        return row | dict(zip(("missing_source", "missing_target"), gaps, strict=True))
    assert task.cells.target is not None
    xs, xt = task.cells.source[name], task.cells.target[name]
    return row | (_number(xs, xt) if kind in ("number", "date") else _category(xs, xt))


def _number(xs: pd.Series[Any], xt: pd.Series[Any]) -> dict[str, Any]:
    as_numbers = [_days(x) for x in (xs, xt)]
    found = number_shift(*as_numbers)
    line = rescaled(*as_numbers)
    same = line is not None and line.p_value > SIGNIFICANT and line.ks < found.ks / 2
    return {
        "shift": _known(found.ks),
        "p": _known(min(found.p_value, found.missing_p_value)),
        "missing_source": found.missing_source,
        "missing_target": found.missing_target,
        "detail": {
            "mean_difference": _known(found.mean_difference),
            "spread_ratio": _known(found.spread_ratio),
            "wasserstein": _known(found.wasserstein),
            **({"stretch": line.stretch, "move": line.move} if line is not None and same else {}),
        },
    }


def _days(x: pd.Series[Any]) -> Any:
    if not pd.api.types.is_datetime64_any_dtype(x):
        return x.to_numpy(dtype=float)
    return ((x - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)).to_numpy(dtype=float)


def _category(cs: pd.Series[Any], ct: pd.Series[Any]) -> dict[str, Any]:
    found = category_shift(cs.astype(object), ct.astype(object))
    return {
        "shift": _known(found.total_variation),
        "p": _known(min(found.p_value, found.missing_p_value)),
        "missing_source": found.missing_source,
        "missing_target": found.missing_target,
        "detail": {"unseen_share": _known(found.unseen_share), "unseen": [str(v) for v in found.unseen[:20]]},
    }


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
