"""Rows compared by content: the same row in two tables, and columns that give the label away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from transfermap.data.tables.columns import Kind, coerced, is_numeric, kinds_of, style_of

Keys = np.ndarray[Any, np.dtype[np.uint64]]
_PROBE = 2000  # rows that are looked at first: most columns give nothing away, and that shows in a few
_SURE = 0.99  # of the rows: copies of the label have typing errors, too


def row_keys(tables: tuple[pd.DataFrame, ...], columns: list[str]) -> list[Keys]:
    """One number for the content of each row, the same for the same cells however the files write them.

    The first table settles what the columns hold. Shapes: (n,) for each table of n rows.
    """
    first = tables[0][columns]
    kinds = kinds_of(first)
    # a number that never changes here is a number all the same, and read much faster as one
    kinds |= {n: "number" for n, kind in kinds.items() if kind == "constant" and is_numeric(first[n].dtype)}
    styles = {name: style_of(first[name], kind) for name, kind in kinds.items()}
    return [_keys(coerced(table[columns], kinds, styles)) for table in tables]


def shared_rows(source: pd.DataFrame, target: pd.DataFrame) -> int:
    """How many target rows stand in the source too; columns that only number the rows are not looked at."""
    kinds = kinds_of(source)
    columns = [name for name, kind in kinds.items() if kind != "identifier"] or list(kinds)
    keys, wanted = row_keys((source, target), columns)
    return int(np.isin(wanted, keys).sum())


def giveaways(source: pd.DataFrame, labels: np.ndarray[Any, Any]) -> list[str]:
    """Columns whose value settles the label of nearly every row, though many rows share a value.

    A column gives the label away if, for at least 99 % of the rows, most *other* rows with the same value have the same
    label, and if it leaves at most a twentieth of the mistakes that always saying the commonest label makes. For
    numeric labels a column that is their straight-line copy counts as well.
    """
    if len(labels) < 10:
        return []
    kinds = {n: k for n, k in kinds_of(source).items() if k not in ("constant", "empty", "identifier", "text")}
    probe = np.unique(np.linspace(0, len(labels) - 1, min(len(labels), _PROBE)).astype(int))
    styles = {name: style_of(source[name], kind) for name, kind in kinds.items()}
    table = coerced(source, kinds, styles)
    part = table.iloc[probe]
    maybe = [n for n in kinds if _settles(part[n], labels[probe]) or _is_copy(part[n], labels[probe], kinds[n])]
    return [n for n in maybe if _settles(table[n], labels) or _is_copy(table[n], labels, kinds[n])]


def _keys(table: pd.DataFrame) -> Keys:
    numbers = table.select_dtypes("float64")
    plain = pd.concat([numbers + 0.0, table.drop(columns=numbers.columns)], axis=1)  # -0.0 becomes 0.0
    # 64 bits a row stand for its cells: tables are compared without sorting them
    return np.asarray(pd.util.hash_pandas_object(plain, index=False), dtype=np.uint64)


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
