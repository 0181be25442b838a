"""Array files (.npz, .mat): the one matrix becomes the columns x0, x1, ..., vectors beside it become columns too.

An array of images becomes columns as well, whose names say where their points lie (x[0,0], x[0,1], ...).
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import scipy.io
import scipy.sparse

from transfermap.data.images.grids import image_table

Arrays = dict[str, np.ndarray[Any, Any]]
# what features are called in the field's files; "fts" in those of Office-Caltech
_MATRIX = ("X", "x", "features", "fts", "data")
_DENSE_LIMIT = 500_000_000  # bytes
_BROKEN = (OSError, EOFError, KeyError, TypeError, ValueError, IndexError, zipfile.BadZipFile, zlib.error)


def read_npz(path: Path) -> pd.DataFrame:
    """The table in a NumPy or SciPy-sparse ``.npz`` file."""
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} cannot be read as a NumPy .npz file: it is none, or cut off")
    try:
        # a pickle runs code
        with np.load(path, allow_pickle=False) as file:
            names = list(file.files)
            if {"format", "shape", "data"} <= set(names):
                return pd.DataFrame(_numbered(densify(scipy.sparse.load_npz(path), str(path))))
            arrays = {name: file[name] for name in names}
    except _BROKEN as error:
        raise ValueError(_npz_fault(path, str(error))) from None
    return table_of(arrays, path)


def read_mat(path: Path) -> pd.DataFrame:
    """The table in a MATLAB file, version 5 or 7.3."""
    try:
        arrays = _version73(path) if h5py.is_hdf5(path) else _version5(path)
    except (*_BROKEN, NotImplementedError, scipy.io.matlab.MatReadError) as error:
        raise ValueError(f"{path} cannot be read as a MATLAB file: {_line(error)}") from None
    return table_of(arrays, path)


def densify(matrix: Any, what: str) -> np.ndarray[Any, Any]:
    """A sparse matrix as a dense one, if that stays under 500 MB."""
    size = int(np.prod(matrix.shape)) * 8
    if size > _DENSE_LIMIT:
        raise ValueError(f"{what} is a sparse matrix that needs {size / 1e6:,.0f} MB when dense; expected under 500 MB")
    return np.asarray(matrix.toarray())


def table_of(arrays: Mapping[str, np.ndarray[Any, Any]], path: Path) -> pd.DataFrame:
    """Matrix (or images) and vectors as one frame; the vectors' length settles which axis holds the rows."""
    matrix_name = _matrix_name(arrays, path)
    matrix = arrays[matrix_name]
    vectors = {name: np.ravel(a) for name, a in arrays.items() if name != matrix_name and _is_vector(a)}
    lengths = {len(v) for v in vectors.values()}
    if matrix.shape[0] not in lengths and matrix.shape[-1] in lengths:
        # many MATLAB files keep a row of the table in a column
        matrix = np.moveaxis(matrix, -1, 0)
    frame = _numbered(matrix) if matrix.ndim == 2 else image_table(matrix, f"{matrix_name} in {path}")
    columns = {name: v for name, v in vectors.items() if len(v) == len(frame) and name not in frame}
    if not len(frame):
        raise ValueError(f"{path} holds a matrix without rows")
    return pd.concat([frame, pd.DataFrame(columns)], axis=1) if columns else frame


def _matrix_name(arrays: Mapping[str, np.ndarray[Any, Any]], path: Path) -> str:
    numeric = [name for name, a in arrays.items() if a.ndim in (2, 3, 4) and a.dtype.kind in "biuf"]
    if named := [name for name in _MATRIX if name in numeric]:
        return named[0]
    if len(matrices := [name for name in numeric if not _is_vector(arrays[name])]) == 1:
        return matrices[0]
    found = ", ".join(f"{name} {'x'.join(map(str, a.shape))} {a.dtype}" for name, a in arrays.items()) or "nothing"
    raise ValueError(
        f"{path}: expected one matrix or array of images, or one called {', '.join(_MATRIX)}; found {found}"
    )


def _is_vector(array: np.ndarray[Any, Any]) -> bool:
    return array.dtype.kind in "biufUSM" and (array.ndim == 1 or (array.ndim == 2 and 1 in array.shape))


def _numbered(matrix: np.ndarray[Any, Any]) -> pd.DataFrame:
    """A matrix as a frame with the columns x0, x1, ...; half floats widened, as pandas does not compute with them."""
    wide = matrix.astype(np.float32) if matrix.dtype == np.float16 else matrix
    return pd.DataFrame(np.ascontiguousarray(wide), columns=[f"x{i}" for i in range(matrix.shape[1])])


def _npz_fault(path: Path, message: str) -> str:
    if "allow_pickle" in message:
        return f"{path} holds pickled objects, which are never loaded; expected plain arrays of numbers or strings"
    if "sparse matrix that needs" in message:
        return message
    return f"{path} cannot be read as a NumPy .npz file: {message.splitlines()[0] if message else 'it is damaged'}"


def _version5(path: Path) -> Arrays:
    content = {k: v for k, v in scipy.io.loadmat(path).items() if not k.startswith("__")}
    arrays: Arrays = {}
    for name, value in content.items():
        if scipy.sparse.issparse(value):
            arrays[name] = densify(value, f"{name} in {path}")
        elif isinstance(value, np.ndarray):
            arrays[name] = _cell_strings(value) if value.dtype == object else value
    return arrays


def _cell_strings(cells: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A MATLAB cell array of strings as an array of strings; other cell arrays stay objects and are passed over."""
    texts = [cell.item() if isinstance(cell, np.ndarray) and cell.size == 1 else cell for cell in cells.ravel()]
    if not all(isinstance(text, str) for text in texts):
        return cells
    return np.array(texts, dtype=str).reshape(cells.shape)


def _version73(path: Path) -> Arrays:
    """Arrays of a MATLAB 7.3 file, which is HDF5 and stores every array transposed."""
    with h5py.File(path, "r") as file:
        plain = {k: v for k, v in file.items() if not k.startswith("#") and isinstance(v, h5py.Dataset)}
        return {k: _turned(v) for k, v in plain.items() if v.dtype.kind in "biuf"}


def _turned(dataset: Any) -> np.ndarray[Any, Any]:
    # MATLAB stores columns first, HDF5 rows
    return np.asarray(dataset[()]).T


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
