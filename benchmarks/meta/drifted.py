"""Drift of instruments, made on real tables: every number column of the target is scaled and moved by itself.

It is what sensors do to each other, and the real tasks of the benchmark have hardly any of it. Half of a source is the
source, the other half, drifted, the target: what a label means stays as it was. A column x becomes
``mean + gain (x - mean) + offset * spread``, with ``ln gain ~ N(0, size^2 / 4)`` and ``offset ~ N(0, size^2)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from spoiled import identical
from task import Loaded, MetaTask, generator

SIZES = {"mild": 0.5, "strong": 1.5}
# kinds of data whose columns are measured, each by an instrument of its own
MEASURED = ("sensor", "satellite")
PACKED = {"breast cancer": load_breast_cancer, "wine": load_wine, "iris": load_iris}


def drifted_tasks(real: Sequence[MetaTask]) -> Iterator[MetaTask]:
    """Both sizes for the first task of each data set of measurements, and for three tables of scikit-learn."""
    first: dict[str, MetaTask] = {}
    for task in real:
        if task.classes and task.data_kind in MEASURED:
            first.setdefault(task.dataset, task)
    packed = {
        name: MetaTask(name=name, dataset=name, data_kind="sensor", classes=3, read=partial(_packed, name))
        for name in PACKED
    }
    for task in (first | packed).values():
        for size in SIZES:
            yield MetaTask(
                name=f"{size} drift; {task.name}",
                dataset=task.dataset,
                data_kind=task.data_kind,
                classes=task.classes,
                sort=f"{size} drift",
                read=partial(_drifted, task, size),
            )


def measured(table: pd.DataFrame) -> list[str]:
    """Columns of numbers with more values than a code has."""
    return [c for c in table if pd.api.types.is_numeric_dtype(table[c]) and table[c].nunique() > 10]


def _packed(name: str) -> Loaded:
    X, y = PACKED[name](return_X_y=True, as_frame=True)
    return Loaded(X, y.astype(str).to_numpy(), X, y.astype(str).to_numpy(), "classification")


def _drifted(task: MetaTask, size: str) -> Loaded:
    rng = generator(size, task.name)
    halves = identical(task.load(), rng)
    target = halves.target.copy()
    for name in measured(target):
        x = target[name].astype(float)
        gain, offset = np.exp(rng.normal(0, SIZES[size] / 2)), rng.normal(0, SIZES[size])
        target[name] = x.mean() + gain * (x - x.mean()) + offset * x.std()
    return halves._replace(target=target)
