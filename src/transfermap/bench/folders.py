"""Any folder of your own as a data set: one table a domain.

``DATA_DIR/<name>/<domain>.csv`` (or ``.parquet``, ``.npz``, ``.mat``): a text or Parquet table has the classes in its
column ``y`` and numbers in all others; an array file has a matrix ``X`` and a vector ``y``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyarrow import ArrowException, parquet

from transfermap.bench.dataset_files import Array, arrays, inside, labels, rows
from transfermap.data.tables.files import read_table

LABEL = "y"
Domain = tuple[Array, Array]


def domain_files(folder: Path) -> dict[str, Path]:
    """The files of a folder that hold a domain, by the domain's name; only their heads are looked at."""
    if not folder.is_dir():
        return {}
    files = sorted(path for path in folder.iterdir() if path.suffix in _HEADS and path.is_file())
    return {path.stem: path for path in files if _HEADS[path.suffix](path)}


def read_domains(folder: Path) -> dict[str, Domain]:
    """Every domain of a folder, ``{name: (X, y)}``, all with the same number of columns.

    Raises
    ------
    ValueError
        If the folder does not hold at least two domains, or they do not fit each other.
    """
    files = domain_files(folder)
    if len(files) < 2:
        raise ValueError(
            f"{folder} is no data set: expected at least two files <domain>.csv, .parquet, .npz or .mat with X and y "
            f"in it, found {len(files)}"
        )
    frames = {name: _read(path) for name, path in files.items()}
    _same_columns(frames, files)
    # "1" in one file and 1 in another are the same class
    # one file with words among its labels makes all of them words
    words = any(y.dtype.kind == "U" for _, y, _ in frames.values())
    return {name: (rows(X, files[name]), y.astype(str) if words else y) for name, (X, y, _) in frames.items()}


def _read(path: Path) -> tuple[Any, Array, list[str]]:
    """Features, labels and the features' names; without names for a matrix."""
    if path.suffix in (".npz", ".mat"):
        found = arrays(path, ("X", LABEL))
        X, y = found["X"], labels(found[LABEL], path)
        names = [str(i) for i in range(X.shape[-1])]
    else:
        frame = read_table(path)
        y = labels(_typed(frame.pop(LABEL)), path)
        names = [str(name) for name in frame]
        X = np.column_stack([_numbers(frame[name], path) for name in frame]) if names else np.empty((len(frame), 0))
    if X.ndim != 2 or len(X) != len(y) or not X.shape[1]:
        raise ValueError(
            f"{path}: expected a matrix of features and one label a row; got {X.shape} and {len(y)} labels"
        )
    return X, y, names


def _typed(column: pd.Series[Any]) -> Any:
    """Labels of a text table: numbers where all of them are."""
    if column.isna().any():
        return column.to_numpy(dtype=object)
    numbers = pd.to_numeric(column, errors="coerce")
    # all or none: a column of 1, 2 and "other" holds words
    return (column.astype(str) if numbers.isna().any() else numbers).to_numpy()


def _numbers(column: pd.Series[Any], path: Path) -> Array:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    if np.isnan(numbers).any():
        strange = column[np.isnan(numbers)].iloc[0]
        raise ValueError(f"{path}: the column {column.name!r} must hold numbers in every row; got {strange!r}")
    return numbers


def _same_columns(frames: dict[str, tuple[Any, Array, list[str]]], files: dict[str, Path]) -> None:
    (first, (_, _, wanted)), *others = frames.items()
    for name, (_, _, columns) in others:
        if columns != wanted:
            raise ValueError(
                f"{files[name]} and {files[first]} must have the same columns in the same order; they have "
                f"{len(columns)} and {len(wanted)}"
            )


def _csv(path: Path) -> bool:
    with path.open(encoding="utf8", errors="replace") as file:
        # bounded: a binary file under this name may have no line end at all
        head = file.readline(1 << 20)
    return LABEL in [cell.strip().strip('"') for cell in head.replace(";", ",").replace("\t", ",").split(",")]


def _parquet(path: Path) -> bool:
    try:
        return LABEL in parquet.read_schema(path).names
    except (ArrowException, OSError):
        return False


def _arrays(path: Path) -> bool:
    return {"X", LABEL} <= set(inside(path))


_HEADS: dict[str, Callable[[Path], bool]] = {".csv": _csv, ".parquet": _parquet, ".npz": _arrays, ".mat": _arrays}
