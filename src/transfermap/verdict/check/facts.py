"""What a check finds: plain facts, kept as they are in the record of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from transfermap.card import TaskKind
from transfermap.data.plain_values import to_plain
from transfermap.messages import Note


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the two ends of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """Sizes and names of a task. ``columns`` are the tables', ``features`` what they are encoded as."""

    label: str
    kind: TaskKind
    classes: tuple[str, ...] | None
    n_source: int
    n_target: int
    source_names: tuple[str, ...]
    target_name: str
    columns: int
    features: int
    label_style: str = ""


@dataclass(frozen=True, slots=True)
class ColumnShift:
    """One table column: how far it has moved, whether beyond chance, and how well it alone tells the tables apart.

    ``shift`` lies in [0, 1] (Kolmogorov-Smirnov or total variation); ``p`` is adjusted for the number of columns;
    ``carries`` is the AUC of the domain classifier on this column; ``detail`` has what else is known of its kind.
    """

    column: str
    kind: str
    shift: float | None
    p: float | None
    significant: bool
    carries: float | None
    missing_source: float
    missing_target: float
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ClassShare:
    """A class's share in the source, an estimate of the target's with its interval, and whether it seems absent."""

    name: str
    source: float
    target: float
    low: float | None
    high: float | None
    absent: bool = False


@dataclass(frozen=True, slots=True)
class SourceWorth:
    """One of several sources (:func:`transfermap.verdict.check.sources.source_rows`)."""

    source: str
    rows: int
    effective: float
    useful: float
    low: float
    high: float
    quality: float
    distance: float


@dataclass(frozen=True, slots=True)
class Check:
    """The findings; ``to_dict`` is what ``--json`` shows.

    Attributes
    ----------
    notes : tuple of Note
        The findings in words, most important first.
    auc : Interval or None
        How well a classifier tells the two tables apart (95 %); 0.5 is not at all. None without a source.
    columns : tuple of ColumnShift
        One a table column, most shifted first.
    outside : float
        Share of the target's rows that lie where the source has none (about 0.01 without shift).
    task : TaskFacts
    shares : tuple of ClassShare
        Empty for numbers.
    sources : tuple of SourceWorth
        Where there are several, one a source, the most useful first.
    only_shares : bool
        Whether a change of the class shares alone explains the difference between the tables.
    duplicates : int
        Target rows that stand in the source too.
    reading : tuple of Note
        What was done to read the tables: columns left out, types, missing values ...
    """

    notes: tuple[Note, ...]
    auc: Interval | None
    columns: tuple[ColumnShift, ...]
    outside: float
    task: TaskFacts
    shares: tuple[ClassShare, ...] = ()
    sources: tuple[SourceWorth, ...] = ()
    only_shares: bool = False
    duplicates: int = 0
    reading: tuple[Note, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    def frame(self) -> pd.DataFrame:
        """The columns' shifts as a table, most shifted first."""
        return pd.DataFrame([to_plain(column) for column in self.columns])

    def __str__(self) -> str:
        return "\n".join(note.say() for note in self.notes)
