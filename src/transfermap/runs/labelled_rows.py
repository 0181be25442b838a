"""A run held to labelled target rows: which rows they are, and what each method says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from transfermap.data.images.image_files import holds_images
from transfermap.data.tables.files import digest, read_table
from transfermap.data.tables.frames import free_name
from transfermap.messages import Note
from transfermap.runs.predict import ROW, few, images
from transfermap.runs.predictions import encoded
from transfermap.verdict.encoded import Array
from transfermap.verdict.investigate import Found
from transfermap.verdict.labels.choosing import strata
from transfermap.verdict.labels.few_labels import digests
from transfermap.verdict.labels.verify import target_truth, verify
from transfermap.verdict.record import Truth

# share of equal predictions from which numbered rows are taken for the target's: a table that went through a
# spreadsheet is rounded
ALIKE = 0.9


def verify_file(found: Found, labelled: Path) -> Truth:
    """Score a run on labelled target rows.

    Parameters
    ----------
    found : Found
    labelled : path
        A table with the label column and either the target's columns, or a column ``row`` with row numbers of the
        target file that the run was made with; for a run on images, a folder of them by class too. Rows without a
        label are left out. If all others are among those that the run proposed, as in ``label_me.csv``, they are
        weighted by how they were drawn; else they are taken as a simple random sample of the target.
    """
    table, notes = _labelled(found, labelled)
    label = found.record.task.label
    if label not in table.columns:
        raise ValueError(
            f"{labelled} has no column {label!r}, which this run predicts; it has {few(list(table.columns))}"
        )
    labels, there = target_truth(table[label], found.record.task)
    table = table[there].reset_index(drop=True)
    new = _not_learned(found, table, labelled)
    table, labels = table[new].reset_index(drop=True), labels[new]
    predicted = _predicted(found, table, labelled)
    proposed = _are_proposed(found, table, predicted)
    truth = verify(found.record, predicted, labels, _target(found, list(predicted)), proposed)
    if not new.all():
        notes = [*notes, Note("verify.learned", "info", {"count": int((~new).sum())})]
    sha256 = None if labelled.is_dir() else digest(labelled)
    return replace(truth, labelled=str(labelled), sha256=sha256, notes=(*truth.notes, *notes))


def _labelled(found: Found, labelled: Path) -> tuple[pd.DataFrame, list[Note]]:
    """The labelled rows; images that are not named by the number of their row are looked at."""
    if found.record.images is None or not holds_images(labelled):
        return read_table(labelled), []
    table = None if labelled.is_dir() else read_table(labelled)
    return images(found, labelled) if table is None or ROW not in table else (table, [])


def _not_learned(found: Found, table: pd.DataFrame, name: Path) -> Array:
    """Which labelled rows no model of the run has learned from: only they say how good it is."""
    new = np.ones(len(table), dtype=bool)
    if found.record.learned is None:
        return new
    frame = found.encoder.ready(table)
    if all(c in frame for c in found.encoder.used_):
        new = ~np.isin(digests(encoded(found, frame).X), found.record.learned.digests)
    else:
        number = free_name(ROW, {*found.encoder.kinds_, found.record.task.label})
        if number in table:
            numbers = _row_numbers(table[number], found.record.task.n_target, name)
            new = ~np.isin(numbers, found.record.learned.rows)
    if not new.any():
        raise ValueError(f"the run has learned from all {len(table)} labelled rows of {name}; expected other rows")
    return new


def _predicted(found: Found, table: pd.DataFrame, name: Path) -> dict[str, Any]:
    """Every method's predictions for the labelled rows: from their columns, or looked up by row numbers."""
    encoder = found.encoder
    table = encoder.ready(table)
    missing = [c for c in encoder.used_ if c not in table.columns]
    if not missing:
        own = encoded(found, table)
        return {key: model.predict(own.read_by(model)) for key, model in found.models.items()}
    number = free_name(ROW, {*encoder.kinds_, found.record.task.label})
    if number not in table.columns:
        raise ValueError(
            f"{name} lacks the columns {few(missing)}, and has no column {number!r} with row numbers instead"
        )
    rows = _row_numbers(table[number], found.record.task.n_target, name)
    return {key: values[rows] for key, values in _stored(found).items()}


def _are_proposed(found: Found, table: pd.DataFrame, predicted: Mapping[str, Array]) -> bool:
    """Whether the labelled rows are among those that the run proposed, each once, and not simply all there are."""
    number = free_name(ROW, {*found.encoder.kinds_, found.record.task.label})
    if number not in table.columns or len(table) >= found.record.task.n_target:
        return False
    rows = pd.to_numeric(table[number], errors="coerce").to_numpy(dtype=float)
    if not np.isin(rows, [proposed.row for proposed in found.record.label_me]).all() or len(np.unique(rows)) < len(
        rows
    ):
        return False
    # numbers that count other rows than the target's own would give the same predictions by chance only
    stored, alike = _stored(found), np.ones(len(rows), dtype=bool)
    for key, here in predicted.items():
        there = stored[key][rows.astype(int)]
        alike &= np.isclose(there, here) if there.dtype.kind == "f" else there == here.astype(str)
    return bool(np.mean(alike) >= ALIKE)


def _target(found: Found, keys: list[str]) -> dict[str, Array]:
    """Predictions for the whole target, which must be those by which the run proposed its rows."""
    stored, drawn = _stored(found), found.record.label_design
    where = strata(stored, drawn.leaders, found.record.task.kind) if set(drawn.leaders) <= stored.keys() else None
    if where is None or Counter(where.tolist()) != Counter(drawn.sizes):
        raise ValueError("the run is damaged: its proposed rows were drawn by other predictions than evidence.npz has")
    return {key: stored[key] for key in keys}


def _row_numbers(column: pd.Series[Any], n: int, name: Path) -> Array:
    rows = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    if not ((rows >= 0) & (rows < n) & (rows == np.floor(rows))).all():
        raise ValueError(f"the column {column.name!r} of {name} must hold row numbers of the target, 0 to {n - 1}")
    values, counts = np.unique(rows.astype(int), return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"the column {column.name!r} of {name} names the target row {values[counts > 1][0]} twice")
    return rows.astype(int)


def _stored(found: Found) -> dict[str, Array]:
    """The predictions for the target that the run was made with."""
    stored = {k.removeprefix("predicted_"): v for k, v in found.arrays.items() if k.startswith("predicted_")}
    n = found.record.task.n_target
    if not {"sourceonly", *found.models} <= stored.keys() or any(v.shape != (n,) for v in stored.values()):
        raise ValueError(f"the run's evidence.npz is damaged: expected the predictions of {n} rows by each method")
    return stored
