"""What a check found, as notes: most important first, and at the end what no look at the tables can tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from transfermap.data.plain_values import to_plain
from transfermap.measure.shift.label_shift import LabelShift
from transfermap.messages import Level, Note
from transfermap.tasks.task import Task
from transfermap.verdict.check.facts import ColumnShift, Interval
from transfermap.verdict.check.target_classes import Classes

# an AUC whose interval starts below this is as good as chance
ALIKE = 0.52
# from here on the tables differ clearly, which a change of the class shares alone seldom does
CLEAR = 0.65
_SEVERAL = 3


def difference(auc: Interval, columns: Sequence[ColumnShift]) -> list[Note]:
    """How far a classifier can tell the tables apart, and by which columns."""
    strong, level = _strength(auc)
    notes = [Note(f"check.{strong}", level, {k: round(v, 3) for k, v in to_plain(auc).items()})]
    carriers = sorted((c for c in columns if (c.carries or 0) > 0.55), key=lambda c: -(c.carries or 0))
    if carriers and strong != "same":
        notes.append(Note("check.carriers", "info", {"columns": [c.column for c in carriers[:6]]}))
    return notes


def _strength(auc: Interval) -> tuple[str, Level]:
    if auc.low <= ALIKE:
        return "same", "info"
    if auc.value < CLEAR:
        return "slight", "info"
    return ("clear", "warn") if auc.value < 0.9 else ("apart", "stop")


def columns_words(columns: Sequence[ColumnShift]) -> list[Note]:
    """Which columns have moved, lack cells on one side, or hold categories the source never shows."""
    moved = [c for c in columns if c.significant]
    notes = [Note("check.moved", "info", {"count": len(moved), "of": len(columns)})]
    gaps = [c.column for c in columns if abs(c.missing_source - c.missing_target) > 0.1]
    if gaps:
        notes.append(Note("check.gaps", "warn", {"columns": gaps}))
    unseen = [c for c in columns if c.detail.get("unseen_share")]
    for c in sorted(unseen, key=lambda c: -c.detail["unseen_share"])[:5]:
        share, names = c.detail["unseen_share"], c.detail["unseen"]
        notes.append(Note("check.unseen", "warn", {"column": c.column, "share": share, "categories": names}))
    return notes


def rescaled_columns(columns: Sequence[ColumnShift]) -> list[str]:
    """Columns of numbers that are the source's, moved and stretched: three at least, and half of those that have moved.

    So many of them hint at other instruments or units; on the meta-benchmark no real pair of tables has them.
    """
    moved = [c for c in columns if c.significant and c.kind == "number"]
    same = [c.column for c in moved if "stretch" in c.detail]
    return same if len(same) >= _SEVERAL and 2 * len(same) >= len(moved) else []


def rescaled_words(columns: Sequence[str]) -> list[Note]:
    """What such columns may mean, which only the reader can know."""
    return [Note("check.rescaled", "warn", {"count": len(columns), "columns": list(columns)})] if columns else []


def outside_words(outside: float) -> list[Note]:
    """Whether the target lies where the source has rows."""
    far = outside > 0.05
    return [Note("check.outside" if far else "check.inside", "warn" if far else "info", {"share": outside})]


def shares_known(auc: Interval, only_shares: bool) -> bool:
    """Whether the estimate of the class shares means anything: it takes all else to be equal."""
    return only_shares or auc.value < CLEAR


def shares_words(found: LabelShift | None, only_shares: bool, auc: Interval) -> list[Note]:
    """What can be said of the class shares."""
    if found is None:
        return []
    if only_shares:
        return [Note("check.only_shares", "warn")]
    worst = int(np.argmax(np.abs(found.target - found.source)))
    moved = found.low[worst] > found.source[worst] or found.high[worst] < found.source[worst]
    values = {"class_": str(found.classes[worst]), "source": found.source[worst], "target": found.target[worst]}
    values = {k: v if isinstance(v, str) else float(v) for k, v in values.items()}
    if not shares_known(auc, only_shares):
        return [Note("check.shares_unclear", "info", values)]
    return [Note("check.shares_moved", "warn", values)] if moved else [Note("check.shares_steady")]


def absent_words(found: Classes | None, known: bool) -> list[Note]:
    """Which of the source's classes the target seems to lack; a guess where the columns have moved (not ``known``)."""
    if found is None or not found.absent.any():
        return []
    names = [str(c) for c in found.shares.classes[found.absent]]
    return [
        Note("check.absent", "warn", {"classes": names})
        if known
        else Note("check.absent_unclear", "info", {"classes": names})
    ]


def table_words(task: Task, shared: int) -> list[Note]:
    """Rows that stand in both tables, and columns that give the label away."""
    notes = []
    if shared:
        level: Level = "stop" if shared == len(task.target) else "warn"
        notes.append(Note("check.duplicates", level, {"count": shared, "of": len(task.target)}))
    if task.leaks:
        notes.append(Note("check.leak", "stop", {"columns": list(task.leaks)}))
    return notes


def unknowable(task: Task) -> list[Note]:
    """What only target labels can show."""
    return [Note("check.unknowable", "info", {"label": task.label})]
