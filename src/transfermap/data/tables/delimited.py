"""Text tables (CSV, TSV): encoding, delimiter and header are found out, then the cells are streamed as strings.

Cells stay strings so that what a cell means never depends on the chunk it came in;
:mod:`transfermap.data.tables.columns` decides on the whole column what it holds.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from transfermap.data.tables.spelling import MISSING

_BLOCK = 1 << 24  # bytes, 16 MB: larger than any row that people have
_SAMPLE = 1 << 22  # characters by which the layout is found
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text table is laid out: encoding, delimiter, column names, lines to leave out before the first row."""

    encoding: str
    delimiter: str
    names: tuple[str, ...]
    skip: int


def read_delimited(path: Path) -> Iterator[pd.DataFrame]:
    """The rows of a text table as frames of strings, one block of the file at a time.

    Raises
    ------
    ValueError
        If the file is no text, has no rows, repeats a column name or has rows of unequal length.
    """
    layout = layout_of(path)
    counter: bool | None = None
    try:
        for batch in _batches(path, layout):
            frame = batch.to_pandas()
            counter = counts_rows(frame) if counter is None else counter
            yield frame.iloc[:, 1:] if counter else frame
    except pa.ArrowInvalid as error:
        raise ValueError(_ragged(path, layout, str(error))) from None
    if counter is None:
        raise ValueError(f"{path} has a header but no rows")
    if _open_quote(path, layout, frame):
        raise ValueError(f"{path} has a quotation mark that is never closed, so that the last lines run into one cell")


def layout_of(path: Path) -> Layout:
    """Find encoding, delimiter and header of a text table."""
    encoding = _encoding(path)
    with io.TextIOWrapper(_opened(path), encoding=encoding, newline="") as file:
        text = file.read(_SAMPLE)
    delimiter = _delimiter(text, path.name.lower())
    rows = _rows(text, delimiter)
    blank, first = next(((i, row) for i, row in enumerate(rows) if any(map(str.strip, row))), (0, []))
    names, header = _names(first, path)
    if header and len(text) < _SAMPLE and not any(rows):
        raise ValueError(f"{path} has a header but no rows")
    return Layout(encoding, delimiter, names, blank + header)


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """The first rows of a text; a cell too long for Python's reader stands as the last row."""
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    except csv.Error as error:
        yield [str(error)]


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _encoding(path: Path) -> str:
    """The first encoding that the whole file can be read in."""
    with _opened(path) as file:
        start = file.read(4)
    marked = [name for mark, name in _BOMS if start.startswith(mark)]
    # UTF-8 first: other text is hardly ever valid UTF-8, while much is valid GB18030
    for encoding in marked or ["utf-8", "gb18030"]:
        if _decodes(path, encoding) and (encoding != "gb18030" or _is_chinese(path)):
            return encoding
    raise ValueError(
        f"{path} is no text that can be read: expected UTF-8, GB18030, or UTF-16 with a byte order mark; "
        f"if it is text, save it as UTF-8"
    )


def _is_chinese(path: Path) -> bool:
    """Whether text that decodes as GB18030 was written so, and is no Western text whose accents happen to fit.

    Most Chinese characters are two bytes above 127; a Western accent is one, and what it takes for its second byte is
    the plain letter behind it.
    """
    high = strange = 0
    decoder = codecs.getincrementaldecoder("gb18030")()
    with _opened(path) as file:
        while block := file.read(_BLOCK):
            text = decoder.decode(block)
            strange += len(text) - len(text.encode("ascii", "ignore"))
            high += int(np.count_nonzero(np.frombuffer(block, np.uint8) > 127))
    return high > 1.5 * strange


def _decodes(path: Path, encoding: str) -> bool:
    """Whether every byte is text in this encoding; a NUL character is a sign of a binary file."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with _opened(path) as file:
        try:
            while block := file.read(_BLOCK):
                if "\0" in decoder.decode(block):
                    return False
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _delimiter(text: str, name: str) -> str:
    """The delimiter under which most of the first rows have as many cells as the header, and the header several."""
    # the sample may end within a line, which then has too few cells
    lines = text if len(text) < _SAMPLE else text[: text.rfind("\n") + 1]
    # of equals max takes the first: the comma; blanks part cells in .txt only, as words have them too
    candidates = ",;\t|" + (" " if ".txt" in name else "")

    def fit(mark: str) -> tuple[bool, float, int]:
        widths = [len(row) for row in islice(_rows(lines, mark), 200) if row]
        share = widths.count(widths[0]) / len(widths) if widths else 0.0
        return widths[:1] > [1] and share >= 0.5, share, widths[0] if widths else 0

    return max(candidates, key=fit)


def _names(first: list[str], path: Path) -> tuple[tuple[str, ...], bool]:
    """Column names, and whether the first line is a header (a line of numbers is a row of a matrix)."""
    cells = [cell.strip() for cell in first]
    if cells and all(map(_is_number, cells)) and not _counted(cells):
        return tuple(f"x{i}" for i in range(len(cells))), False
    names = tuple(cell or f"Unnamed: {i}" for i, cell in enumerate(cells))
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ValueError(f"{path} has several columns of the same name: {', '.join(twice)}")
    return names, True


def _open_quote(path: Path, layout: Layout, last: pd.DataFrame) -> bool:
    """Whether the last cell that has something runs over several lines and the file's quotation marks are odd."""
    cells = last.iloc[-1].dropna()
    if not len(cells) or "\n" not in str(cells.iloc[-1]):
        return False
    with io.TextIOWrapper(_opened(path), encoding=layout.encoding, newline="") as file:
        return sum(line.count('"') for line in file) % 2 == 1


def _counted(cells: list[str]) -> bool:
    """Whether a line is 0, 1, 2, ... or 1, 2, 3, ...: the header that programs give a matrix."""
    return len(cells) > 2 and cells in ([str(i + start) for i in range(len(cells))] for start in (0, 1))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _batches(path: Path, layout: Layout) -> Iterator[pa.RecordBatch]:
    """The file's rows as Arrow batches in which every column holds strings."""
    read = arrow_csv.ReadOptions(
        column_names=layout.names,
        skip_rows_after_names=layout.skip,
        encoding=layout.encoding.removesuffix("-sig"),
        block_size=_BLOCK,
        # blocks come in their order, and one thread is what the caller has counted with
        use_threads=False,
    )
    # cells between quotation marks may run over several lines
    parse = arrow_csv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True)
    convert = arrow_csv.ConvertOptions(
        # strings: types are found by our own rules, in all columns alike, and not from the first block
        column_types=dict.fromkeys(layout.names, pa.string()),
        strings_can_be_null=True,
        null_values=sorted(MISSING),
    )
    with _opened(path) as file:
        yield from (batch for batch in arrow_csv.open_csv(file, read, parse, convert) if batch.num_rows)


def counts_rows(frame: pd.DataFrame) -> bool:
    """Whether the first column is a nameless index that a program wrote beside the table."""
    if str(frame.columns[0]) != "Unnamed: 0" or frame.shape[1] == 1:
        return False
    first = pd.to_numeric(frame.iloc[:, 0], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return any(np.array_equal(first, np.arange(start, start + len(first))) for start in (0, 1))


def _ragged(path: Path, layout: Layout, message: str) -> str:
    if "Expected" in message and "columns, got" in message:
        found = message.split("CSV parse error: ")[-1].split("\n")[0][:200]
        return f"{path} has rows of unequal length ({len(layout.names)} columns in the first line): {found}"
    return f"{path} cannot be read as a text table: {message.splitlines()[0][:200]}"


UNREADABLE = (gzip.BadGzipFile, EOFError, zlib.error)
