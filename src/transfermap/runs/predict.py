"""New rows predicted by a run, chunk by chunk."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from transfermap.data.encode.unreadable import Losses, loss_notes, losses
from transfermap.data.images.image_files import holds_images
from transfermap.data.tables.files import read_chunks
from transfermap.messages import Note
from transfermap.runs.model_file import whole_file
from transfermap.runs.predictions import predicted_frame
from transfermap.runs.saved_run import Predictions, silent
from transfermap.verdict.investigate import Found

ROW = "row"
_CHUNK = 5000


def predict_file(
    found: Found, table: Path, output: Path, method: str | None = None, tick: Callable[[str], None] = silent
) -> Predictions:
    """Predict the rows of a file, chunk by chunk, into a CSV file that is there whole or not at all.

    Parameters
    ----------
    found : Found
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
    """
    if output.resolve() == table.resolve():
        raise ValueError(f"{output} is the table to be predicted; give another name for the predictions")
    rows = far = 0
    lost: Losses = Counter()
    with whole_file(output) as part:
        chunks, notes = _chunks(found, table, tick)
        for chunk in map(found.encoder.ready, chunks):
            _check_columns(chunk, found, table)
            lost.update(losses(found.encoder, chunk))
            predicted = predicted_frame(found, chunk, method)
            predicted.insert(0, ROW, np.arange(rows, rows + len(predicted)))
            predicted.to_csv(part, mode="a", header=rows == 0, index=False, encoding="utf8", quoting=csv.QUOTE_MINIMAL)
            rows, far = rows + len(predicted), far + int(predicted["far"].sum())
            tick(f"{rows:,} rows")
    method = method or found.record.verdict.model
    return Predictions(rows, method, str(output), (*notes, *loss_notes(lost)), far)


def _chunks(found: Found, table: Path, tick: Callable[[str], None]) -> tuple[Iterator[pd.DataFrame], list[Note]]:
    """The rows of a file, some at a time, and what was found in reading them; images as the run has seen others."""
    if found.record.images is None or not holds_images(table):
        return read_chunks(table), []
    rows, notes = images(found, table, tick)
    return (rows.iloc[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)), notes


def images(found: Found, place: Path, tick: Callable[[str], None] = silent) -> tuple[pd.DataFrame, list[Note]]:
    """New images as the run has seen others; for a run on images."""
    from transfermap.tasks.images import image_rows

    assert found.record.images is not None
    return image_rows(place, found.record.images.features_of, found.record.task.label, tick)


def rows_of(found: Found, place: Path, tick: Callable[[str], None] = silent) -> tuple[pd.DataFrame, list[Note]]:
    """All rows of a file or a folder as the run's models take them, and what was found in reading them."""
    chunks, notes = _chunks(found, place, tick)
    rows = found.encoder.ready(pd.concat(chunks, ignore_index=True))
    _check_columns(rows, found, place)
    return rows, [*notes, *loss_notes(losses(found.encoder, rows))]


def _check_columns(chunk: pd.DataFrame, found: Found, name: Path) -> None:
    absent = [c for c in found.encoder.used_ if c not in chunk]
    if absent:
        raise ValueError(
            f"{name} lacks the columns {few(absent)}, which the model needs; it has {few(list(map(str, chunk)))}"
        )


def few(names: list[str], most: int = 8) -> str:
    """The first names, and how many more there are."""
    return ", ".join(map(str, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")
