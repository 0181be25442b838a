"""Methods that learn from a few labelled target rows; what each is worth is told on those rows, by cross-validation.

Everything else in the verdict is blind to target labels. These methods are not, so they are kept apart: they have no
place in the label-free evidence, and a row never speaks for a model that has seen its label.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold
from threadpoolctl import threadpool_limits

from transfermap.adapted import Adapted
from transfermap.card import TaskKind, cards, find
from transfermap.messages import Note
from transfermap.split import Split
from transfermap.verdict.encoded import Array, Domains
from transfermap.verdict.evidence import UNSUITED
from transfermap.verdict.record import FewLabelsRow, LearnedRows, Record

FOLDS = 5
LEAST = 4
ROLE = "few labels"
# the two plain ways to use labelled target rows, by which the methods are to be measured
PLAIN = ("targetonly", "pooled")


@dataclass
class FewLabels:
    """What came of it: a line a method for the record, fitted models, predictions of each labelled row by a model that
    had not seen its label, and predictions of all target rows."""

    rows: list[FewLabelsRow] = field(default_factory=list)
    models: dict[str, Any] = field(default_factory=dict)
    folded: dict[str, Array] = field(default_factory=dict)
    target: dict[str, Array] = field(default_factory=dict)


def few_label_keys(kind: TaskKind) -> list[str]:
    """Methods for a kind of task that learn from labelled target rows and train no net."""
    return [c.key for c in cards() if kind in c.tasks and find(c.key).reads.target and "torch" not in c.needs]


def learn_from(
    data: Domains, rows: Array, labels: Array, estimator: Any, seed: int, tick: Callable[[str], None] = lambda _: None
) -> FewLabels:
    """Fit and cross-validate every method that learns from labelled target rows.

    Parameters
    ----------
    data : Domains
    rows : ndarray of int of shape (n,)
        Numbers of the labelled target rows.
    labels : ndarray of shape (n,)
        Their labels, spelled as the source's.
    estimator : scikit-learn estimator
        What is trained after each method.
    seed : int
        Of the folds.
    tick : callable
        Told what is being done.

    Raises
    ------
    ValueError
        If there are fewer than four labelled rows, or a label that the source does not have.
    """
    if len(rows) < LEAST:
        raise ValueError(f"expected at least {LEAST} labelled target rows to learn from; got {len(rows)}")
    strange = sorted(set(labels.tolist()) - set(data.classes.tolist())) if data.kind == "classification" else []
    if strange:
        raise ValueError(f"the target labels hold classes that the source lacks: {', '.join(map(str, strange))}")
    found = FewLabels()
    for key in (*PLAIN, *few_label_keys(data.kind)):
        tick(f"learning from labelled target rows: {key}")
        _try(found, key, data, rows, labels, estimator, seed)
    return found


def _try(found: FewLabels, key: str, data: Domains, rows: Array, labels: Array, estimator: Any, seed: int) -> None:
    """One method; one that the data do not suit is left out, and the record says why."""
    began = time.time()
    row = FewLabelsRow(key, _name(key), ROLE, "ok")
    try:
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            folded = np.empty(len(rows), dtype=object if labels.dtype.kind == "O" else labels.dtype)
            for train, test in _folds(labels, data.kind, seed):
                model = _fitted(key, data, rows[train], labels[train], estimator)
                folded[test] = model.predict(data.Xt[rows[test]])
            model = _fitted(key, data, rows, labels, estimator)
            target = model.predict(data.Xt)
    except UNSUITED as error:
        fault = " ".join(str(error).split()) or "out of memory"
        found.rows.append(replace(row, status="failed", fault=fault))
        return
    found.rows.append(replace(row, seconds=round(time.time() - began, 3)))
    found.models[key], found.folded[key], found.target[key] = model, folded, target


def _name(key: str) -> str:
    own = {"targetonly": "Target-only (labelled rows)", "pooled": "Source and target pooled"}
    return own.get(key) or find(key).card.name


def _folds(labels: Array, kind: TaskKind, seed: int) -> Iterator[tuple[Array, Array]]:
    count = min(FOLDS, len(labels))
    if kind == "classification":
        fewest = int(np.unique(labels.astype(str), return_counts=True)[1].min())
        if fewest > 1:
            folds = StratifiedKFold(min(count, fewest), shuffle=True, random_state=seed)
            return folds.split(labels, labels.astype(str))
    return KFold(count, shuffle=True, random_state=seed).split(labels)


def _fitted(key: str, data: Domains, rows: Array, labels: Array, estimator: Any) -> Any:
    """A model that knows the labels of some target rows."""
    if key == "targetonly":
        return _plain(estimator, data.Xt[rows], labels)
    if key == "pooled":
        return _plain(estimator, np.concatenate([data.Xs, data.Xt[rows]]), np.concatenate([data.ys, labels]))
    parted = Split.of(data.Xs, data.ys, data.Xt, data.sources, yt=labels[np.argsort(rows)], known=rows)
    return Adapted(find(key)(), clone(estimator)).fit_split(parted)


def _plain(estimator: Any, X: Array, y: Array) -> BaseEstimator:
    y = y.astype(float) if y.dtype.kind == "f" else y.astype(str)
    if y.dtype.kind == "U" and len(np.unique(y)) < 2:
        raise ValueError(f"the labelled target rows hold 1 class ({y[0]!r}); a classifier needs at least two")
    model: BaseEstimator = clone(estimator).fit(X, y)
    return model


def learned_rows(Xt: Array, rows: Array) -> LearnedRows:
    """What the record keeps of the rows that were learned from."""
    return LearnedRows(tuple(rows.tolist()), tuple(digests(Xt[rows])))


def digests(X: Array) -> list[str]:
    """Of each row (d,) of encoded numbers, 16 hexadecimal digits."""
    return [sha256(np.ascontiguousarray(row, dtype=float).tobytes()).hexdigest()[:16] for row in X]


def led_by_labels(record: Record) -> Record:
    """The record with the predictions handed out that the labels support, where they support any method."""
    truth = record.truth
    now = None if truth is None else truth.updated
    if truth is None or now is None or now.answer != "use" or now.method == record.verdict.model:
        return record
    name = next(row.name for row in truth.rows if row.method == now.method)
    why = Note("verdict.by_labels", "info", {"method": name, "n": truth.n})
    return replace(record, verdict=replace(record.verdict, model=now.method, reasons=(*record.verdict.reasons, why)))
