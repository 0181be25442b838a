"""A run's net adapted to new target rows, when the source is no longer at hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from transfermap._version import versions
from transfermap.card import find
from transfermap.data.images.image_files import FILE
from transfermap.data.tables.files import digest
from transfermap.data.tables.schema import Cells, Schema
from transfermap.messages import Note
from transfermap.runs.predict import rows_of
from transfermap.runs.predictions import encoded, model_of
from transfermap.runs.run import Run, load_run
from transfermap.tasks.read import stem
from transfermap.tasks.task import ImageFiles, Task
from transfermap.verdict.check.facts import Check, TaskFacts
from transfermap.verdict.encoded import Array, Encoded
from transfermap.verdict.investigate import Found
from transfermap.verdict.labels.choosing import LEADING, confidence, untrusted, worth_labelling
from transfermap.verdict.record import Record, Row, StartingRun
from transfermap.verdict.report_arrays import curves
from transfermap.verdict.signs import (
    BASE,
    Tried,
    adapted_model,
    assumptions,
    base_line,
    line,
    methods_for,
    net_of,
    verdict,
)

# share of rows far from anything seen from which on it is worth a warning; about 0.01 are without a change
FAR = 0.05


class _Rows(NamedTuple):
    """The target's encoded rows, and what they are called."""

    encoded: Encoded
    name: str


def adapt_run(
    model: str | Path,
    target: str | Path,
    *,
    method: str | Sequence[str] = "auto",
    seed: int = 0,
    tick: Callable[[str], None] = lambda _: None,
) -> Run:
    """Adapt the net of a run to new target rows without the source, and say what is known of the outcome.

    Parameters
    ----------
    model : path
        A run's folder, whose model is a net. It is not changed.
    target : path
        New target rows, unlabelled: a table with the columns that the run knows, or a folder for a run on images.
    method : "auto", a key such as "shot", or a list of keys
        "auto" tries all methods that need no source, and hands out the predictions of the net as it is; a single key
        is your decision, and its predictions are handed out.
    seed : int
    tick : callable
        Told what is being done.

    Returns
    -------
    Run
        Whose verdict is "can't tell", unless the adapted nets predict as the net did: without labelled rows there is
        no evidence, only signs. Its method "sourceonly" is the net as it was.

    Raises
    ------
    ValueError
        If the run's model is no net, a method needs the source or does not suit the net, or the rows do not suit it.
    """
    began = time.perf_counter()
    run, keys = load_run(model), methods_for(method)
    row = run.record.row(run.verdict.model)
    base, name = model_of(run.found), "its model" if row is None else row.name
    net_of(base, name)
    frame, notes = rows_of(run.found, Path(target), tick)
    rows = _Rows(encoded(run.found, frame), stem(target))
    tried = [_tried(key, base, rows.encoded.read_by(base), seed, tick) for key in keys]
    named = "auto" not in method and len(keys) == 1
    if named and tried[0].P is None:
        raise ValueError(tried[0].fault)
    found = _found(run.found, name, rows, tried, named, seed)
    record = replace(
        found.record,
        notes=tuple(notes),
        inputs=_inputs(Path(model), Path(target)),
        seconds=round(time.perf_counter() - began, 2),
    )
    return Run(replace(found, record=record), _task(run.record, frame, Path(target)))


def _tried(key: str, base: Any, Z: Array, seed: int, tick: Callable[[str], None]) -> Tried:
    """One method on the run's net; ``Z`` are the rows as the net reads them."""
    tick(f"adapting by {find(key).card.name}")
    began = time.perf_counter()
    try:
        model = adapted_model(base, key, Z, seed)
    except (ValueError, FloatingPointError) as error:
        return Tried(find(key).card, fault=str(error))
    return Tried(find(key).card, model, model.predict_proba(Z), time.perf_counter() - began)


def _found(before: Found, name: str, rows: _Rows, tried: list[Tried], named: bool, seed: int) -> Found:
    """The record of it all, as that of a run with a source, so that predict, verify and report go on from it."""
    base = model_of(before)
    P, classes = base.predict_proba(rows.encoded.read_by(base)), [str(c) for c in base.classes_]
    board = (base_line(name, P, classes), *(line(one, P, classes) for one in tried))
    models = {BASE: base} | {one.card.key: one.model for one in tried if one.model is not None}
    predicted = {key: model.predict(rows.encoded.read_by(model)) for key, model in models.items()}
    answer = verdict(board, tried, named, len(rows.encoded), len(classes))
    chosen = models[answer.model]
    distance, threshold = before.support.distance(rows.encoded.X), before.support.threshold_
    old = before.record
    task = replace(old.task, n_target=len(rows.encoded), target_name=rows.name)
    proposed, design = worth_labelling(predicted, _leaders(board), task.kind, seed)
    record = Record(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        seed=seed,
        net=old.net,
        start=StartingRun(old.verdict.model, name, old.made),
        task=task,
        check=_check(task, float(np.mean(distance > threshold))),
        leaderboard=board,
        verdict=answer,
        assumptions=assumptions(task.label, tried),
        label_type=old.label_type,
        untrusted=untrusted(distance, threshold, confidence(chosen, rows.encoded)),
        label_me=proposed,
        label_design=design,
        images=None if old.images is None else replace(old.images, gallery=None),
        inputs={},
    )
    arrays = {f"predicted_{key}": values for key, values in predicted.items()}
    if answer.model != BASE:
        arrays |= curves(chosen.adapter_.history_) | {"method": np.array(find(answer.model).card.name)}
    return Found(record, arrays, before.encoder, before.support, models)


def _check(task: TaskFacts, far: float) -> Check:
    """Of what a check measures, the little that needs no source: how many rows lie far from all that the run saw."""
    note = Note("source_free.far", "warn" if far > FAR else "info", {"share": far, "rows": task.n_target})
    return Check(notes=(note,), auc=None, columns=(), outside=far, task=task)


def _leaders(board: Sequence[Row]) -> list[str]:
    """The methods whose rows are proposed for labelling: those with the clearest and most varied predictions."""
    fine = [row for row in board[1:] if row.status == "ok"]
    return [row.method for row in sorted(fine, key=lambda row: -row.evidence["infomax"].value)][:LEADING]


def _inputs(model: Path, target: Path) -> dict[str, str]:
    """SHA-256 of what was read; a folder of images has none."""
    read = [model / "model.tmap", *([] if target.is_dir() else [target])]
    return {str(path): digest(path) for path in read}


def _task(record: Record, frame: pd.DataFrame, target: Path) -> Task:
    """The target's rows, with no source beside them."""
    images = None
    if record.images is not None and FILE in frame:
        images = ImageFiles((), tuple(frame[FILE].astype(str)), record.images.features_of)
        frame = frame.drop(columns=FILE)
    source = frame.iloc[:0]
    return Task(
        source=source,
        labels=np.array([], dtype=object),
        target=frame,
        domains=np.array([], dtype=int),
        kind=record.task.kind,
        label=record.task.label,
        target_name=stem(target),
        images=images,
        # the run's encoder knows what the columns hold: nothing is to be found out here
        cells=Cells(Schema(), source, frame, (source, frame)),
    )
