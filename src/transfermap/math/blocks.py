"""Domains that have columns of their own in one table: a column that a domain lacks is NaN in all of its rows."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def columns_of(X: Array, owner: str) -> Array:
    """Which columns (d,) the rows ``X`` (n, d) of ``owner`` have: those that are not NaN throughout.

    Raises
    ------
    ValueError
        If a column has some numbers and some NaN, or there is no column with numbers.

    Examples
    --------
    >>> columns_of(np.array([[1.0, np.nan], [2.0, np.nan]]), "the source").tolist()
    [True, False]
    """
    missing = np.isnan(X).sum(axis=0)
    partly = (missing > 0) & (missing < len(X))
    if partly.any():
        column = int(partly.argmax())
        raise ValueError(
            f"column {column} is NaN in {missing[column]} of {len(X)} rows of {owner}; "
            "expected a domain to have a column in all its rows or in none"
        )
    if missing.all():
        raise ValueError(f"all columns of {owner} are NaN; expected at least one with numbers")
    return missing == 0


def own_columns(X: Array, has: Array, owner: str) -> Array:
    """The columns of ``X`` (n, d) that ``has`` (d,) marks, without a NaN; for rows that come after ``fit``."""
    own = X[:, has]
    if np.isnan(own).any():
        column = int(np.flatnonzero(has)[np.isnan(own).any(axis=0)][0])
        raise ValueError(f"column {column} is NaN in rows of {owner}, which had it in fit; expected numbers")
    return own
