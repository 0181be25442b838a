"""What a column holds, decided on the whole column, and the column brought into that form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from transfermap.data.tables.dates import MAYBE_DATE, date_style, parse_dates
from transfermap.data.tables.numerals import COMMA, PLAIN, number_style, parse_numbers
from transfermap.data.tables.spelling import canonical, is_text, raw_text, spelled, words

Kind = Literal["number", "category", "flag", "date", "text", "constant", "empty", "identifier"]

ENOUGH = 0.95  # of the cells: a few typing errors do not make a column of numbers one of words
_PAIRS = ("true false", "yes no", "y n", "t f", "on off", "是 否", "有 无", "对 错")
_FLAG_PAIRS = tuple(frozenset(pair.split()) for pair in _PAIRS)
_FLAGS = {word: float(1 - i) for pair in (*_PAIRS, "1 0") for i, word in enumerate(pair.split())}
_ID_NAME = re.compile(r"(?i:(^|[\s_\-.])(id|ids|idx|index|uuid|guid|key|row|rowid|no|nr)$)|编号|序号|[a-z]I[Dd]$")
_CJK = r"[\x{3040}-\x{30ff}\x{3400}-\x{9fff}\x{ac00}-\x{d7af}]"
_MAYBE_NUMBER = r"^[^\pL]*\d[^\pL]*(?:[eE][+-]?\d+)?[^\pL]*$|^[+-]?[iI]nf"
_LEAST_ROWS = 20  # below, all values differ by chance in many a column
_LARGEST = 1e100  # its square, and sums of those, are still finite
_ENOUGH_LETTERS = 1000  # of a cell, by which sentences are known; some cells hold whole books


class Inferred(NamedTuple):
    """What a column holds, and how it writes its numbers or dates; "" where there is nothing to settle."""

    kind: Kind
    style: str


def infer(series: pd.Series[Any]) -> Inferred:
    """What a column holds, and how it is written.

    A column is a number, date or flag when at least 95 % of its cells that are there can be read as one; strings are
    identifiers when nearly every row has another one and they are no sentences, text when they are sentences and mostly
    different, categories otherwise. Whole numbers stay numbers, few as they may be, unless they only count the rows.

    Parameters
    ----------
    series : Series of n cells, of any type; its name is looked at for integer keys ("customer_id")

    Returns
    -------
    Inferred
        ``kind``: "number", "category", "flag", "date", "text", "constant", "empty" or "identifier"; ``style``: see
        :mod:`transfermap.data.tables.numerals` and :mod:`transfermap.data.tables.dates`.

    Raises
    ------
    ValueError
        If the cells are complex numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from transfermap.data.tables.columns import infer
    >>> infer(pd.Series(["1,234.5", "2,000.0", "?"]))
    Inferred(kind='number', style='1,234.5')
    >>> infer(pd.Series(["是", "否", "是"])).kind
    'flag'
    """
    dtype = series.dtype
    if pd.api.types.is_complex_dtype(dtype):
        raise ValueError(
            f"column {series.name!r} holds complex numbers; expected real numbers, strings, flags or dates"
        )
    if is_numeric(dtype):
        return infer_all(series.to_frame())[str(series.name)]
    if pd.api.types.is_datetime64_any_dtype(dtype):
        kind = _date_kind(series)
        return Inferred(kind, "ymd" if kind == "date" else "")
    if (plain := _plain_numbers(series)) is not None:
        kind = _number_kinds(plain[:, None], [series.name])[0]
        return Inferred(kind, PLAIN if kind == "number" else "")
    written = words(series)
    cells = canonical(written)
    there = cells.drop_null()
    distinct = pc.count_distinct(there).as_py()
    few = _few_values(len(there), distinct, len(cells))
    if few or isinstance(dtype, pd.CategoricalDtype):
        # what a frame calls a category is one, even where its values are written as numbers
        return Inferred(few or "category", "")
    return _infer_words(written.drop_null(), there, distinct, str(series.name))


def infer_all(frame: pd.DataFrame) -> dict[str, Inferred]:
    """As :func:`infer`, column by column; those of numbers are looked at together, so that wide matrices are quick."""
    numeric = [name for name in frame.columns if is_numeric(frame[name].dtype)]
    kinds = _number_kinds(number_block(frame, numeric), numeric)
    # a number that never changes is a number all the same, and read much faster as one: so its style is told too
    known = {
        str(name): Inferred(kind, PLAIN if kind in ("number", "constant") else "")
        for name, kind in zip(numeric, kinds, strict=True)
    }
    return {str(name): known[str(name)] if str(name) in known else infer(frame[name]) for name in frame.columns}


def kind_of(series: pd.Series[Any]) -> Kind:
    """What a column holds (:func:`infer`)."""
    return infer(series).kind


def style_of(series: pd.Series[Any], kind: Kind) -> str:
    """How a column that is known to hold numbers or dates writes them; "" where there is nothing to settle."""
    if is_numeric(series.dtype) or pd.api.types.is_datetime64_any_dtype(series.dtype):
        return PLAIN if kind == "number" else "ymd" if kind == "date" else ""
    if kind == "number":
        return PLAIN if _plain_numbers(series) is not None else number_style(words(series))
    return date_style(words(series)) if kind == "date" else ""


def coerce(series: pd.Series[Any], kind: Kind, style: str | None = None) -> pd.Series[Any]:
    """The column in the form of its kind; cells that cannot be read so become missing.

    Parameters
    ----------
    series : Series of n cells
    kind : see :func:`kind_of`
    style : str, optional
        How the *source* writes numbers or dates (:func:`style_of`); None: found out from this column.

    Returns
    -------
    Series of n cells: float64 for numbers (never infinite) and flags, times for dates, else strings ("" is missing)
    """
    style = style_of(series, kind) if style is None else style
    if kind == "number":
        return pd.Series(_bounded(_numbers(series, style)), series.index, name=series.name)
    if kind == "flag":
        return pd.Series(_flags(series), series.index, dtype=np.float64, name=series.name)
    if kind == "date":
        return pd.Series(_dates(series, style).to_numpy(), series.index, name=series.name)
    return pd.Series(spelled(series), series.index, dtype=object, name=series.name)


def coerced(frame: pd.DataFrame, kinds: Mapping[str, Kind], styles: Mapping[str, str]) -> pd.DataFrame:
    """The named columns, in this order, in the form of their kinds; the numeric ones in one go."""
    quick = [n for n, kind in kinds.items() if kind == "number" and is_numeric(frame[n].dtype)]
    done = pd.DataFrame(_bounded(number_block(frame, quick)), frame.index, quick)
    if len(quick) == len(kinds):
        return done
    rest = {n: coerce(frame[n], kinds[n], styles.get(n)) for n in kinds if n not in done}
    # tables that write a column otherwise still have the same order: rows are compared by their cells in turn
    return pd.concat([done, pd.DataFrame(rest, frame.index)], axis=1)[list(kinds)]


def number_block(frame: pd.DataFrame, names: list[Any]) -> np.ndarray[Any, Any]:
    """Numeric columns as one float64 matrix of shape (n, len(names)); missing cells are NaN."""
    part = frame if len(names) == frame.shape[1] else frame[names]
    return np.asarray(part.to_numpy(dtype=np.float64, na_value=np.nan)).reshape(len(frame), len(names))


def settled(source: pd.DataFrame, target: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Inferred]]:
    """Both tables with float64 where both hold strings that are plain numbers, and what each source column holds.

    Every other column stays as it is: a key such as "007" is shown as its file writes it.
    """
    pairs = {str(n): (_plain_numbers(source[n]), _plain_numbers(target[n])) for n in source.columns}
    here = {name: ours for name, (ours, theirs) in pairs.items() if ours is not None and theirs is not None}
    found = infer_all(_replaced(source, here))
    kept = {name: ours for name, ours in here.items() if found[name].kind in ("number", "constant")}
    there = {name: theirs for name, (_, theirs) in pairs.items() if name in kept and theirs is not None}
    return _replaced(source, kept), _replaced(target, there), found


def _replaced(frame: pd.DataFrame, columns: Mapping[str, np.ndarray[Any, Any]]) -> pd.DataFrame:
    if not columns:
        return frame
    block = pd.DataFrame(np.column_stack(list(columns.values())), frame.index, list(columns))
    return pd.concat([frame.drop(columns=list(columns)), block], axis=1)[list(frame.columns)]


def unread(series: pd.Series[Any], done: pd.Series[Any]) -> int:
    """How many cells that are there have become missing in ``done = coerce(series, ...)``."""
    left = int(done.notna().sum())
    lost = int(series.notna().sum()) - left
    return len(series) - words(series).null_count - left if lost and not is_numeric(series.dtype) else lost


def _bounded(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Infinity counts as missing; what is finite stays small enough to be squared and summed."""
    if values.size and values.min() >= -_LARGEST and values.max() <= _LARGEST:  # false where a cell is NaN
        return values
    return np.where(np.isfinite(values), np.clip(values, -_LARGEST, _LARGEST), np.nan)


