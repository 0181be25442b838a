"""The encoded data that a verdict is reached on: arrays of both domains, and how they are parted for resampling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import get_tags

from transfermap.card import TaskKind
from transfermap.data.encode.encoder import TableEncoder
from transfermap.data.encode.text import AUTO, TextNets
from transfermap.tasks.task import Task

Array = np.ndarray[Any, np.dtype[Any]]
HELD_OUT = 1 / 3
# rows of a side that a check looks at
MOST = 3000
# cells of a side that a resample looks at
CELLS = 300_000
TRIES = 10
# what scikit-learn takes, and the seed + 1 of second draws
MOST_SEED = 2**32 - 2


class Joined:
    """A model that is made of others; it takes :class:`Encoded` rows, and hands each of the others what that reads."""


@dataclass(frozen=True)
class Encoded:
    """Rows for candidates: features ``X`` (n, d) and, where the rows are images, their ``files`` (n, 1)."""

    X: Array
    files: Array | None = None

    def __len__(self) -> int:
        return len(self.X)

    def read_by(self, model: Any) -> Any:
        """What a method, or a fitted model, reads of the rows: a net on images the files, all others the features."""
        if self.files is None:
            return self.X
        if isinstance(model, Joined):
            return self
        return self.files if get_tags(model).input_tags.string else self.X


@dataclass(frozen=True)
class Domains:
    """Encoded rows: ``Xs`` (n_source, d), ``ys`` and each source row's number and group, ``Xt`` (n_target, d).

    ``files`` are those of the source's rows, (n_source, 1), and of the target's, where rows are images.
    """

    Xs: Array
    ys: Array
    Xt: Array
    sources: Array
    groups: Array | None
    kind: TaskKind
    files: tuple[Array, Array] | None = None

    @property
    def source(self) -> Encoded:
        """The source's rows, for candidates."""
        return Encoded(self.Xs, None if self.files is None else self.files[0])

    @property
    def target(self) -> Encoded:
        """The target's rows, for candidates."""
        return Encoded(self.Xt, None if self.files is None else self.files[1])

    @property
    def classes(self) -> Array:
        """The source's classes, sorted; empty for regression."""
        return np.unique(self.ys) if self.kind == "classification" else np.array([])


class Part(NamedTuple):
    """One resample: row numbers of source rows to train on, source rows held out, target rows to adapt to."""

    train: Array
    held: Array
    target: Array


def parts(data: Domains, seed: int, most: int) -> Iterator[Part]:
    """Resamples without end, the r-th always the same for one seed.

    A third of the source is held out (whole groups where there are groups, every class in proportion otherwise); at
    most ``most`` rows train and as many target rows are adapted to: large tables cost no more than medium ones.
    """
    r = 0
    while True:
        rng = np.random.default_rng([seed, r])
        train, held = _held_out(data, int(rng.integers(2**31)))
        target = rng.permutation(len(data.Xt))
        keep = min(most, max(2, int(0.8 * len(target))))
        yield Part(_few(train, most, rng), _few(held, most, rng), np.sort(target[:keep]))
        r += 1


def _held_out(data: Domains, seed: int) -> tuple[Array, Array]:
    settings = {"n_splits": TRIES, "test_size": HELD_OUT, "random_state": seed}
    rows = np.arange(len(data.ys))
    if data.groups is not None and len(np.unique(data.groups)) >= 3:
        split = GroupShuffleSplit(**settings).split(rows, groups=data.groups)
    elif data.kind == "classification" and np.unique(data.ys, return_counts=True)[1].min() >= 3:
        split = StratifiedShuffleSplit(**settings).split(rows, data.ys)
    else:
        split = ShuffleSplit(**settings).split(rows)
    # groups, and classes of one or two rows, may leave a single class to train on: then another draw is taken
    draws = list(split)
    return next((d for d in draws if data.kind == "regression" or len(np.unique(data.ys[d[0]])) > 1), draws[0])


def _few(rows: Array, most: int, rng: np.random.Generator) -> Array:
    return np.sort(rng.permutation(rows)[:most])


def encode(task: Task, seed: int = 0, text: str = AUTO) -> tuple[TableEncoder, Domains]:
    """Learn how to read the tables, and read both. What is learned comes from the source; labels are not touched.

    ``text`` says how sentences are read (:func:`transfermap.data.encode.text.reading`).
    """
    if not 0 <= seed <= MOST_SEED:
        raise ValueError(f"the seed must be a whole number from 0 to {MOST_SEED}; got {seed}")
    assert task.cells.target is not None
    encoder = TableEncoder(random_state=seed, text=text)
    Xs = encoder.fit_cells(task.cells, task.spans, _text_nets(task))
    Xt = encoder.transform_cells(task.cells.target)
    files = None if task.images is None else (column(task.images.source), column(task.images.target))
    return encoder, Domains(Xs, task.labels, Xt, task.domains, task.groups, task.kind, files)


def column(files: Sequence[str]) -> Array:
    """Paths of images as rows for a net on images, (n, 1)."""
    return np.array(files, dtype=str)[:, None]


def _text_nets(task: Task) -> TextNets | None:
    """Who knows text nets, where there is a column of sentences to read; without one nothing of nets is loaded."""
    if "text" not in task.cells.schema.used.values():
        return None
    from transfermap.deep.pretrained.text_features import InstalledTextNets

    return InstalledTextNets()


def draw_size(data: Domains) -> int:
    """How many rows of a side a resample looks at, at most: fewer of wide tables."""
    return int(np.clip(CELLS // data.Xs.shape[1], 400, 1500))


def sample(X: Array, seed: int) -> Array:
    """All rows, or ``MOST`` of them drawn by the seed, in their order."""
    return X if len(X) <= MOST else X[np.sort(np.random.default_rng(seed).permutation(len(X))[:MOST])]
