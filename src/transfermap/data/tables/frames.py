"""Any table-like thing as a pandas frame with unique string names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import scipy.sparse

from transfermap.data.images.grids import image_table
from transfermap.data.tables.arrays import densify


def to_frame(table: Any, what: str = "the table") -> pd.DataFrame:
    """A table as a frame; a matrix gets the columns x0, x1, ..., images x[0,0], x[0,1], ....

    Parameters
    ----------
    table : DataFrame (pandas, polars or what narwhals knows), array, list of rows, or sparse matrix of shape (n, d)
        Images as an array of shape (n, h, w), or with a fourth axis for one or three colours.
    what : str
        What the table is called in messages.

    Returns
    -------
    DataFrame of shape (n, d) with a fresh index; the caller's data is shared, never written to

    Raises
    ------
    ValueError
        If it is no table, or a column name occurs twice.

    Examples
    --------
    >>> from transfermap.data.tables.frames import to_frame
    >>> to_frame([[1, "a"], [2, "b"]]).columns.tolist()
    ['x0', 'x1']
    """
    if isinstance(table, pd.DataFrame):
        return tidy(table.reset_index(drop=True), what)
    if scipy.sparse.issparse(table):
        return _numbered(densify(table, what))
    native = nw.from_native(table, pass_through=True, eager_only=True)
    if isinstance(native, nw.DataFrame):
        return tidy(native.to_pandas(), what)
    matrix = _matrix(table, what)
    return _numbered(matrix) if matrix.ndim == 2 else image_table(matrix, what)


def tidy(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    """Column names as strings without surrounding blanks, each once; spans of time as seconds."""
    if isinstance(frame.columns, pd.MultiIndex):
        raise ValueError(f"{what} has column names on several levels; expected one name a column")
    # NumPy's strings forget a NUL at their end, so that no column of that name would be found again
    names = [str(name).replace("\0", "").strip() for name in frame.columns]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ValueError(f"{what} has several columns of the same name: {', '.join(twice)}")
    frame = frame.set_axis(pd.Index(names, dtype=object), axis=1)
    spans = {str(n): frame[n].dt.total_seconds() for n, dtype in frame.dtypes.items() if dtype.kind == "m"}
    return frame.assign(**spans) if spans else frame


def free_name(name: str, taken: Collection[str]) -> str:
    """The name of a column of ours in a table of somebody else's: ``row``, or ``row_`` where there is one already."""
    return name if name not in taken else free_name(f"{name}_", taken)


def _matrix(table: Any, what: str) -> Any:
    try:
        matrix = np.asarray(table)
        if matrix.dtype.kind in "US" and not isinstance(table, np.ndarray):
            # rows of numbers and words: as one type numpy would make them all words
            matrix = np.asarray(table, dtype=object)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} is no table: {error}") from None
    if matrix.ndim != 2 and not (matrix.ndim in (3, 4) and matrix.dtype.kind in "biuf"):
        raise ValueError(f"{what} must have rows and columns, got an array of shape {matrix.shape}")
    # pandas does not compute with half floats
    return matrix.astype(np.float32) if matrix.dtype == np.float16 else matrix


def _numbered(matrix: Any) -> pd.DataFrame:
    frame = pd.DataFrame(matrix, columns=[f"x{i}" for i in range(matrix.shape[1])])
    return frame.infer_objects() if matrix.dtype == object else frame
