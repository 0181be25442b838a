"""The few target labels that may be known, laid beside the target's rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from transfermap.data.tables.labels import TaskKind, as_labels, column_called, missing
from transfermap.data.tables.row_keys import row_keys
from transfermap.data.tables.schema import Cells, Schema
from transfermap.tasks.align import match_names

ROW = "row"


def known_labels(table: pd.DataFrame, cells: Cells, *, label: str, kind: TaskKind, style: str) -> pd.Series:
    """Known labels, indexed by the number of the target row.

    Parameters
    ----------
    table : DataFrame with the label column and either ``row`` (numbers of target rows, from 0) or the feature columns
    cells : Cells
        The features of source and target.
    label, kind, style : what is predicted, and how the source writes it

    Raises
    ------
    ValueError
        If columns are absent, or rows do not stand in the target.
    """
    target = cells.target
    assert target is not None
    table, _ = match_names(cells.source.iloc[:0].assign(**{label: ""}), table)
    name = label if label in table else column_called(label, table, "label", "the known target labels")
    labels = as_labels(table[name], kind, style)
    there = ~missing(labels)
    table, labels = table[there].reset_index(drop=True), labels[there]
    if not len(labels):
        raise ValueError(f"the known target labels have no row with a label in {name!r}")
    by_number = ROW in table and ROW not in target
    rows = _by_number(table[ROW], len(target)) if by_number else _by_content(table, cells.schema, target)
    if len(np.unique(rows)) < len(rows):
        raise ValueError(f"{len(rows) - len(np.unique(rows))} known target labels name a target row a second time")
    plain = labels.astype(object) if kind == "classification" else labels
    return pd.Series(plain, index=pd.Index(rows, name=ROW), name=label).sort_index()


def _by_number(column: pd.Series, rows: int) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    good = (numbers >= 0) & (numbers < rows) & (numbers == np.floor(numbers))
    if not good.all():
        raise ValueError(f"{int((~good).sum())} known target labels have no row number from 0 to {rows - 1}")
    return numbers.astype(int)


def _by_content(table: pd.DataFrame, schema: Schema, target: pd.DataFrame) -> np.ndarray:
    """Rows found by their features; of equal target rows each is taken once, in order."""
    absent = [str(name) for name in target.columns if name not in table]
    if absent:
        raise ValueError(
            f"the known target labels need a column {ROW!r} or all feature columns; absent: {', '.join(absent[:20])}"
        )
    there, wanted = row_keys(target), row_keys(schema.read(table, target.columns))
    free: dict[int, list[int]] = {}
    for row in range(len(there) - 1, -1, -1):
        free.setdefault(int(there[row]), []).append(row)
    rows = [free[int(key)].pop() if free.get(int(key)) else -1 for key in wanted]
    if -1 in rows:
        raise ValueError(f"{rows.count(-1)} of {len(rows)} known target labels match no row of the target")
    return np.array(rows, dtype=int)
