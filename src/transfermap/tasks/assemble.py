"""Tables laid together to a task: the label taken out, columns aligned, rows without label left out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from transfermap.data.tables.columns import settled
from transfermap.data.tables.labels import (
    TaskKind,
    as_labels,
    check_labels,
    column_called,
    kind_of_labels,
    label_style,
    missing,
)
from transfermap.data.tables.row_keys import giveaways
from transfermap.data.tables.spelling import spelled
from transfermap.messages import Note
from transfermap.tasks.align import common_columns, label_in_disguise, match_names, without_label
from transfermap.tasks.target_labels import known_labels

Array = np.ndarray[Any, np.dtype[Any]]
_FEW_ROWS = 20
_FEW_GROUPS = 3


class Raw(NamedTuple):
    """What comes in: source rows with their label and source number, target rows, known target labels."""

    source: pd.DataFrame
    domains: Array
    names: tuple[str, ...]
    target: pd.DataFrame
    known: pd.DataFrame | None
    label: str | int
    group: str | None


class Labelled(NamedTuple):
    """The label column's name and kind, how it is written, its values, and which rows have one."""

    name: str
    kind: TaskKind
    style: str
    values: Array
    there: Array


def assemble(raw: Raw, kind: TaskKind | None, notes: list[Note]) -> dict[str, Any]:
    """The fields of a :class:`transfermap.tasks.task.Task`.

    Raises
    ------
    ValueError
        If a row, a column or a second label value is wanting.
    """
    if not len(raw.target):
        raise ValueError("the target has no rows; expected at least two")
    label = _labelled(raw, kind, notes)
    source, target, groups = _features(raw, label, notes)
    if len(target) < 2:
        raise ValueError("the target has one row; expected at least two")
    domains, names = _renumbered(raw.domains[label.there], raw.names)
    values = label.values[label.there]
    notes += check_labels(values, label.kind, label.name, int((~label.there).sum()))
    if len(source) < _FEW_ROWS:
        notes.append(Note("task.few_source_rows", "warn", {"count": len(source)}))
    if len(target) < _FEW_ROWS:
        notes.append(Note("task.few_target_rows", "warn", {"count": len(target)}))
    if found := giveaways(source, values):
        notes.append(Note("task.leak", "warn", {"columns": found, "label": label.name}))
    truth = None if raw.known is None else _truth(raw.known, source, target, label, notes)
    fields = {"source": source, "labels": values, "target": target, "domains": domains, "kind": label.kind}
    more = {"label": label.name, "source_names": names, "groups": groups, "truth": truth, "notes": tuple(notes)}
    more["label_style"] = label.style
    return fields | more


def _labelled(raw: Raw, kind: TaskKind | None, notes: list[Note]) -> Labelled:
    if kind not in (None, "classification", "regression"):
        raise ValueError(f"kind must be 'classification' or 'regression', got {kind!r}")
    name = column_called(raw.label, raw.source, "label")
    column = raw.source[name]
    chosen = kind or kind_of_labels(column)
    style = label_style(column, chosen)
    values = as_labels(column, chosen, style)
    there = ~missing(values)
    if kind is None:
        count = len(np.unique(values[there]))
        notes.append(Note(f"task.{chosen}", "info", {"label": name, "count": count}))
    if not there.all():
        notes.append(Note("task.unlabelled", "warn", {"count": int((~there).sum()), "label": name}))
    return Labelled(name, chosen, style, values, there)


def _features(raw: Raw, label: Labelled, notes: list[Note]) -> tuple[pd.DataFrame, pd.DataFrame, Array | None]:
    """Aligned features of the labelled source rows and of the target, and the groups."""
    target, found = match_names(raw.source, raw.target)
    notes += found
    by_place = str(raw.label).strip() != label.name
    source, features = without_label(raw.source, target, label.name, by_place)
    if features.shape[1] < target.shape[1]:
        notes.append(Note("task.target_label", "info", {"label": label.name}))
    groups = None
    if raw.group is not None and str(raw.group).strip() == label.name:
        raise ValueError(f"the column {label.name!r} cannot be both the label and the group")
    if raw.group is not None:
        column = column_called(raw.group, source, "group")
        groups = np.asarray(spelled(source[column]), dtype=str)[label.there]
        if (count := len(np.unique(groups))) < _FEW_GROUPS:
            notes.append(Note("task.few_groups", "warn", {"count": count, "column": column}))
        source, features = source.drop(columns=column), features.drop(columns=column, errors="ignore")
    features = _without_disguise(source, features, label, notes)
    common, found = common_columns(source, features)
    notes += found
    rows = source.loc[label.there, common].reset_index(drop=True)
    return *settled(rows, features[common].reset_index(drop=True)), groups


def _without_disguise(source: pd.DataFrame, target: pd.DataFrame, label: Labelled, notes: list[Note]) -> pd.DataFrame:
    if label.kind != "classification":
        return target
    disguised = label_in_disguise(source, target, set(label.values[label.there]))
    if disguised:
        notes.append(Note("task.label_in_disguise", "warn", {"columns": disguised, "label": label.name}))
    return target.drop(columns=disguised)


def _renumbered(domains: Array, names: tuple[str, ...]) -> tuple[Array, tuple[str, ...]]:
    """Source numbers from 0 without gaps, should a source have no labelled row."""
    numbers, place = np.unique(domains, return_inverse=True)
    return place, tuple(names[number] for number in numbers)


def _truth(
    known: pd.DataFrame, source: pd.DataFrame, target: pd.DataFrame, label: Labelled, notes: list[Note]
) -> pd.Series[Any]:
    truth = known_labels(known, target, source, label=label.name, kind=label.kind, style=label.style)
    if label.kind == "classification":
        foreign = sorted(set(truth) - set(label.values[label.there]))
        if foreign:
            notes.append(Note("task.foreign_labels", "warn", {"classes": foreign, "label": label.name}))
    return truth
