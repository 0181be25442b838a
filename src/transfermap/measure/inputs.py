"""What the measures accept, checked in one place: each function returns an array, or says what was wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def rows(X: ArrayLike, name: str, least: int = 1) -> Array:
    """``X`` as a finite (n, d) array with at least ``least`` rows."""
    table = _numbers(X, name)
    if table.ndim != 2 or table.shape[1] == 0:
        raise ValueError(f"expected {name} to have shape (n, d), got {table.shape}")
    if len(table) < least:
        raise ValueError(f"expected {name} to have at least {least} rows, got {len(table)}")
    return _finite(table, name)


def pair(Xs: ArrayLike, Xt: ArrayLike, least: int = 2) -> tuple[Array, Array]:
    """Source and target rows with equal numbers of columns."""
    source, target = rows(Xs, "Xs", least), rows(Xt, "Xt", least)
    if source.shape[1] != target.shape[1]:
        raise ValueError(f"expected Xs and Xt to have equal widths, got {source.shape[1]} and {target.shape[1]}")
    return source, target


def vector(v: ArrayLike, name: str, length: int | None = None) -> Array:
    """``v`` as a finite, non-empty (n,) array of numbers."""
    line = _numbers(v, name)
    if line.ndim != 1 or len(line) == 0 or (length is not None and len(line) != length):
        expected = "(n,), n > 0" if length is None else f"({length},)"
        raise ValueError(f"expected {name} to have shape {expected}, got {line.shape}")
    return _finite(line, name)


def probabilities(P: ArrayLike, name: str = "Pt") -> Array:
    """Class probabilities: (n, C), C > 1, no negative value, each row adding to 1 (to 1e-3, then exactly)."""
    table = rows(P, name)
    total = table.sum(axis=1, keepdims=True)
    if table.shape[1] < 2 or (table < 0).any() or (np.abs(total - 1) > 1e-3).any():
        raise ValueError(f"expected {name} to hold probabilities of two or more classes, each row adding to 1")
    return table / total


def shares(q: ArrayLike, name: str, length: int | None = None) -> Array:
    """Shares of a whole: (C,), no negative value, adding to 1 (to 1e-3, then exactly)."""
    line = vector(q, name, length)
    if (line < 0).any() or abs(line.sum() - 1) > 1e-3:
        raise ValueError(f"expected {name} to hold shares that add to 1, got the sum {line.sum():.4g}")
    return line / line.sum()


def weights(w: ArrayLike, length: int | None = None) -> Array:
    """Row weights: (n,), no negative value, not all zero."""
    line = vector(w, "w", length)
    if (line < 0).any() or not line.any():
        raise ValueError("expected w to be non-negative and not all zero")
    return line


def labels(y: ArrayLike, name: str, length: int | None = None) -> NDArray[np.generic]:
    """Labels of any kind as a non-empty (n,) array without missing values."""
    line = np.asarray(y)
    if line.ndim != 1 or len(line) == 0 or (length is not None and len(line) != length):
        expected = "(n,), n > 0" if length is None else f"({length},)"
        raise ValueError(f"expected {name} to have shape {expected}, got {line.shape}")
    if pd.isna(line).any():
        raise ValueError(f"expected {name} to have no missing values")
    return line


def columns(y: ArrayLike, name: str, P: Array, of: str = "Ph") -> NDArray[np.intp]:
    """Labels as columns of the class probabilities ``P``: integers from 0 to C - 1, one a row."""
    line = labels(y, name, len(P))
    # any other kind of label is made to fail the test of the range
    code = line.astype(np.intp) if line.dtype.kind in "iu" else np.array([-1])
    if code.min() < 0 or code.max() >= P.shape[1]:
        raise ValueError(f"expected {name} to hold columns of {of}, integers from 0 to {P.shape[1] - 1}")
    return code


def _numbers(X: ArrayLike, name: str) -> Array:
    try:
        return np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected {name} to hold numbers, got {type(X).__name__}: {error}") from error


def _finite(array: Array, name: str) -> Array:
    if not np.isfinite(array).all():
        raise ValueError(
            f"expected {name} to be finite, got {int((~np.isfinite(array)).sum())} missing or infinite cells"
        )
    return array