def is_numeric(dtype: Any) -> bool:
    """Whether a column's type is real numbers (flags are none)."""
    is_number = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)
    return is_number and not pd.api.types.is_bool_dtype(dtype)


def _few_values(there: int, distinct: int, rows: int) -> Kind | None:
    """The kinds that the number of distinct values settles; a lone value says something where others are missing."""
    if distinct == 0:
        return "empty"
    if distinct == 1:
        return "constant" if there == rows else "category"
    return None


def _number_kinds(block: np.ndarray[Any, Any], names: list[Any]) -> list[Kind]:
    finite = _bounded(block)
    low, high = (extreme.reduce(finite, axis=0, initial=np.nan) for extreme in (np.fmin, np.fmax))
    there = np.count_nonzero(~np.isnan(finite), axis=0)
    distinct = (there > 0).astype(int) + (high > low)
    kinds = [_few_values(int(t), int(d), len(block)) or "number" for t, d in zip(there, distinct, strict=True)]
    # cheap bounds for what could count the rows; the look at each value comes after
    maybe_id = (there == len(block)) & (high - low >= len(block) / 50 - 1) & (len(block) >= _LEAST_ROWS)
    for i in np.flatnonzero(maybe_id):
        if kinds[i] == "number" and counts(finite[:, i], str(names[i])):
            kinds[i] = "identifier"
    return kinds


