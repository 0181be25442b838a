"""One spelling for every cell: what a value looks like as text, whatever type its file gave it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_TYPED = "NA N/A n/a #N/A <NA> NaN nan NAN NaT null NULL Null None none NONE ? - -- #NULL! #DIV/0! #VALUE! #REF!"
MISSING = frozenset(["", *_TYPED.split()])
_SCIENTIFIC = r"^[+-]?\d\.\d+[eE][+-]\d+$"
_TEXT = pa.large_string()
_TOKENS = pa.array(sorted(MISSING), _TEXT)


def words(series: pd.Series[Any]) -> pa.Array:
    """The cells of a column as trimmed strings, missing ones null.

    Parameters
    ----------
    series : Series of n cells, of any type

    Returns
    -------
    Arrow array of n strings

    Examples
    --------
    >>> import pandas as pd
    >>> from transfermap.data.tables.spelling import words
    >>> words(pd.Series([1.0, 2.5, None])).to_pylist(), words(pd.Series([" a ", "?", "1.0"])).to_pylist()
    (['1', '2.5', None], ['a', None, '1.0'])
    """
    trimmed = pc.utf8_trim_whitespace(_texts(series))
    return pc.if_else(pc.is_in(trimmed, value_set=_TOKENS), pa.scalar(None, _TEXT), trimmed)


def canonical(cells: pa.Array) -> pa.Array:
    """One spelling for one value: full-width characters become plain ones, ``1.0`` and ``1.000e+00`` become ``1``."""
    plain = cells if pc.all(pc.string_is_ascii(cells)).as_py() else pc.utf8_normalize(cells, form="NFKC")
    # programs write the same number as 1e+06 or 1000000, as they like
    powers = pc.match_substring_regex(plain, _SCIENTIFIC)
    if pc.any(powers).as_py():
        written = zip(plain.to_pylist(), powers.to_pylist(), strict=True)
        plain = pa.array([_spell(float(cell)) if power else cell for cell, power in written], _TEXT)
    return pc.replace_substring_regex(plain, pattern=r"^([+-]?\d+)\.0+$", replacement=r"\1")


def spelled(series: pd.Series[Any]) -> np.ndarray[Any, Any]:
    """The cells as canonical strings; a missing cell is the empty string. Shape (n,), dtype object."""
    cells = canonical(words(series))
    return np.asarray(pc.fill_null(cells, "").to_pandas(), dtype=object)


def is_text(series: pd.Series[Any]) -> bool:
    """Whether every cell that is there is a string."""
    if series.dtype == object:
        return pd.api.types.infer_dtype(series, skipna=True) in ("string", "empty")
    return pd.api.types.is_string_dtype(series.dtype) and not isinstance(series.dtype, pd.CategoricalDtype)


def raw_text(series: pd.Series[Any]) -> pa.Array:
    """A column of strings (:func:`is_text`) as an Arrow array, cells untouched."""
    # large strings: offsets of 32 bits end at 2 GB of text
    cells = pa.array(series, _TEXT if series.dtype == object else None, from_pandas=True)
    whole = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    return whole if whole.type == _TEXT else whole.cast(_TEXT)


def _texts(series: pd.Series[Any]) -> pa.Array:
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype) if series.notna().all() else series.astype(object)
    if is_text(series):
        return raw_text(series)
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return pa.array(series.astype(str).astype(object), _TEXT)
    return pa.array([_spell(value) for value in series.tolist()], _TEXT)


def _spell(value: Any) -> str | None:
    """A single value as text: whole floats without their point, missing values as None."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value):
            return None if np.isnan(value) else str(value)
        # 1e15: below it every whole float is exact, and its digits are those that were typed
        return str(int(value)) if float(value).is_integer() and abs(float(value)) < 1e15 else repr(float(value))
    return value if isinstance(value, str) else str(value)
