"""Numbers as people write them: thousands separators, decimal commas, percent and currency signs.

What a comma means is settled once, on the whole column of the source, and called its *style*; later rows are read
in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

PLAIN, POINT, COMMA = "1234.5", "1,234.5", "1.234,5"
_SIGN = r"^[+-]?"
_GROUPS = {mark: rf"{_SIGN}[1-9]\d{{0,2}}(?:{mark}\d{{3}})" for mark in (",", r"\.")}


def parse_numbers(cells: pa.Array, style: str = PLAIN) -> np.ndarray[Any, Any]:
    """Read trimmed strings as numbers; what is none becomes NaN, infinity stays.

    Parameters
    ----------
    cells : Arrow array of n strings
    style : {"1234.5", "1,234.5", "1.234,5"}

    Returns
    -------
    ndarray of shape (n,), float64

    Examples
    --------
    >>> import pyarrow as pa
    >>> from transfermap.data.tables.numerals import parse_numbers
    >>> parse_numbers(pa.array(["+1.5", "1 234", "12%", None, "x"])).tolist()
    [1.5, 1234.0, 0.12, nan, nan]
    >>> parse_numbers(pa.array(["1.234,5"]), style="1.234,5").tolist()
    [1234.5]
    """
    if style != COMMA:
        try:
            return np.asarray(pc.cast(cells, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        except pa.ArrowInvalid:
            pass
    text = _bare(cells)
    percent = text.str.endswith("%", na=False).to_numpy(dtype=bool)
    values = _read(text.str.removesuffix("%").str.strip(), style)
    return np.where(percent, values / 100, values)


def number_style(cells: pa.Array) -> str:
    """What commas and points mean in a column: decided by the cells that leave no choice.

    A column whose commas could be either is read as having thousands separators where both readings differ by a
    constant factor only (every cell has one comma and three digits after it) or where all numbers below a thousand
    have none; otherwise commas are no part of a number.
    """
    text = _bare(cells).dropna().str.removesuffix("%").str.strip()
    text = text[text.str.match(r"^[+-]?[\d.,]+$")]
    commas, points = text.str.count(","), text.str.count(r"\.")
    if not (commas.any() or (points > 1).any()):
        return PLAIN
    groups = {mark: text.str.match(pattern + r"+(?:[,.]\d*)?$") for mark, pattern in _GROUPS.items()}
    # decimal commas need evidence: "1,234" alone reads both ways
    if _sure(text, r"\.", groups[r"\."], points, commas):
        return COMMA
    return POINT if _thousands(text, groups[","], commas) else PLAIN


def _sure(
    text: pd.Series[Any], mark: str, grouped: pd.Series[Any], points: pd.Series[Any], commas: pd.Series[Any]
) -> bool:
    """Whether points part thousands or commas decimals, and no cell says otherwise."""
    decimal_comma = text.str.match(rf"{_SIGN}(?:\d+|\d{{1,3}}(?:\.\d{{3}})+),\d*$")
    evidence = decimal_comma & ((points > 0) | ~text.str.match(r"^[+-]?[1-9]\d{0,2},\d{3}$"))
    fits = decimal_comma | (grouped & (commas == 0)) | ((commas == 0) & (points == 0))
    return bool((evidence.any() or (points > 1).any()) and fits.all())


def _thousands(text: pd.Series[Any], grouped: pd.Series[Any], commas: pd.Series[Any]) -> bool:
    """Whether commas part thousands: the grouping is right everywhere and no plain number is as large."""
    plain = pd.to_numeric(text[commas == 0], errors="coerce").abs()
    certain = bool((grouped & ((commas > 1) | text.str.contains(".", regex=False))).any())
    return bool(grouped[commas > 0].all() and (certain or not (plain >= 1000).any()))


def _bare(cells: pa.Array) -> pd.Series[Any]:
    """Strings with full-width characters, currency signs, and blanks or apostrophes between thousands taken away."""
    # full-width digits and signs, as Chinese and Japanese input methods type them
    text = pc.utf8_normalize(cells, form="NFKC").to_pandas().astype(object)
    text = pd.Series(text, dtype=object).str.replace(r"^([+-]?)\s*[$€£¥]\s*", r"\1", regex=True)
    spaced = text.str.match(rf"{_SIGN}\d{{1,3}}(?:[ '’]\d{{3}})+(?:[.,]\d*)?\s*%?$", na=False).to_numpy(dtype=bool)
    return text.where(~spaced, text.str.replace(r"[ '’]", "", regex=True))


def _read(text: pd.Series[Any], style: str) -> np.ndarray[Any, Any]:
    if style == POINT:
        grouped = text.str.match(_GROUPS[","] + r"+(?:\.\d*)?$", na=False).to_numpy(dtype=bool)
        text = text.where(~grouped, text.str.replace(",", "", regex=False))
    if style == COMMA:
        text = text.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    # Python reads 1_000 as a number, tables do not mean it
    values = pd.to_numeric(text.where(~text.str.contains("_", regex=False, na=False).astype(bool)), errors="coerce")
    return values.to_numpy(dtype=np.float64, na_value=np.nan)
