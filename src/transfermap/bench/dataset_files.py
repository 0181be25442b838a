"""Files that data sets come in, read as arrays; a missing or damaged one is one sentence."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = dict[str, Array]
# what the readers raise for files that are damaged or cut off
_BROKEN = (OSError, EOFError, KeyError, TypeError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error)


def arrays(path: Path, names: Iterable[str]) -> Arrays:
    """The named arrays of a ``.npz``, ``.mat`` or HDF5 file; MATLAB's 7.3 files come as MATLAB shows them.

    Raises
    ------
    ValueError
        If the file is damaged or lacks one of them.
    """
    try:
        found = _opened(path, tuple(names))
    except (*_BROKEN, scipy.io.matlab.MatReadError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"{path} cannot be read: expected the arrays {', '.join(names)} in it ({reason[:200]})"
        ) from None
    return found


def _opened(path: Path, names: tuple[str, ...]) -> Arrays:
    if path.suffix == ".npz":
        # a pickle runs code
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    if not h5py.is_hdf5(path):
        # only these: such files often hold images beside
        content = scipy.io.loadmat(path, variable_names=names)
        return {name: content[name] for name in names}
    with h5py.File(path, "r") as file:
        found = {name: np.asarray(file[name][()]) for name in names}
    # MATLAB stores columns first
    return {name: a.T for name, a in found.items()} if path.suffix == ".mat" else found


def inside(path: Path) -> list[str]:
    """The names of the arrays in a ``.npz`` or ``.mat`` file, without reading them; none for a damaged one."""
    try:
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as file:
                return [name.removesuffix(".npy") for name in file.namelist()]
        if h5py.is_hdf5(path):
            with h5py.File(path, "r") as file:
                return list(file)
        return [name for name, *_ in scipy.io.whosmat(path)]
    except (*_BROKEN, scipy.io.matlab.MatReadError):
        return []


def labels(values: Any, path: Path) -> Array:
    """Class labels (n,) as whole numbers or strings.

    Raises
    ------
    ValueError
        If they are fractions or missing: what is scored is the share of right classes.
    """
    # MATLAB knows matrices only: labels come as (n, 1) or (1, n)
    y = np.ravel(np.asarray(values))
    if y.dtype.kind in "OT":
        # v != v: NaN
        if any(v is None or v != v or v == "" for v in y.tolist()):
            raise ValueError(f"{path} has rows without a label; expected a class for every row")
        return y.astype(str)
    if y.dtype.kind == "f":
        if not np.isfinite(y).all() or (y != np.round(y)).any():
            raise ValueError(f"the labels in {path} are no classes: expected whole numbers or words")
        return y.astype(int)
    return y.astype(int) if y.dtype.kind in "iub" else y


def rows(values: Any, path: Path) -> Array:
    """Features as a matrix (n, d) of float64, or of float32 where the file holds single or half floats."""
    X = np.asarray(values)
    if X.ndim != 2 or X.dtype.kind not in "biuf":
        raise ValueError(f"the features in {path} must be one matrix of numbers; got {X.dtype} of shape {X.shape}")
    # float16 too: sums of squares would overflow in it
    X = np.ascontiguousarray(X, dtype=np.float32 if X.dtype in (np.float16, np.float32) else float)
    if not np.isfinite(X).all():
        raise ValueError(f"the features in {path} have missing or infinite values; expected none")
    return X
