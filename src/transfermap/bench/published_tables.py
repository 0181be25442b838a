"""Published tables, computed again: each row is data (``published/*.toml``), and one function computes any cell.

A row names how the columns are prepared, a method with the settings of its paper, and the classifier after it, or a
recipe (:mod:`transfermap.bench.paper_recipes`) where a paper did something that no method of the map does. The target's
labels are read once, to score.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from transfermap.bench.baselines import BASELINES, HONEST, baseline
from transfermap.bench.contenders import classifier
from transfermap.bench.datasets import load_domains, load_task
from transfermap.bench.paper_recipes import recipe
from transfermap.card import find
from transfermap.messages.choices import choose
from transfermap.roles import Learner
from transfermap.split import Array, Split

PUBLISHED = files("transfermap.bench") / "published"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method's line in a table: how it is computed, and what was published."""

    method: str
    prepare: str
    adapt: str = ""
    recipe: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    each: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    classify: str = "nn"
    fit_on: str = "labelled"
    per_class: int = 0
    paper: Sequence[float | None] = ()
    rerun: Sequence[float | None] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A published table. ``per_class`` labelled source rows a class (by source domain) and ``trials`` draws of them."""

    name: str
    title: str
    reference: str
    doi: str
    data: Sequence[str]
    tasks: Sequence[str]
    protocol: str
    rows: Sequence[Row]
    per_class: Mapping[str, int] = field(default_factory=dict)
    trials: int = 1


@dataclass(frozen=True)
class Cell:
    """One row's accuracy in percent on one task: the mean over trials, its standard error, and what was published."""

    table: str
    method: str
    task: str
    ours: float
    error: float
    paper: float | None
    rerun: float | None

    def to_dict(self) -> dict[str, Any]:
        """As plain values; ``error`` is the standard error over trials, 0 where there is one trial only."""
        return {
            "table": self.table,
            "method": self.method,
            "task": self.task,
            "ours": round(self.ours, 4),
            "paper": self.paper,
            "rerun": self.rerun,
            "error": round(self.error, 4),
        }


def names() -> list[str]:
    """The tables there are."""
    return sorted(Path(f.name).stem for f in PUBLISHED.iterdir() if f.name.endswith(".toml"))


def published(name: str) -> Table:
    """The table ``name``, with the honest baselines that its paper left out.

    Raises
    ------
    ValueError
        If there is no such table; the message lists those that exist.
    """
    name = choose("table", name, names())
    facts = tomllib.loads((PUBLISHED / f"{name}.toml").read_text("utf8"))
    honest, rows = facts.pop("honest"), [Row(**row) for row in facts.pop("row")]
    data = facts.pop("data")
    # after the paper's own rows: what it did not compare with (docs/decisions/0009)
    rows += [Row(method=title, prepare=honest, classify=key) for key, title in HONEST.items()]
    return Table(name=name, rows=rows, data=[data] if isinstance(data, str) else data, **facts)


def compute(table: Table, data_dir: Path | None, jobs: int = 1, only: Sequence[str] = ()) -> Iterator[Cell]:
    """The table's cells, row by row, as they are done; ``only`` some methods.

    Raises
    ------
    ValueError
        If data are missing, or a method of ``only`` is not in the table.
    """
    unknown = set(only) - {row.method for row in table.rows}
    if unknown:
        raise ValueError(f"{table.name} has no row {sorted(unknown)[0]!r}; it has: {[r.method for r in table.rows]}")
    domains = {name: tuple(load_domains(name, data_dir)) for name in table.data}
    work = [(row, i) for row in table.rows if not only or row.method in only for i in range(len(table.tasks))]
    parallel = Parallel(n_jobs=jobs, return_as="generator")
    trials = parallel(delayed(_trials)(table, row, i, place(table.tasks[i], domains), data_dir) for row, i in work)
    for (row, i), scores in zip(work, trials, strict=True):
        # the standard error of the mean, as the papers print it
        spread = float(np.std(scores, ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else 0.0
        known = (_at(row.paper, i), _at(row.rerun, i))
        yield Cell(table.name, row.method, table.tasks[i], float(np.mean(scores)), spread, *known)


def place(task: str, domains: Mapping[str, Sequence[str]]) -> tuple[str, str, str]:
    """Data set, source and target of a task such as "USPS-MNIST", or "CA" for domains known by their initials."""
    wanted = task.split("-") if "-" in task else list(task)
    for name, known in domains.items():
        # by name, or by the initial, as tables write C-A
        found = [d for part in wanted for d in known if part.lower() in (d.lower(), d[0].lower())]
        if len(found) == len(wanted):
            return name, found[0], found[1]
    raise ValueError(f"no data set of the table has the domains of the task {task!r}")


def _at(values: Sequence[float | None], i: int) -> float | None:
    """The published value of task ``i``; None where the paper has none (nan in the file)."""
    # nan is not equal to itself
    return values[i] if values and values[i] == values[i] else None


def _trials(table: Table, row: Row, i: int, where: tuple[str, str, str], data_dir: Path | None) -> list[float]:
    """Accuracy in percent, draw by draw of the labelled source rows."""
    params = dict(row.params) | {name: values[i] for name, values in row.each.items()}
    task = load_task(*where, data_dir, row.prepare)
    # GFK and SA draw 8 a class from dslr, 20 from the others; CORAL's program up to 20 from each
    per_class = row.per_class or table.per_class.get(where[1], table.per_class.get("other", 0))
    scores = []
    # the last digits of a sum depend on the number of threads, and single rows on those
    with threadpool_limits(1):
        for trial in range(table.trials):
            drawn = draw(task.ys, per_class, trial)
            predicted = predict(row, params, task.Xs, task.ys, drawn, task.Xt)
            scores.append(100 * float(np.mean(predicted == task.yt)))
    return scores


def draw(y: Array, per_class: int, seed: int) -> Array:
    """Row numbers of ``per_class`` rows of each class (all, where it has fewer or ``per_class`` is 0), in order."""
    if not per_class:
        return np.arange(len(y))
    rng = np.random.default_rng(seed)
    return np.sort(np.concatenate([rng.permutation(np.flatnonzero(y == c))[:per_class] for c in np.unique(y)]))


def _classified(name: str, Xs: Any, ys: Array, Xt: Any) -> Array:
    predicted: Array = baseline(name, Xs, ys, Xt) if name in BASELINES else classifier(name).fit(Xs, ys).predict(Xt)
    return predicted


def predict(row: Row, params: Mapping[str, Any], Xs: Array, ys: Array, drawn: Array, Xt: Array) -> Array:
    """What a row's procedure tells of the target, having seen the source's rows and the labels of those drawn."""
    classify = partial(_classified, row.classify)
    if not row.adapt:
        predicted: Array = recipe(row.recipe or "plain")(Xs[drawn], ys[drawn], Xt, classify, **params)
        return predicted
    method = find(row.adapt)(**params)
    # GFK and SA learn their bases from all source rows, also those without a label in this draw
    fit_on = drawn if row.fit_on == "labelled" else np.arange(len(ys))
    X, y, domain = Split.of(Xs[fit_on], ys[fit_on], Xt).joined()
    method.fit(X, y, sample_domain=domain)
    if isinstance(method, Learner):
        return method.predict(Xt)
    Zs, Zt = (
        method.transform(half, sample_domain=np.full(half.shape[0], side)) for half, side in ((Xs[drawn], 1), (Xt, -1))
    )
    return classify(Zs, ys[drawn], Zt)
