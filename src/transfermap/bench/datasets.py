"""The benchmark data sets, by name: what each is, where its files are expected, and how they are read.

Nothing is ever downloaded. A data set is a function that reads the domains from the data folder, under its decorator
(:mod:`transfermap.bench.loaders`); any other folder with one table a domain (:mod:`transfermap.bench.folders`) is one
too, under the folder's name.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from transfermap.bench import loaders
from transfermap.bench.catalogue import DataSet, Domain, Domains
from transfermap.bench.dataset_files import Array
from transfermap.bench.folders import domain_files, read_domains
from transfermap.bench.preprocess import prepare
from transfermap.messages.choices import choose

VARIABLE = "TRANSFERMAP_DATA"


def data_folder(given: Path | str | None = None) -> Path:
    """The folder that holds the data sets: the one given, or the environment's ``TRANSFERMAP_DATA``.

    Raises
    ------
    ValueError
        If neither is given, or there is no such folder.
    """
    place = given or os.environ.get(VARIABLE)
    if not place:
        raise ValueError(f"say which folder holds the data sets: --data-dir FOLDER, or the variable {VARIABLE}")
    folder = Path(place)
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}; expected the one that holds the data sets")
    return folder


def find_set(name: str, data_dir: Path | str | None = None) -> DataSet:
    """The data set ``name``: one of those known here, or a folder of that name in the data folder.

    Raises
    ------
    ValueError
        If there is none; the message lists what there is.
    """
    if name in loaders.SETS:
        return loaders.SETS[name]
    folder = data_folder(data_dir) / name
    if not name or Path(name).name != name or not folder.is_dir():
        raise ValueError(
            f"no data set {name!r}: expected one of {', '.join(loaders.SETS)}, "
            f"or the name of a folder in {data_folder(data_dir)}"
        )
    return _of_folder(name, folder)


def _of_folder(name: str, folder: Path) -> DataSet:
    files = domain_files(folder)
    return DataSet(
        name=name,
        about="A folder with one table a domain.",
        licence="its owner's",
        files=tuple(f"{name}/{path.name}" for path in files.values()),
        domains=tuple(files),
        read=lambda data_dir: {k: Domain(*v) for k, v in read_domains(data_dir / name).items()},
    )


def known_sets(data_dir: Path) -> list[DataSet]:
    """Every data set known here, then every folder of the data folder that is one, by name."""
    others = sorted(path for path in data_dir.iterdir() if path.is_dir() and path.name not in loaders.SETS)
    found = [_of_folder(path.name, path) for path in others]
    return [*loaders.SETS.values(), *(data for data in found if len(data.domains) > 1)]


def missing(data: DataSet, data_dir: Path) -> list[Path]:
    """The files of a data set that are not where they are expected."""
    return [data_dir / name for name in data.files if not (data_dir / name).exists()]


def load_domains(name: str, data_dir: Path | str | None = None) -> Domains:
    """All domains of a data set, ``{name: Domain(X, y)}``; read once in a process, unless the files change.

    Raises
    ------
    ValueError
        If the data are not there, in one sentence that says which file was expected where; or are damaged.
    """
    folder = data_folder(data_dir).resolve()
    return _read(name, folder, _stamps(find_set(name, folder), folder))


Stamps = tuple[tuple[int, int], ...]


def _stamps(data: DataSet, folder: Path) -> Stamps:
    """When each file was written and how long it is: what is kept in memory is what lies on disk."""
    lost = missing(data, folder)
    if lost:
        more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        raise ValueError(f"{data.name} is not in {folder}: expected {lost[0]}{more}; nothing is downloaded")
    files = [(folder / name).stat() for name in data.files]
    return tuple((file.st_mtime_ns, file.st_size) for file in files)


# a grid goes through the tasks in order, so the last domains are those that are asked for again
@lru_cache(maxsize=2)
def _read(name: str, folder: Path, stamps: Stamps) -> Domains:
    return find_set(name, folder).read(folder)


class Rows(NamedTuple):
    """A task: source rows ``Xs`` (n_source, d), their classes ``ys``, target rows ``Xt`` (n_target, d) and the truth.

    ``domains`` (n_source,) numbers each row's source, from 0. ``yt`` is for scoring; no method may see it.
    """

    Xs: Any
    ys: Array
    Xt: Any
    yt: Array
    domains: Array


def load_task(
    name: str, source: str, target: str, data_dir: Path | str | None = None, preprocess: str = "none"
) -> Rows:
    """One task of a data set, each domain's features prepared on its own by the recipe ``preprocess``.

    Parameters
    ----------
    name : str
        The data set.
    source : str
        A domain, or several joined by "+".
    target : str
        A domain.
    data_dir : path, optional
        The data folder; None: the environment's ``TRANSFERMAP_DATA``.
    preprocess : str
        A recipe of :mod:`transfermap.bench.preprocess`.

    Raises
    ------
    ValueError
        If the data are not there, or have no such domain.
    """
    folder = data_folder(data_dir).resolve()
    return _task(name, source, target, folder, preprocess, _stamps(find_set(name, folder), folder))


# joint features depend on both texts, so these are kept a task, not a domain
@lru_cache(maxsize=4)
def _task(name: str, source: str, target: str, folder: Path, preprocess: str, stamps: Stamps) -> Rows:
    domains, joint = load_domains(name, folder), find_set(name, folder).joint
    parts = [_domain(name, domains, part) for part in source.split("+")]
    goal = _domain(name, domains, target)
    numbers = np.repeat(np.arange(len(parts)), [len(part.y) for part in parts])
    Xs = [part.X for part in parts]
    Xt = goal.X
    if joint is not None:
        # one dictionary for all sources: columns must mean the same in each
        together, Xt = joint(np.concatenate(Xs), Xt)
        Xs = [together[numbers == i] for i in range(len(parts))]
    # each domain by itself, as the papers do; it takes out a part of the shift already
    prepared = [prepare(preprocess, X) for X in Xs]
    stack = sparse.vstack(prepared, format="csr") if sparse.issparse(prepared[0]) else np.concatenate(prepared)
    return Rows(stack, np.concatenate([part.y for part in parts]), prepare(preprocess, Xt), goal.y, numbers)


def _domain(name: str, domains: Domains, wanted: str) -> Domain:
    return domains[choose(f"domain of {name}", wanted, domains)]


def fingerprint(domain: Domain) -> str:
    """Twelve hexadecimal digits that change when a domain's rows or labels do."""
    total = hashlib.sha256()
    for part in domain:
        plain = np.asarray(part)
        # objects have no bytes of their own, only addresses
        text = plain.dtype.kind in "OU"
        # type and shape as well: the same bytes can be two tables
        total.update(f"{'text' if text else plain.dtype.str}{plain.shape}".encode())
        total.update("\0".join(plain.tolist()).encode() if text else np.ascontiguousarray(plain).tobytes())
    return total.hexdigest()[:12]
