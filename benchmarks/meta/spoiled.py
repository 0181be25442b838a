"""Tasks on which adapting must not be recommended, made from the real ones by one rule each.

Two of the sorts cannot be told from an ordinary shift by anybody who sees no target label, for they change nothing
but the truth: "flipped concept" and "unrelated concept". They say what an unlucky user meets, and what a rule loses.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.metrics import normalized_mutual_info_score
from task import NO_MOVING, STAY, Array, Loaded, MetaTask, generator

from transfermap.data.encode.encoder import TableEncoder

EACH = 4
THINNEST = 0.15
LOOKED_AT = 30
TINY = (8, 15)


class Sort(NamedTuple):
    """A way to spoil: the rule, which real tasks it fits (fewest classes), and the answer that is right."""

    spoil: Callable[[Loaded, np.random.Generator], Loaded]
    classes: int = 0
    right: str = STAY


def spoiled_tasks(real: Sequence[MetaTask]) -> Iterator[MetaTask]:
    """Each sort for one task of each of four data sets, drawn by name."""
    for name, sort in SORTS.items():
        for task in _drawn(real, name, sort):
            yield MetaTask(
                name=f"{name}; {task.name}",
                dataset=task.dataset,
                data_kind=task.data_kind,
                classes=task.classes,
                sort=name,
                right=sort.right,
                read=partial(_spoil, task, name),
            )


def _drawn(real: Sequence[MetaTask], name: str, sort: Sort) -> list[MetaTask]:
    # a text column alone leaves no other column to take a concept from
    fit = [task for task in real if task.classes >= sort.classes and task.data_kind != "sentences"]
    chance = random.Random(name)
    chosen = chance.sample(sorted({task.dataset for task in fit}), EACH)
    names = {task.name: task for task in fit}
    return [names[chance.choice(sorted(n for n, task in names.items() if task.dataset == d))] for d in chosen]


def _spoil(task: MetaTask, name: str) -> Loaded:
    return SORTS[name].spoil(task.load(), generator(name, task.name))


def permuted(task: Loaded, rng: np.random.Generator) -> Loaded:
    """The source's labels in any order: there is nothing to learn."""
    return task._replace(labels=rng.permutation(task.labels))


def unrelated(task: Loaded, rng: np.random.Generator) -> Loaded:
    """In the target another column is the concept: the one that has least to do with the label, taken out of both."""
    columns = rng.permutation(task.target.columns)[:LOOKED_AT]
    concepts = {name: _sorted_by(task.target[name], task.truth, rng) for name in columns}
    least = min(concepts, key=lambda name: _shared(concepts[name], task.truth))
    return task._replace(
        source=task.source.drop(columns=least), target=task.target.drop(columns=least), truth=concepts[least]
    )


def _sorted_by(column: pd.Series, truth: Array, rng: np.random.Generator) -> Array:
    """The same labels, in the order of a column's values; rows with equal values are in any order."""
    codes = column.rank(method="dense") if pd.api.types.is_numeric_dtype(column) else pd.factorize(column)[0]
    order = np.lexsort([rng.random(len(column)), np.asarray(codes)])
    found = np.empty_like(truth)
    found[order] = np.sort(truth)
    return found


def _shared(first: Array, second: Array) -> float:
    coded = [pd.qcut(y, 5, labels=False, duplicates="drop") if y.dtype.kind == "f" else y for y in (first, second)]
    return float(normalized_mutual_info_score(*coded))


def flipped(task: Loaded, rng: np.random.Generator) -> Loaded:
    """In the target every class bears another's name; a number is mirrored between the smallest and the largest."""
    if task.kind == "regression":
        return task._replace(truth=task.truth.max() + task.truth.min() - task.truth)
    classes = rng.permutation(np.union1d(task.labels, task.truth))
    renamed = dict(zip(classes, np.roll(classes, 1), strict=True))
    return task._replace(truth=np.array([renamed[label] for label in task.truth]))


def identical(task: Loaded, rng: np.random.Generator) -> Loaded:
    """Two random halves of the source."""
    order = rng.permutation(len(task.labels))
    middle = len(order) // 2
    return _parted(task, order[:middle], order[middle:])


def _parted(task: Loaded, first: Array, second: Array) -> Loaded:
    """Two parts of the source, as source and target."""
    first, second = np.sort(first), np.sort(second)
    sides = [(task.source.iloc[rows].reset_index(drop=True), task.labels[rows]) for rows in (first, second)]
    return Loaded(*sides[0], *sides[1], task.kind)


def label_shift(task: Loaded, rng: np.random.Generator) -> Loaded:
    """Halves of the source; in the target classes are thinned, each more than the one before, down to 15 %."""
    halves = identical(task, rng)
    classes = rng.permutation(np.unique(halves.truth))
    share = dict(zip(classes, np.linspace(1, THINNEST, len(classes)), strict=True))
    kept = rng.random(len(halves.truth)) < [share[label] for label in halves.truth]
    return _only(halves, kept)


def missing_classes(task: Loaded, rng: np.random.Generator) -> Loaded:
    """Halves of the source; half of the classes, rounded down, are not in the target."""
    halves = identical(task, rng)
    classes = rng.permutation(np.unique(halves.labels))
    return _only(halves, ~np.isin(halves.truth, classes[: len(classes) // 2]))


def _only(task: Loaded, kept: Array) -> Loaded:
    return task._replace(target=task.target[kept].reset_index(drop=True), truth=task.truth[kept])


def apart(task: Loaded, rng: np.random.Generator) -> Loaded:
    """The source cut in two across its widest direction: the two sides share no value there."""
    coded = TableEncoder().fit_transform(task.source)
    place = PCA(1, random_state=0).fit_transform(coded)[:, 0]
    order = np.argsort(place, kind="stable")
    sides = list(np.array_split(order, 2))
    if task.kind == "classification":
        common = np.intersect1d(*(task.labels[side] for side in sides))
        sides = [side[np.isin(task.labels[side], common)] for side in sides]
    return _parted(task, *sides)


def tiny(task: Loaded, rng: np.random.Generator) -> Loaded:
    """Eight to fifteen target rows."""
    chosen = np.zeros(len(task.truth), dtype=bool)
    chosen[rng.permutation(len(chosen))[: rng.integers(TINY[0], TINY[1] + 1)]] = True
    return _only(task, chosen)


SORTS = {
    "permuted source labels": Sort(permuted),
    "unrelated concept": Sort(unrelated),
    "flipped concept": Sort(flipped),
    "label shift only": Sort(label_shift, classes=2, right=NO_MOVING),
    "missing classes": Sort(missing_classes, classes=3),
    "supports apart": Sort(apart),
    "identical": Sort(identical),
    "tiny target": Sort(tiny),
}
