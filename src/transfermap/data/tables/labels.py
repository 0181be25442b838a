"""What is to be predicted: which column, classes or numbers, and the labels in one form."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np
import pandas as pd

from transfermap.data.tables.columns import ENOUGH, coerce, is_numeric, number_block, style_of
from transfermap.data.tables.numerals import number_style, parse_numbers
from transfermap.data.tables.spelling import spelled, words
from transfermap.messages import Note

TaskKind = Literal["classification", "regression"]
_FEW, _MANY = 20, 100  # whole numbers: so many may be classes in any table, and so many in a long one


def column_called(name: str | int, frame: pd.DataFrame, what: str, where: str = "the source") -> str:
    """The column of this name; in a matrix without header also of this position, from the end if negative.

    Raises
    ------
    ValueError
        If there is none; the message names columns that are written alike.
    """
    text = str(name).strip()
    if text in frame:
        return text
    if is_matrix(frame) and text.lstrip("-").isdigit() and -frame.shape[1] <= int(text) < frame.shape[1]:
        return str(frame.columns[int(text)])
    lower = {str(c).casefold(): str(c) for c in frame.columns}
    close = [lower[c] for c in get_close_matches(text.casefold(), lower, n=5, cutoff=0.5)]
    hint = f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(map(str, frame.columns[:20]))}"
    raise ValueError(f"there is no {what} column {text!r} in {where}; {hint}")


def is_matrix(frame: pd.DataFrame) -> bool:
    """Whether the columns are x0, x1, ...: a table without header."""
    return list(frame.columns) == [f"x{i}" for i in range(frame.shape[1])]


def kind_of_labels(column: pd.Series[Any]) -> TaskKind:
    """Classes or numbers: strings, flags and few whole numbers are classes.

    Examples
    --------
    >>> import pandas as pd
    >>> from transfermap.data.tables.labels import kind_of_labels
    >>> kind_of_labels(pd.Series(["a", "b"])), kind_of_labels(pd.Series(["1,200.5", "900.0"]))
    ('classification', 'regression')
    """
    values = _numbers(column)
    if values is None:
        return "classification"
    distinct = len(np.unique(values))
    few = distinct <= 2 or distinct <= min(_FEW, len(values) / 2) or distinct <= min(_MANY, len(values) / 20)
    return "classification" if few and np.array_equal(values, np.floor(values)) else "regression"


def as_labels(column: pd.Series[Any], kind: TaskKind, style: str) -> np.ndarray[Any, Any]:
    """Labels of shape (n,): strings for classes ("" is missing), float64 for regression (NaN is missing).

    Raises
    ------
    ValueError
        If numbers are wanted and the cells that are there hold none.
    """
    if kind == "classification":
        # by their canonical spelling: 1, 1.0 and "1" are one class in all files
        return np.asarray(spelled(column), dtype=str)
    numbers = coerce(column, "number", style).to_numpy(dtype=np.float64)
    if len(written := words(column).drop_null()) and np.isnan(numbers).all():
        raise ValueError(f"the label {column.name!r} must hold numbers for regression; it holds {written[0].as_py()!r}")
    return numbers


def label_style(column: pd.Series[Any], kind: TaskKind) -> str:
    """How the source writes its numeric labels."""
    return style_of(column, "number") if kind == "regression" else ""


def missing(labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Which labels are missing, as flags of shape (n,)."""
    return np.isnan(labels) if labels.dtype.kind == "f" else labels == ""


def check_labels(labels: np.ndarray[Any, Any], kind: TaskKind, name: str, unlabelled: int) -> list[Note]:
    """Look the source's labels over (none is missing any more).

    Raises
    ------
    ValueError
        If fewer than two rows or values are there, or the classes are no classes.
    """
    if len(labels) < 2:
        raise ValueError(f"expected at least 2 source rows with a label in {name!r}, got {len(labels)}")
    values, counts = np.unique(labels, return_counts=True)
    if len(values) == 1:
        without = f" ({unlabelled} rows have none; a cell '-' or '?' counts as none)" if unlabelled else ""
        raise ValueError(
            f"the label {name!r} has one value only in the source, {values[0]!s}; expected two or more{without}"
        )
    if kind == "regression":
        return []
    if len(values) > max(_FEW, len(labels) / 2) or (len(values) > _MANY and _continuous(values)):
        raise ValueError(
            f"the label {name!r} has {len(values)} different values in {len(labels)} rows, which are no classes; "
            f"expected a column of classes, or numbers with kind='regression'"
        )
    # below three, cross-validation cannot hold one out and still learn from two
    rare = [str(value) for value in values[counts < 3]]
    notes = [Note("task.rare_classes", "warn", {"classes": rare})] if rare else []
    alike = _alike(values)
    return [*notes, Note("task.alike_classes", "warn", {"classes": alike})] if alike else notes


def _alike(classes: np.ndarray[Any, Any]) -> list[str]:
    """Classes that another one differs from by case or inner blanks only."""
    plain = ["".join(str(name).split()).casefold() for name in classes]
    many = Counter(plain)
    return [str(name) for name, bare in zip(classes, plain, strict=True) if many[bare] > 1]


def _continuous(values: np.ndarray[Any, Any]) -> bool:
    numbers = pd.to_numeric(pd.Series(values, dtype=object), errors="coerce").to_numpy(dtype=np.float64)
    return bool(np.any(numbers != np.floor(numbers)) and not np.isnan(numbers).any())


def _numbers(column: pd.Series[Any]) -> np.ndarray[Any, Any] | None:
    """The labels that are there as numbers; None where they are no numbers."""
    if is_numeric(column.dtype):
        values = number_block(column.to_frame(), [column.name])[:, 0]
        return values[np.isfinite(values)]
    if pd.api.types.is_bool_dtype(column.dtype) or isinstance(column.dtype, pd.CategoricalDtype):
        return None
    cells = words(column).drop_null()
    values = parse_numbers(cells, number_style(cells))
    read = np.isfinite(values)
    share = float(read.mean()) if len(values) else 0.0
    # few different values with a word among them are codes and a class of its own, not numbers with a typing error
    sure = share == 1 or (share >= ENOUGH and len(np.unique(values[read])) > _FEW)
    return values[read] if sure else None
