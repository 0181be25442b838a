"""Dates as people write them, and the numbers that a model can use of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_TIME = r"(?:[T ]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?\s*(?:Z|[+-]\d{2}:?\d{2})?)?$"
_FORMS = {
    "ymd": r"^(?P<year>\d{4})[-/.年]\s*(?P<month>\d{1,2})[-/.月]\s*(?P<day>\d{1,2})日?\s*" + _TIME,
    "dmy": r"^(?P<day>\d{1,2})[-/.](?P<month>\d{1,2})[-/.](?P<year>\d{4})" + _TIME,
    "mdy": r"^(?P<month>\d{1,2})[-/](?P<day>\d{1,2})[-/](?P<year>\d{4})" + _TIME,
    "ym": r"^(?P<year>\d{4})[-/年](?P<month>\d{1,2})月?$",
}
_UNITS = ("year", "month", "day", "hour", "minute", "second")
MAYBE_DATE = r"^(?:\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{4}[-/.年]\s*\d{1,2})"


def parse_dates(cells: pa.Array, style: str) -> pd.Series[Any]:
    """Read trimmed strings as times; what is none becomes NaT. Zones are left out: the clock on the wall counts.

    Parameters
    ----------
    cells : Arrow array of n strings
    style : {"ymd", "dmy", "mdy", "ym"}
        Order of year, month and day.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from transfermap.data.tables.dates import parse_dates
    >>> parse_dates(pa.array(["2024年3月1日", "2024-03-01 12:30", "soon"]), "ymd").dt.hour.tolist()
    [0.0, 12.0, nan]
    """
    found = pc.extract_regex(cells, pattern=_FORMS[style])
    parts = pd.DataFrame(
        {name: _whole(pc.struct_field(found, name)) for name in _UNITS if f"<{name}>" in _FORMS[style]}
    )
    parts = parts.assign(day=1.0) if style == "ym" else parts
    known = parts["year"].notna()
    # "coerce": the 31st of February becomes a missing cell
    stamps = pd.to_datetime(parts[known].fillna(0).astype(int), errors="coerce").astype("datetime64[us]")
    return stamps.reindex(parts.index)


def _whole(digits: pa.Array) -> np.ndarray[Any, Any]:
    empty = pc.equal(digits, "")
    numbers = pc.cast(pc.if_else(empty, pa.scalar(None, digits.type), digits), pa.float64())
    return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)


def date_style(cells: pa.Array) -> str:
    """The order of year, month and day that reads most cells; of day/month and month/day the one that reads more."""
    there = cells.drop_null()
    slashes = pc.any(pc.match_substring(there, "/")).as_py()
    # of equals max takes the first: with slashes the American order is the commoner, else the European
    order = ("ymd", "ym", "mdy", "dmy") if slashes else ("ymd", "ym", "dmy", "mdy")
    return max(order, key=lambda style: int(parse_dates(there, style).notna().sum()))


def date_parts(stamps: pd.Series[Any]) -> pd.DataFrame:
    """Times as numbers: days since 1970, the place in the year as a circle, the weekday (Monday 0), the hour.

    Parameters
    ----------
    stamps : Series of n times

    Returns
    -------
    DataFrame of shape (n, 5), float64, NaN where the time is missing
    """
    when = stamps.dt
    # as a circle: December lies beside January
    turn = (when.month - 1) * (2 * np.pi / 12)
    days = (stamps - pd.Timestamp(0)) / pd.Timedelta(days=1)
    hours = when.hour + when.minute / 60
    parts = {
        "days": days,
        "month_sin": np.sin(turn),
        "month_cos": np.cos(turn),
        "weekday": when.day_of_week,
        "hour": hours,
    }
    return pd.DataFrame({name: part.astype(np.float64) for name, part in parts.items()})
