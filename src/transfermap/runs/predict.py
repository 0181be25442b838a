"""What is done with a run afterwards: predict new rows in chunks, and hold the verdict to the truth."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from transfermap.data.encode.unreadable import Losses, loss_notes, losses
from transfermap.data.images.image_files import holds_images
from transfermap.data.tables.files import digest, read_chunks, read_table
from transfermap.data.tables.frames import free_name
from transfermap.messages import Note
from transfermap.runs.model_file import whole_file
from transfermap.runs.run import TRUTH, Run, load_run
from transfermap.verdict.encoded import Array
from transfermap.verdict.labels.choosing import strata
from transfermap.verdict.labels.few_labels import digests
from transfermap.verdict.labels.verify import target_truth, verify

ROW = "row"
# share of equal predictions from which numbered rows are taken for the target's: a table that went through a
# spreadsheet is rounded
ALIKE = 0.9
_CHUNK = 5000


def predict_file(
    run: Run, table: Path, output: Path, method: str | None = None, tick: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Predict the rows of a file, chunk by chunk, into a CSV file that is there whole or not at all.

    Parameters
    ----------
    run : Run
    table : path
        New target rows; CSV and Parquet are streamed, so they may be larger than memory. For a run on images, a
        folder of them, or a table with a column of paths.
    output : path
        Columns: row, file (of images), prediction, p(class) ..., far, distance (in units of the threshold beyond
        which a row is far).
    method : str, default=None
        Whose predictions; None: the verdict's.
    tick : callable
        Told what is being done.

    Returns
    -------
    dict
        ``rows``, ``far``, ``method``, ``output``, and ``notes`` on cells that could not be read as the source's.
    """
    if output.resolve() == table.resolve():
        raise ValueError(f"{output} is the table to be predicted; give another name for the predictions")
    rows = far = 0
    lost: Losses = Counter()
    with whole_file(output) as part:
        chunks, notes = _chunks(run, table, tick)
        for chunk in map(run.found.encoder.ready, chunks):
            _check_columns(chunk, run, table)
            lost.update(losses(run.found.encoder, chunk))
            predicted = run.predict_frame(chunk, method)
            predicted.insert(0, ROW, np.arange(rows, rows + len(predicted)))
            predicted.to_csv(part, mode="a", header=rows == 0, index=False, encoding="utf8", quoting=csv.QUOTE_MINIMAL)
            rows, far = rows + len(predicted), far + int(predicted["far"].sum())
            tick(f"{rows:,} rows")
    done = {"rows": rows, "far": far, "method": method or run.verdict["model"], "output": str(output)}
    return done | {"notes": [note.to_dict() for note in (*notes, *loss_notes(lost))]}


def _chunks(run: Run, table: Path, tick: Callable[[str], None]) -> tuple[Iterator[pd.DataFrame], list[Note]]:
    """The rows of a file, some at a time, and what was found in reading them; images as the run has seen others."""
    if "sight" not in run.record or not holds_images(table):
        return read_chunks(table), []
    rows, notes = _images(run, table, tick)
    return (rows.iloc[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)), notes


def _images(run: Run, place: Path, tick: Callable[[str], None] = lambda _: None) -> tuple[pd.DataFrame, list[Note]]:
    from transfermap.tasks.images import image_rows

    return image_rows(place, run.record["sight"], run.record["task"]["label"], tick)


def rows_of(run: Run, place: Path, tick: Callable[[str], None] = lambda _: None) -> tuple[pd.DataFrame, list[Note]]:
    """All rows of a file or a folder as the run's models take them, and what was found in reading them."""
    chunks, notes = _chunks(run, place, tick)
    rows = run.found.encoder.ready(pd.concat(chunks, ignore_index=True))
    _check_columns(rows, run, place)
    return rows, [*notes, *loss_notes(losses(run.found.encoder, rows))]


def _check_columns(chunk: pd.DataFrame, run: Run, name: Path) -> None:
    absent = [c for c in run.found.encoder.used_ if c not in chunk]
    if absent:
        raise ValueError(
            f"{name} lacks the columns {_few(absent)}, which the model needs; it has {_few(list(map(str, chunk)))}"
        )


def verify_file(folder: Path, labelled: Path) -> dict[str, Any]:
    """Score a run on labelled target rows, and keep the result with the run for its report.

    Parameters
    ----------
    folder : path
        The run.
    labelled : path
        A table with the label column and either the target's columns, or a column ``row`` with row numbers of the
        target file that the run was made with; for a run on images, a folder of them by class too. Rows without a
        label are left out. If all others are among those that the run proposed, as in ``label_me.csv``, they are
        weighted by how they were drawn; else they are taken as a simple random sample of the target.

    Returns
    -------
    dict
        As :func:`transfermap.verdict.labels.verify.verify` gives it.
    """
    run = load_run(folder)
    table, notes = _labelled(run, labelled)
    label = run.record["task"]["label"]
    if label not in table.columns:
        raise ValueError(
            f"{labelled} has no column {label!r}, which this run predicts; it has {_few(list(table.columns))}"
        )
    labels, there = target_truth(table[label], run.record)
    table = table[there].reset_index(drop=True)
    new = _not_learned(run, table, labelled)
    table, labels = table[new].reset_index(drop=True), labels[new]
    predicted = _told(run, table, labelled)
    proposed = _are_proposed(run, table, predicted)
    drawn = proposed and "label_design" in run.record
    truth = verify(run.record, predicted, labels, _target(run, list(predicted)), drawn)
    truth |= {"labelled": str(labelled), "sha256": None if labelled.is_dir() else digest(labelled)}
    if not new.all():
        notes = [*notes, Note("verify.learned", "info", {"count": int((~new).sum())})]
    truth["notes"] += [note.to_dict() for note in notes]
    if proposed and not drawn:
        truth["notes"].append(Note("verify.hard", "warn").to_dict())
    with whole_file(folder / TRUTH) as part:
        part.write_text(json.dumps(truth, ensure_ascii=False, indent=1), encoding="utf8")
    return truth