def counts(values: np.ndarray[Any, Any], name: str) -> bool:
    """Whether whole numbers only count the rows, or are keys by their name and differ from row to row.

    Rows may be absent, so that steps larger than one occur, but then the numbers must start near the front.
    """
    steps = np.diff(values)
    if not np.array_equal(values, np.floor(values)):
        return False
    # up to every second row may be absent, as after a draw or a filter
    rising = bool((steps > 0).all()) and values[-1] - values[0] <= 2 * (len(values) - 1)
    if rising and (0 <= values[0] <= len(values)):
        return True
    # tables that were put together count anew from each one's start
    restarts = int(np.count_nonzero(steps < 0))
    keyed = len(np.unique(values)) == len(values) or (bool((steps != 0).all()) and restarts * 50 <= len(values))
    return bool(_ID_NAME.search(name)) and keyed


def _infer_words(written: pa.Array, there: pa.Array, distinct: int, name: str) -> Inferred:
    """``written``: the cells that are there as they will be read; ``there``: in their canonical spelling."""
    # four: both words, each in two spellings such as yes and Yes
    lower = set(pc.utf8_lower(pc.unique(there)).to_pylist()) if distinct <= 4 else set()
    if lower in _FLAG_PAIRS:
        return Inferred("flag", "")
    # a pattern first: most columns of words need not be read as numbers at all
    if _share(there, _MAYBE_NUMBER) >= ENOUGH:
        numbers = parse_numbers(written, style := number_style(written))
        if np.mean(~np.isnan(numbers)) >= ENOUGH:
            kind = _number_kinds(numbers[:, None], [name])[0]
            return Inferred(kind, style if kind == "number" else "")
    if _share(there, MAYBE_DATE) >= ENOUGH:
        style = date_style(written)
        if _read_dates(written, style).notna().mean() >= ENOUGH:
            return Inferred("date", style)
    wordy = _is_wordy(pc.utf8_slice_codeunits(there, 0, _ENOUGH_LETTERS))
    # sentences that recur, such as answers to choose from, are categories
    if wordy and distinct > min(50, len(there) / 2):
        return Inferred("text", "")
    unique = distinct >= ENOUGH * len(there) and len(there) >= _LEAST_ROWS
    return Inferred("identifier" if unique and not wordy else "category", "")


