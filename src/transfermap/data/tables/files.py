"""Tables from files: CSV and TSV (also gzipped), Parquet, NumPy ``.npz``, MATLAB ``.mat``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from transfermap.data.tables.arrays import read_mat, read_npz
from transfermap.data.tables.delimited import UNREADABLE, counts_rows, read_delimited
from transfermap.data.tables.frames import tidy

PathText = str | PathLike[str]
_TEXT = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
_PARQUET = (".parquet", ".pq")
_WHOLE: dict[str, Callable[[Path], pd.DataFrame]] = {".npz": read_npz, ".mat": read_mat}


def read_table(path: PathText) -> pd.DataFrame:
    """Read a table from a file; the suffix says which format.

    Cells of text tables stay strings (see :mod:`transfermap.data.tables.columns`), typed files keep their types.

    Parameters
    ----------
    path : str or path
        ``.csv .tsv .txt`` (also with ``.gz``), ``.parquet .pq``, ``.npz`` or ``.mat``.

    Returns
    -------
    DataFrame of shape (n, columns)

    Raises
    ------
    ValueError
        If the file is missing, empty, damaged or of another format; one sentence that names it.
    """
    return pd.concat(list(_blocks(path, 1 << 20)), ignore_index=True)


def read_chunks(path: PathText, rows: int = 50_000) -> Iterator[pd.DataFrame]:
    """Read a table in slices of at most ``rows`` rows; text and Parquet are never held in memory as a whole.

    Parameters
    ----------
    path : str or path
    rows : int
        Most rows a slice, at least 1.

    Yields
    ------
    DataFrame whose index goes on counting from slice to slice
    """
    if rows < 1:
        raise ValueError(f"rows must be at least 1, got {rows}")
    start = 0
    for block in _blocks(path, rows):
        for low in range(0, len(block), rows):
            piece = block.iloc[low : low + rows]
            yield piece.set_axis(pd.RangeIndex(start, start + len(piece)))
            start += len(piece)


def digest(path: PathText) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    found = _found(path)
    total = hashlib.sha256()
    with found.open("rb") as file:
        # in blocks: the file may be larger than memory
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def _blocks(path: PathText, rows: int) -> Iterator[pd.DataFrame]:
    """The table in whatever pieces its format comes in, with tidy column names."""
    found = _found(path)
    suffix = _suffix(found)
    try:
        pieces = _pieces(found, suffix, rows)
        yield from (tidy(piece, str(path)) for piece in pieces)
    except (*UNREADABLE, pa.ArrowException, OSError) as error:
        reason = (str(error).splitlines() or ["it is damaged"])[0]
        raise ValueError(f"{path} cannot be read as a {suffix} file: {reason[:200]}") from None


def _pieces(path: Path, suffix: str, rows: int) -> Iterator[pd.DataFrame]:
    if suffix in _TEXT:
        yield from read_delimited(path)
    elif suffix in _PARQUET:
        yield from _read_parquet(path, rows)
    else:
        yield _WHOLE[suffix](path)


def _found(path: PathText) -> Path:
    """The path, if a file that can be opened and has content lies there."""
    found = Path(path)
    if found.is_dir():
        raise ValueError(f"{path} is a folder; expected a file")
    try:
        with found.open("rb") as file:
            # opened and read here, so that what is wrong is said in one sentence and not by a reader deep inside
            start = file.read(1)
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be opened: {error.strerror or error}") from None
    if not start:
        raise ValueError(f"{path} is empty (0 bytes)")
    return found


def _suffix(path: Path) -> str:
    name = path.name.lower()
    known = (*_TEXT, *_PARQUET, *_WHOLE)
    # by the end, as Path.suffix of x.csv.gz is .gz
    suffix = next((s for s in known if name.endswith(s)), None)
    if suffix is None:
        raise ValueError(f"{path} has the unknown suffix {path.suffix!r}; expected one of {', '.join(known)}")
    return suffix


def _read_parquet(path: Path, rows: int) -> Iterator[pd.DataFrame]:
    with parquet.ParquetFile(path) as file:
        nested = [field.name for field in file.schema_arrow if pa.types.is_nested(field.type)]
        if nested:
            raise ValueError(f"{path} has columns of lists or records: {', '.join(nested)}; expected one value a cell")
        if file.metadata.num_rows == 0:
            raise ValueError(f"{path} has columns but no rows")
        counter: bool | None = None
        for batch in file.iter_batches(batch_size=rows):
            frame = batch.to_pandas().reset_index(drop=True)
            counter = counts_rows(frame) if counter is None else counter
            yield frame.iloc[:, 1:] if counter else frame
