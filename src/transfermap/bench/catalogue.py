"""What a benchmark data set is, and the register that readers enter by their decorator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

from transfermap.bench.dataset_files import Array

Pair = tuple[str, str]


class Domain(NamedTuple):
    """Rows ``X`` (n, d), or texts (n,), and their classes ``y`` (n,)."""

    X: Any
    y: Array


Domains = Mapping[str, Domain]
Read = Callable[[Path], Domains]
Joint = Callable[[Any, Any], tuple[Any, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """One data set.

    Parameters
    ----------
    name : str
    about : str
        What it is, in one sentence.
    licence : str
        Whose terms hold.
    files : tuple of str
        What must lie in the data folder.
    domains : tuple of str
        Their names; the usual tasks are all their ordered pairs, in this order.
    read : callable
        Data folder -> domains.
    joint : callable, optional
        Makes features of a source's and a target's texts together, without labels.
    """

    name: str
    about: str
    licence: str
    files: tuple[str, ...]
    domains: tuple[str, ...]
    read: Read
    joint: Joint | None = None

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The usual tasks, as (source, target)."""
        return tuple(permutations(self.domains, 2))


SETS: dict[str, DataSet] = {}


def dataset(
    name: str, *, domains: Sequence[str], files: Sequence[str], licence: str, joint: Joint | None = None
) -> Callable[[Read], Read]:
    """Register a reader under ``name``; the first line of its docstring says what the data are."""

    def mark(read: Read) -> Read:
        about = (read.__doc__ or "").strip().splitlines()[0]
        SETS[name] = DataSet(
            name=name, about=about, licence=licence, files=tuple(files), domains=tuple(domains), read=read, joint=joint
        )
        return read

    return mark
