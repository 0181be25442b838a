"""An ordinary run as a folder on disk: what is written, and how it is read back and held to what was written.

A folder is written beside its place and moved there in one step, so that it is there whole or not at all::

    run1/run.json          the record: verdict, evidence, findings, command, versions, hashes
    run1/model.tmap        encoder and fitted models (see transfermap.runs.model_file)
    run1/evidence.npz      arrays for the report
    run1/predictions.csv   the target's rows
    run1/label_me.csv      rows worth labelling, with an empty label column
    run1/leaderboard.csv
    run1/truth.json        what verify found, once it has been run
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from transfermap.data.encode.encoder import TableEncoder
from transfermap.data.tables.frames import free_name
from transfermap.measure.shift.support import Support
from transfermap.report.console.terminal import frame
from transfermap.runs.folder import RECORD, from_plain_file, read_json, read_record
from transfermap.runs.model_file import open_model, save, whole_file
from transfermap.runs.predictions import predicted_frame
from transfermap.tasks.task import Task, with_files, without_features
from transfermap.verdict.encoded import Array
from transfermap.verdict.investigate import Found
from transfermap.verdict.labels.verify import with_truth
from transfermap.verdict.record import KIND, Record, Truth

MODEL, EVIDENCE, TRUTH = "model.tmap", "evidence.npz", "truth.json"


def write_run(found: Found, task: Task | None, folder: Path) -> None:
    """Write a run's files into a folder."""
    models = {"encoder": found.encoder, "support": found.support, "models": found.models}
    save(models, folder / MODEL, inputs=dict(found.record.inputs), columns=list(found.encoder.kinds_))
    np.savez_compressed(folder / EVIDENCE, **{k: _plain(v) for k, v in found.arrays.items()})  # type: ignore[arg-type]
    frame(found.record).to_csv(folder / "leaderboard.csv", index=False, encoding="utf8")
    if task is not None:
        predicted = predicted_frame(found, with_files(task))
        predicted.insert(0, "row", np.arange(len(predicted)))
        predicted.to_csv(folder / "predictions.csv", index=False, encoding="utf8")
        to_label(found.record, task, predicted).to_csv(folder / "label_me.csv", index=False, encoding="utf8")
    # the record comes last: a folder that has it has everything
    text = json.dumps(found.record.to_dict(), ensure_ascii=False, indent=1, allow_nan=True)
    (folder / RECORD).write_text(text, encoding="utf8")


def to_label(record: Record, task: Task, predicted: pd.DataFrame) -> pd.DataFrame:
    """The rows worth labelling: number, why, what was predicted, an empty label, and the row itself."""
    rows, label = [proposed.row for proposed in record.label_me], record.task.label
    table = without_features(task).iloc[rows].reset_index(drop=True)
    why, guess = [proposed.why for proposed in record.label_me], predicted["prediction"].iloc[rows].to_numpy()
    ours = {"row": rows, "why": why, "guess": guess}
    added = {free_name(name, {*table.columns, label}): column for name, column in ours.items()}
    return pd.concat([pd.DataFrame(added | {label: ""}, table.index), table], axis=1)


def _plain(array: Array) -> Array:
    """Arrays of strings as fixed-width text: an array of objects could only be pickled."""
    return array.astype(str) if array.dtype.kind == "O" else array


def write_truth(truth: Truth, folder: Path) -> None:
    """Keep what verify found with the run, for its report."""
    with whole_file(folder / TRUTH) as part:
        part.write_text(json.dumps(truth.to_dict(), ensure_ascii=False, indent=1), encoding="utf8")


def read_run(folder: Path) -> Found:
    """What :func:`write_run` wrote; nothing is refitted.

    Raises
    ------
    ValueError
        If the folder is missing, no run, damaged, or of another format.
    """
    data = read_record(folder)
    if data["kind"] != KIND:
        raise ValueError(f"{folder / RECORD} is not the record of a run that 'transfermap adapt' wrote")
    record = from_plain_file(Record, data, folder / RECORD)
    parts = _parts(folder / MODEL, record.verdict.model)
    if (folder / TRUTH).is_file():
        record = with_truth(record, from_plain_file(Truth, read_json(folder / TRUTH), folder / TRUTH))
    return Found(record, _arrays(folder / EVIDENCE), **parts)


def _parts(path: Path, used: str) -> dict[str, Any]:
    """Encoder, support and models of a run's model file, which must hold the model that the run's verdict uses."""
    model, _ = open_model(path)
    found = model if isinstance(model, dict) else {}
    sound = isinstance(found.get("encoder"), TableEncoder) and isinstance(found.get("support"), Support)
    if not sound or not isinstance(found.get("models"), dict) or used not in found["models"]:
        raise ValueError(f"{path} is not the model file of this run: it lacks the model {used!r} or what goes with it")
    return {name: found[name] for name in ("encoder", "support", "models")}


def _arrays(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
        raise ValueError(
            f"{path} is missing or damaged: expected the arrays that adapt wrote beside its run"
        ) from error