def _plain_numbers(series: pd.Series[Any]) -> np.ndarray[Any, Any] | None:
    """The cells of a column of strings as numbers, if every one is written as a computer would: the quick way."""
    if not is_text(series):
        return None
    try:
        values = pc.cast(raw_text(series), pa.float64())
        return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
    except pa.ArrowInvalid:
        return None


def _numbers(series: pd.Series[Any], style: str) -> np.ndarray[Any, Any]:
    if is_numeric(series.dtype):
        return number_block(series.to_frame(), [series.name])[:, 0]
    # "1.234" is a plain number to the quick way, and 1234 in this style
    plain = _plain_numbers(series) if style != COMMA else None
    return parse_numbers(words(series), style) if plain is None else plain


def _share(there: pa.Array, pattern: str) -> float:
    return float(pc.mean(pc.match_substring_regex(there, pattern)).as_py())


def _is_wordy(there: pa.Array) -> bool:
    """Whether the cells are sentences: several words, long, or eight and more characters of a script without blanks."""
    blanks = pc.mean(pc.count_substring_regex(there, r"\s+")).as_py()
    length = pc.mean(pc.utf8_length(there)).as_py()
    return bool(blanks >= 2 or (length >= 30 and blanks >= 1) or (is_cjk(there) and length >= 8))


def is_cjk(there: pa.Array) -> bool:
    """Whether Chinese, Japanese or Korean characters make up most of the letters."""
    letters = pc.sum(pc.count_substring_regex(there, r"\pL")).as_py() or 0
    return letters > 0 and (pc.sum(pc.count_substring_regex(there, _CJK)).as_py() or 0) > letters / 2


def _date_kind(series: pd.Series[Any]) -> Kind:
    return _few_values(int(series.notna().sum()), int(series.nunique()), len(series)) or "date"


def _flags(series: pd.Series[Any]) -> np.ndarray[Any, Any]:
    lower = pc.utf8_lower(canonical(words(series)))
    return np.array([_FLAGS.get(cell, np.nan) for cell in lower.to_pylist()], dtype=np.float64)


def _dates(series: pd.Series[Any], style: str) -> pd.Series[Any]:
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        # the clock on the wall: hours mean the same in every zone
        naive = series.dt.tz_localize(None) if getattr(series.dt, "tz", None) is not None else series
        return naive.astype("datetime64[us]")
    return _read_dates(words(series), style)


def _read_dates(cells: pa.Array, style: str) -> pd.Series[Any]:
    """Dates in the source's order of day and month, or with the year in front, which cannot be mistaken."""
    # a year in front leaves no choice, whatever order the column has otherwise
    dates = parse_dates(cells, style)
    return dates.fillna(parse_dates(cells, "ymd")) if style != "ymd" else dates