def _labelled(run: Run, labelled: Path) -> tuple[pd.DataFrame, list[Note]]:
    """The labelled rows; images that are not named by the number of their row are looked at."""
    if "sight" not in run.record or not holds_images(labelled):
        return read_table(labelled), []
    table = None if labelled.is_dir() else read_table(labelled)
    return _images(run, labelled) if table is None or ROW not in table else (table, [])


def _not_learned(run: Run, table: pd.DataFrame, name: Path) -> Array:
    """Which labelled rows no model of the run has learned from: only they say how good it is."""
    new = np.ones(len(table), dtype=bool)
    if "learned" not in run.record:
        return new
    frame = run.found.encoder.ready(table)
    if all(c in frame for c in run.found.encoder.used_):
        new = ~np.isin(digests(run.encoded(frame).X), run.record["learned"]["digests"])
    else:
        number = free_name(ROW, {*run.found.encoder.kinds_, run.record["task"]["label"]})
        if number in table:
            numbers = _row_numbers(table[number], run.record["task"]["n_target"], name)
            new = ~np.isin(numbers, run.record["learned"]["rows"])
    if not new.any():
        raise ValueError(f"the run has learned from all {len(table)} labelled rows of {name}; expected other rows")
    return new


def _told(run: Run, table: pd.DataFrame, name: Path) -> dict[str, Any]:
    """Every method's predictions for the labelled rows: from their columns, or looked up by their row numbers."""
    encoder = run.found.encoder
    table = encoder.ready(table)
    missing = [c for c in encoder.used_ if c not in table.columns]
    if not missing:
        encoded = run.encoded(table)
        return {key: model.predict(encoded.read_by(model)) for key, model in run.found.models.items()}
    number = free_name(ROW, {*encoder.kinds_, run.record["task"]["label"]})
    if number not in table.columns:
        raise ValueError(
            f"{name} lacks the columns {_few(missing)}, and has no column {number!r} with row numbers instead"
        )
    rows = _row_numbers(table[number], run.record["task"]["n_target"], name)
    return {key: values[rows] for key, values in _stored(run).items()}


def _are_proposed(run: Run, table: pd.DataFrame, predicted: Mapping[str, Array]) -> bool:
    """Whether the labelled rows are among those that the run proposed, each once, and not simply all there are."""
    number = free_name(ROW, {*run.found.encoder.kinds_, run.record["task"]["label"]})
    if number not in table.columns or len(table) >= run.record["task"]["n_target"]:
        return False
    rows = pd.to_numeric(table[number], errors="coerce").to_numpy(dtype=float)
    if not np.isin(rows, [r["row"] for r in run.record["label_me"]]).all() or len(np.unique(rows)) < len(rows):
        return False
    # numbers that count other rows than the target's own would give the same predictions by chance only
    stored, alike = _stored(run), np.ones(len(rows), dtype=bool)
    for key, here in predicted.items():
        there = stored[key][rows.astype(int)]
        alike &= np.isclose(there, here) if there.dtype.kind == "f" else there == here.astype(str)
    return bool(np.mean(alike) >= ALIKE)


def _target(run: Run, keys: list[str]) -> dict[str, Array]:
    """Predictions for the whole target, which must be those by which the run proposed its rows."""
    stored, drawn = _stored(run), run.record.get("label_design")
    if drawn is not None:
        found = set(drawn["leaders"]) <= stored.keys() and Counter(
            strata(stored, drawn["leaders"], run.record["task"]["kind"]).tolist()
        )
        if found != Counter(drawn["sizes"]):
            raise ValueError(
                "the run is damaged: its proposed rows were drawn by other predictions than evidence.npz has"
            )
    return {key: stored[key] for key in keys}


def _row_numbers(column: pd.Series[Any], n: int, name: Path) -> Array:
    rows = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    if not ((rows >= 0) & (rows < n) & (rows == np.floor(rows))).all():
        raise ValueError(f"the column {column.name!r} of {name} must hold row numbers of the target, 0 to {n - 1}")
    values, counts = np.unique(rows.astype(int), return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"the column {column.name!r} of {name} names the target row {values[counts > 1][0]} twice")
    return rows.astype(int)


def _stored(run: Run) -> dict[str, Array]:
    """The predictions for the target that the run was made with."""
    stored = {k.removeprefix("predicted_"): v for k, v in run.found.arrays.items() if k.startswith("predicted_")}
    n = run.record["task"]["n_target"]
    if not {"sourceonly", *run.methods} <= stored.keys() or any(v.shape != (n,) for v in stored.values()):
        raise ValueError(f"the run's evidence.npz is damaged: expected the predictions of {n} rows by each method")
    return stored


def _few(names: list[str], most: int = 8) -> str:
    return ", ".join(map(str, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")
