"""Predictions of new rows by what a run found: encoded as its models take them, and labels as they were given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from transfermap.data.images.image_files import FILE
from transfermap.messages.choices import choose
from transfermap.verdict.encoded import Array, Encoded, column
from transfermap.verdict.investigate import Found


def model_of(found: Found, method: str | None = None) -> Any:
    """A method's fitted model; None: that of the method whose predictions are handed out."""
    key = found.record.verdict.model if method is None else choose("method in this run", method, found.models)
    return found.models[key]


def encoded(found: Found, X: Any) -> Encoded:
    """Rows as the run's models take them."""
    if not isinstance(X, pd.DataFrame):
        names, X = list(found.encoder.feature_names_in_), np.asarray(X)
        if X.ndim > 2:
            return Encoded(found.encoder.transform(X))
        if X.ndim != 2 or X.shape[1] != len(names):
            raise ValueError(f"expected rows of {len(names)} columns, got an array of shape {X.shape}")
        X = pd.DataFrame(X, columns=names)
    files = column(X[FILE]) if FILE in X and found.record.images is not None else None
    return Encoded(found.encoder.transform(X), files)


def as_given(found: Found, labels: Array) -> Array:
    """Labels in the type in which they came; within a run classes are strings, as in a file."""
    given = found.record.label_type
    if given == "bool":
        return labels == "True"
    return labels.astype(float).astype(given) if given else labels


def predicted_frame(found: Found, X: Any, method: str | None = None) -> pd.DataFrame:
    """Predictions, probabilities and, for each row, whether it lies far from anything seen."""
    rows, model = encoded(found, X), model_of(found, method)
    own = rows.read_by(model)
    table = pd.DataFrame({"prediction": model.predict(own)})
    if FILE in X and found.record.images is not None:
        table.insert(0, FILE, X[FILE].to_numpy())
    if found.record.task.kind == "classification" and hasattr(model, "predict_proba"):
        for c, p in zip(model.classes_, model.predict_proba(own).T, strict=True):
            table[f"p({c})"] = p.round(6)
    distance, threshold = found.support.distance(rows.X), found.support.threshold_
    table["far"] = distance > threshold
    table["distance"] = (distance / max(threshold, np.finfo(float).tiny)).round(4)
    return table
