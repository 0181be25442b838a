"""Source and target tables brought to the same columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from transfermap.data.tables.labels import column_called, is_matrix
from transfermap.data.tables.spelling import spelled
from transfermap.messages import Note


def stack(tables: Sequence[pd.DataFrame]) -> tuple[pd.DataFrame, np.ndarray, list[Note]]:
    """Several sources as one table of their common columns, and for each row the number of its source."""
    notes: list[Note] = []
    matched = [tables[0]]
    for table in tables[1:]:
        renamed, found = match_names(tables[0], table)
        matched.append(renamed)
        notes += found
    common = [name for name in tables[0].columns if all(name in table for table in matched)]
    rest = sorted({str(name) for table in matched for name in table.columns} - set(common))
    if rest and len(tables) > 1:
        notes.append(Note("task.some_sources", "info", {"columns": rest}))
    domains = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    return pd.concat([table[common] for table in matched], ignore_index=True), domains, notes


def label_everywhere(label: str | int, tables: Mapping[str, pd.DataFrame]) -> None:
    """Refuse sources without a label column where others have it."""
    wanted = _plain(str(label))
    without = [name for name, table in tables.items() if wanted not in map(_plain, map(str, table.columns))]
    if 0 < len(without) < len(tables):
        raise ValueError(f"there is no label column {label!r} in {', '.join(without)}; every source needs it")


def match_names(source: pd.DataFrame, target: pd.DataFrame) -> tuple[pd.DataFrame, list[Note]]:
    """The target with the source's spelling of column names that differ by case or blanks only."""
    there = _by_plain_name([name for name in source.columns if name not in target])
    here = _by_plain_name([name for name in target.columns if name not in source])
    renamed = {
        names[0]: there[plain][0] for plain, names in here.items() if len(names) == len(there.get(plain, ())) == 1
    }
    if not renamed:
        return target, []
    pairs = [f"{old} = {new}" for old, new in renamed.items()]
    return target.rename(columns=renamed), [Note("task.names_matched", "warn", {"columns": pairs})]


def without_label(
    source: pd.DataFrame, target: pd.DataFrame, label: str, by_place: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables without the label column.

    Matrices without header are counted anew where the target never had a label column, as its columns then lie one
    place further left.
    """
    narrower = by_place and is_matrix(source) and is_matrix(target) and target.shape[1] == source.shape[1] - 1
    features = source.drop(columns=label)
    if narrower:
        return features.set_axis(target.columns, axis=1), target
    return features, target.drop(columns=label, errors="ignore")


def label_in_disguise(source: pd.DataFrame, target: pd.DataFrame, classes: set[str]) -> list[str]:
    """Columns that only the target has and whose values are just the label's classes."""
    only = [name for name in target.columns if name not in source]
    return [str(name) for name in only if set(spelled(target[name])) - {""} == classes]


def common_columns(source: pd.DataFrame, target: pd.DataFrame) -> tuple[list[str], list[Note]]:
    """The columns that both tables have, in the source's order.

    Raises
    ------
    ValueError
        If there are none.
    """
    common = [str(name) for name in source.columns if name in target]
    if not common:
        ours, theirs = (", ".join(map(str, t.columns[:20])) or "none" for t in (source, target))
        raise ValueError(f"source and target have no column in common; the source has {ours}; the target has {theirs}")
    sides = {"task.source_only": (source, target), "task.target_only": (target, source)}
    absent = {code: [str(n) for n in one.columns if n not in other] for code, (one, other) in sides.items()}
    return common, [Note(code, "info", {"columns": names}) for code, names in absent.items() if names]


def by_domain(
    frame: pd.DataFrame, column: str, target: str | int | float
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame, int]:
    """One table parted by the column that says where a row comes from: sources by name, the target, rows of nowhere.

    Raises
    ------
    ValueError
        If the column is not there, or does not hold the target's value and another one.
    """
    column = column_called(column, frame, "domain", "the table")
    where, wanted = spelled(frame[column]), str(spelled(pd.Series([target]))[0])
    names = [str(name) for name in dict.fromkeys(where) if name not in ("", wanted)]
    if wanted not in where or not names:
        raise ValueError(
            f"column {column!r} must hold {wanted!r} and at least one other value, "
            f"it holds {', '.join(map(str, dict.fromkeys(where[where != ''])))}"
        )
    features = frame.drop(columns=column)
    return {name: features[where == name] for name in names}, features[where == wanted], int((where == "").sum())


def _by_plain_name(names: Sequence[str]) -> dict[str, list[str]]:
    plain: dict[str, list[str]] = {}
    for name in names:
        plain.setdefault(_plain(name), []).append(name)
    return plain


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()
