"""Rows compared by content: the same row in two tables, and columns that give the label away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from transfermap.data.tables.columns import Kind
from transfermap.data.tables.schema import Cells

Keys = np.ndarray[Any, np.dtype[np.uint64]]
_PROBE = 2000  # rows that are looked at first: most columns give nothing away, and that shows in a few
_SURE = 0.99  # of the rows: copies of the label have typing errors, too
_SILENT: tuple[Kind, ...] = ("constant", "empty", "identifier", "text")


def row_keys(cells: pd.DataFrame) -> Keys:
    """One number for the content of each row, the same for the same cells however their files write them.

    Parameters
    ----------
    cells : DataFrame of shape (n, columns)
        In the form of their kinds (:meth:`transfermap.data.tables.schema.Schema.read`).

    Returns
    -------
    ndarray of shape (n,)
    """
    numbers = cells.select_dtypes("float64")
    plain = pd.concat([numbers + 0.0, cells.drop(columns=numbers.columns)], axis=1)  # -0.0 becomes 0.0
    # 64 bits a row stand for its cells: tables are compared without sorting them
    return np.asarray(pd.util.hash_pandas_object(plain, index=False), dtype=np.uint64)


def shared_rows(cells: Cells) -> int:
    """How many target rows stand in the source too; columns that only number the rows are not looked at."""
    assert cells.target is not None
    names = [c for c in map(str, cells.source) if cells.schema[c].kind != "identifier"] or list(map(str, cells.source))
    return int(np.isin(row_keys(cells.target[names]), row_keys(cells.source[names])).sum())


def giveaways(cells: Cells, labels: np.ndarray[Any, Any]) -> list[str]:
    """Columns whose value settles the label of nearly every row, though many rows share a value.

    A column gives the label away if, for at least 99 % of the rows, most *other* rows with the same value have the same
    label, and if it leaves at most a twentieth of the mistakes that always saying the commonest label makes. For
    numeric labels a column that is their straight-line copy counts as well.
    """
    if len(labels) < 10:
        return []
    table, kinds = cells.source, cells.schema.kinds
    probe = np.unique(np.linspace(0, len(labels) - 1, min(len(labels), _PROBE)).astype(int))
    part = table.iloc[probe]
    said = [n for n in map(str, table) if kinds[n] not in _SILENT]
    maybe = [n for n in said if _settles(part[n], labels[probe]) or _is_copy(part[n], labels[probe], kinds[n])]
    return [n for n in maybe if _settles(table[n], labels) or _is_copy(table[n], labels, kinds[n])]


def _settles(column: pd.Series[Any], labels: np.ndarray[Any, Any]) -> bool:
    codes, distinct = pd.factorize(column, use_na_sentinel=False)
    values = np.asarray(codes)
    if len(distinct) > len(labels) / 2:
        return False
    classes, counts = np.unique(labels, return_counts=True)
    pairs, together = np.unique(values * len(classes) + np.searchsorted(classes, labels), return_counts=True)
    # rows with the same value: the label of the most of them is what the value tells
    total = np.bincount(values)[pairs // len(classes)]
    right = together[2 * together > total].sum() / len(labels)
    common = counts.max() / len(labels)
    return bool(1 - right <= min(1 - _SURE, 0.05 * (1 - common)))


def _is_copy(column: pd.Series[Any], labels: np.ndarray[Any, Any], kind: Kind) -> bool:
    """Whether a number column is a multiple of numeric labels, plus a constant, up to rounding."""
    if labels.dtype.kind != "f" or kind != "number":
        return False
    values = column.to_numpy(dtype=np.float64)
    there = np.isfinite(values)
    if there.mean() < 0.95:
        return False
    a, b = values[there] - values[there].mean(), labels[there] - labels[there].mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    # a correlation of one, up to the rounding of a file's digits
    return scale > 0 and abs(float(a @ b)) / scale > 1 - 1e-9
