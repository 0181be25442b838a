"""Tables laid together to a task: the label taken out, columns aligned, rows without label left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from transfermap.data.images.grids import SPANS, Span, fitted, shape_in
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
from transfermap.data.tables.schema import Cells, Column, read_cells
from transfermap.data.tables.spelling import spelled
from transfermap.messages import Note
from transfermap.tasks.align import common_columns, label_in_disguise, match_names, without_label
from transfermap.tasks.target_labels import known_labels

Array = np.ndarray[Any, np.dtype[Any]]
_FEW_ROWS = 20
_FEW_GROUPS = 3


class Raw(NamedTuple):
    """What comes in: source rows with their label and source number, target rows, known target labels, and the columns
    that are no features: the label, and where there are some the group and the file of each row."""

    source: pd.DataFrame
    domains: Array
    names: tuple[str, ...]
    target: pd.DataFrame
    known: pd.DataFrame | None
    label: str | int
    group: str | None = None
    file: str | None = None
    spans: Mapping[str, Span] = {}


class Labelled(NamedTuple):
    """The label column's name and kind, how it is written, its values, and which rows have one."""

    name: str
    kind: TaskKind
    style: str
    values: Array
    there: Array


class Aligned(NamedTuple):
    """Both tables with the features they share, what stands beside the rows, and the columns that are no features."""

    source: pd.DataFrame
    target: pd.DataFrame
    groups: Array | None
    files: tuple[tuple[str, ...], tuple[str, ...]] | None
    others: tuple[Column, ...]


def assemble(raw: Raw, kind: TaskKind | None, notes: list[Note]) -> dict[str, Any]:
    """The fields of a :class:`transfermap.tasks.task.Task`, but for ``images`` the ``files`` of both sides.

    Raises
    ------
    ValueError
        If a row, a column or a second label value is wanting.
    """
    if not len(raw.target):
        raise ValueError("the target has no rows; expected at least two")
    label = _labelled(raw, kind, notes)
    found = _features(raw, label, notes)
    if len(found.target) < 2:
        raise ValueError("the target has one row; expected at least two")
    source, target, inferred = settled(found.source, found.target)
    domains, names = _renumbered(raw.domains[label.there], raw.names)
    values = label.values[label.there]
    notes += check_labels(values, label.kind, label.name, int((~label.there).sum()))
    notes += _few(len(source), len(target))
    cells = task_cells(source, target, raw.spans, inferred)
    if leaks := giveaways(cells, values):
        notes.append(Note("task.leak", "warn", {"columns": leaks, "label": label.name}))
    truth = None if raw.known is None else _truth(raw.known, cells, label, notes)
    fields = {"source": source, "labels": values, "target": target, "domains": domains, "kind": label.kind}
    more = {"label": label.name, "source_names": names, "groups": found.groups, "truth": truth, "notes": tuple(notes)}
    read = {"label_style": label.style, "cells": cells, "others": found.others, "leaks": tuple(leaks)}
    return {**fields, **more, **read, "files": found.files}


def task_cells(source: pd.DataFrame, target: pd.DataFrame, spans: Mapping[str, Span], inferred: Any = None) -> Cells:
    """What the tables of a task hold; images that were not brought to one size and range of values are so here."""
    if spans or (shape := shape_in(source)) is None:
        return read_cells(source, target, inferred)
    found = read_cells(fitted(source, shape, SPANS), fitted(target, shape, SPANS))
    return replace(found, written=(source, target))


def _few(source: int, target: int) -> list[Note]:
    sides = (("task.few_source_rows", source), ("task.few_target_rows", target))
    return [Note(code, "warn", {"count": count}) for code, count in sides if count < _FEW_ROWS]


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


def _features(raw: Raw, label: Labelled, notes: list[Note]) -> Aligned:
    """The features of the labelled source rows and of the target, in the source's order."""
    target, found = match_names(raw.source, raw.target)
    notes += found
    by_place = str(raw.label).strip() != label.name
    source, features = without_label(raw.source, target, label.name, by_place)
    if features.shape[1] < target.shape[1]:
        notes.append(Note("task.target_label", "info", {"label": label.name}))
    others = [Column(label.name, "number" if label.kind == "regression" else "category", label.style, "label")]
    files = None
    if raw.file is not None:
        files = tuple(source.loc[label.there, raw.file]), tuple(features[raw.file])
        source, features = source.drop(columns=raw.file), features.drop(columns=raw.file)
    groups = None
    if raw.group is not None:
        column, groups = _groups(raw.group, source, label, notes)
        others.append(Column(column, role="group"))
        source, features = source.drop(columns=column), features.drop(columns=column, errors="ignore")
    disguised = _disguised(source, features, label, notes)
    features = features.drop(columns=disguised)
    common, found = common_columns(source, features)
    notes += found
    alone = {"source_only": source, "target_only": features}
    others += [
        Column(n, role="unused", why=why) for why, side in alone.items() for n in map(str, side) if n not in common
    ]
    others += [Column(name, role="unused", why="label_in_disguise") for name in disguised]
    rows = source.loc[label.there, common].reset_index(drop=True)
    return Aligned(rows, features[common].reset_index(drop=True), groups, files, tuple(others))


def _groups(group: str, source: pd.DataFrame, label: Labelled, notes: list[Note]) -> tuple[str, Array]:
    """The column of groups, and the group of each labelled row."""
    if str(group).strip() == label.name:
        raise ValueError(f"the column {label.name!r} cannot be both the label and the group")
    column = column_called(group, source, "group")
    groups = np.asarray(spelled(source[column]), dtype=str)[label.there]
    if (count := len(np.unique(groups))) < _FEW_GROUPS:
        notes.append(Note("task.few_groups", "warn", {"count": count, "column": column}))
    return column, groups


def _disguised(source: pd.DataFrame, target: pd.DataFrame, label: Labelled, notes: list[Note]) -> list[str]:
    if label.kind != "classification":
        return []
    disguised = label_in_disguise(source, target, set(label.values[label.there]))
    if disguised:
        notes.append(Note("task.label_in_disguise", "warn", {"columns": disguised, "label": label.name}))
    return disguised


def _renumbered(domains: Array, names: tuple[str, ...]) -> tuple[Array, tuple[str, ...]]:
    """Source numbers from 0 without gaps, should a source have no labelled row."""
    numbers, place = np.unique(domains, return_inverse=True)
    return place, tuple(names[number] for number in numbers)


def _truth(known: pd.DataFrame, cells: Cells, label: Labelled, notes: list[Note]) -> pd.Series[Any]:
    truth = known_labels(known, cells, label=label.name, kind=label.kind, style=label.style)
    if label.kind == "classification":
        foreign = sorted(set(truth) - set(label.values[label.there]))
        if foreign:
            notes.append(Note("task.foreign_labels", "warn", {"classes": foreign, "label": label.name}))
    return truth
