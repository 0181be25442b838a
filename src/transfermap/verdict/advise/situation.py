"""What two tables say of the situation: which labels exist, which columns and classes agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd

from transfermap.data.tables.labels import TaskKind, as_labels, column_called, kind_of_labels, label_style, missing
from transfermap.messages import Note
from transfermap.tasks.align import label_everywhere, match_names, stack, without_label

Array = np.ndarray[Any, np.dtype[Any]]
Cells = pd.Series | None


class Reading(NamedTuple):
    """Answers of the tables, by the names of a :class:`~transfermap.verdict.advise.advise.Situation`, and findings."""

    answers: dict[str, str]
    notes: list[Note]


class Labels(NamedTuple):
    """The labels that are there on either side."""

    kind: TaskKind
    source: Array
    target: Array


def read_situation(
    sources: Mapping[str, pd.DataFrame], target: pd.DataFrame, label: str | None = None, kind: str | None = None
) -> Reading:
    """Read off the tables what can be read.

    How the classes relate is said by the target's labels alone. A single one shows a new class; that a class is absent
    is only said where all rows have labels, or where none of them is of the source's classes.

    Parameters
    ----------
    sources : mapping name -> DataFrame
    target : DataFrame
    label : str, optional
        The column to predict, in the sources, the target, or both; without it nothing is said of labels.
    kind : {"classification", "regression"}, optional
        None: found out from the labels.

    Raises
    ------
    ValueError
        If no table has the label column.

    Examples
    --------
    >>> import pandas as pd
    >>> from transfermap.verdict.advise.situation import read_situation
    >>> source = pd.DataFrame({"a": [1, 2, 3, 4], "y": ["cat", "dog", "cat", "dog"]})
    >>> read_situation({"source": source}, pd.DataFrame({"a": [1, 2], "y": ["cat", "cow"]}), "y").answers["classes"]
    'open'
    """
    if kind not in (None, *get_args(TaskKind)):
        raise ValueError(f"task must be {' or '.join(get_args(TaskKind))}; got {kind!r}")
    together, _, _ = stack(list(sources.values()))
    target, notes = match_names(together, target)
    answers = {"source_data": "here", "sources": "several" if len(sources) > 1 else "one"}
    if label is not None:
        label_everywhere(label, sources)
        column = _label_column(label, together, target)
        ours, theirs = _features(column, label, together, target)
        found = _labels(_cells(column, together, ours), _cells(column, target, theirs), kind)
        answers |= _labels_say(found, len(target))
        counts = {"tables": len(sources), "source": len(together), "target": len(target)}
        known = {"source_labelled": len(found.source), "target_labelled": len(found.target)}
        notes += [Note("advise.read_labels", values={"label": column} | counts | known), *_unseen(found, answers)]
        together, target = ours, theirs
    common = [name for name in together.columns if name in target]
    answers["columns"] = "same" if common else "different"
    sides = {"common": len(common), "source": together.shape[1], "target": target.shape[1]}
    return Reading(answers, [*notes, Note("advise.read_columns", values=sides)])


def _label_column(label: str, source: pd.DataFrame, target: pd.DataFrame) -> str:
    return label if label in target and label not in source else column_called(label, source, "label")


def _features(column: str, label: str, source: pd.DataFrame, target: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables without the label column."""
    if column not in source:
        return source, target.drop(columns=column)
    return without_label(source, target, column, by_place=label.strip() != column)


def _cells(column: str, table: pd.DataFrame, features: pd.DataFrame) -> Cells:
    """The label column, where the table has one."""
    return table[column] if table.shape[1] > features.shape[1] else None


def _labels(source: Cells, target: Cells, kind: str | None) -> Labels:
    """The labels that are there; the source's say what kind they are, or the target's where the source has none."""
    first = next(cells for cells in (source, target) if cells is not None)
    chosen: TaskKind = kind or kind_of_labels(first)  # type: ignore[assignment]
    style = label_style(first, chosen)
    known = [np.array([]) if cells is None else as_labels(cells, chosen, style) for cells in (source, target)]
    return Labels(chosen, *(labels[~missing(labels)] for labels in known))


def _labels_say(found: Labels, rows: int) -> dict[str, str]:
    count = len(found.target)
    answers = {
        "source_labels": "yes" if len(found.source) else "no",
        "target_labels": "none" if count == 0 else "all" if count == rows else "few",
        "task": found.kind,
    }
    if found.kind == "classification" and len(found.source) and count:
        relation = _relation(set(found.source), set(found.target), answers["target_labels"] == "all")
        answers |= {"classes": relation} if relation else {}
    return answers


def _relation(ours: set[str], theirs: set[str], certain: bool) -> str | None:
    """How the target's classes relate to the source's; None where too few labels leave it open."""
    if not ours & theirs:
        return "disjoint"
    if theirs - ours:
        return "open"
    if ours == theirs:
        return "closed"
    return "partial" if certain else None


def _unseen(found: Labels, answers: Mapping[str, str]) -> list[Note]:
    """Classes that only one side shows."""
    if found.kind != "classification" or not (len(found.source) and len(found.target)):
        return []
    ours, theirs = set(found.source.tolist()), set(found.target.tolist())
    new = [Note("advise.read_new", "warn", {"classes": sorted(theirs - ours)})] if theirs - ours else []
    code = "advise.read_unseen" if answers["target_labels"] == "few" else "advise.read_lacking"
    return new + ([Note(code, values={"classes": sorted(ours - theirs)})] if ours - theirs else [])
