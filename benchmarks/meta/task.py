"""What one task of the meta-benchmark is."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

Array = np.ndarray[Any, np.dtype[Any]]
STAY = "stay or can't tell"
NO_MOVING = "not a feature-moving method"


class Loaded(NamedTuple):
    """A task in memory; ``truth`` is for scoring only, no method may see it.

    ``source`` (n_source, columns) and ``target`` (n_target, columns) hold raw cells; ``labels`` (n_source,) and
    ``truth`` (n_target,) are strings for classification, float64 for regression.
    """

    source: pd.DataFrame
    labels: Array
    target: pd.DataFrame
    truth: Array
    kind: Literal["classification", "regression"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaTask:
    """A task that is known before it is loaded.

    Parameters
    ----------
    name : str
        No two tasks share one.
    dataset : str
        What leave-one-dataset-out leaves out: all tasks whose rows come from one collection, whatever their features.
    data_kind : str
        objects, features, digits, reviews, sentences, satellite, table or sensor.
    sort : str
        "real", or the way in which a task was spoiled (:mod:`spoiled`).
    classes : int
        The most there can be; 0 for regression.
    read : callable
        Gives the :class:`Loaded` task.
    right : str
        For a spoiled task, the answer that is right whatever the target's labels say; else "".
    """

    name: str
    dataset: str
    data_kind: str
    classes: int
    read: Callable[[], Loaded]
    sort: str = "real"
    right: str = ""

    def load(self) -> Loaded:
        """The tables and labels; equal at every call."""
        return self.read()


def some_pairs(
    domains: Sequence[str], size: int, seed: str, sources: Sequence[str] | None = None
) -> list[tuple[str, str]]:
    """``size`` of the ordered pairs of domains, drawn by name before anything is known of them; in order.

    >>> some_pairs(["a", "b", "c"], 2, "toy") == some_pairs(["a", "b", "c"], 2, "toy")
    True
    >>> some_pairs(["a", "b", "c"], 2, "toy", sources=["b"])
    [('b', 'a'), ('b', 'c')]
    """
    every = [pair for pair in permutations(domains, 2) if sources is None or pair[0] in sources]
    return sorted(random.Random(seed).sample(every, size), key=every.index)


def generator(*words: object) -> np.random.Generator:
    """A generator that depends on nothing but the words."""
    return np.random.default_rng(list(" ".join(map(str, words)).encode()))


def framed(X: Array) -> pd.DataFrame:
    """A matrix (n, d) as a table with columns x0, x1, ..."""
    return pd.DataFrame(np.asarray(X), columns=[f"x{i}" for i in range(X.shape[1])])
