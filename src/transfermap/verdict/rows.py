"""Which target rows not to trust, and which to label: rows, not methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from transfermap.verdict.domains import Array

SHOWN = 20
UNSURE = 0.6


def disagreement(told: Mapping[str, Array], kind: str) -> Array:
    """How far the methods differ row by row, (n,): share outside the majority, or their spread over the target's."""
    votes = [told[key] for key in sorted(told)]
    if kind == "regression":
        table = np.column_stack(votes).astype(float)
        return table.std(axis=1) / max(float(table.std()), np.finfo(float).tiny)
    same = sum((np.column_stack(votes) == v[:, None]).astype(float) for v in votes)
    return 1.0 - same.max(axis=1) / len(votes)


def confidence(model: Any, X: Array) -> Array | None:
    """Probability of each row's predicted class, (n,); None where the model has no probabilities."""
    return model.predict_proba(X).max(axis=1) if hasattr(model, "predict_proba") else None


def untrusted(distance: Array, threshold: float, sure: Array | None) -> dict[str, Any]:
    """Rows far from anything seen (value: distance in units of the threshold), then rows the model is unsure of."""
    reach = distance / max(threshold, np.finfo(float).tiny)
    far = np.flatnonzero(reach > 1)
    found = [
        {"row": int(i), "why": "far", "value": float(reach[i])} for i in far[np.argsort(-reach[far], kind="stable")]
    ]
    if sure is not None:
        unsure = np.setdiff1d(np.flatnonzero(sure < UNSURE), far)
        order = unsure[np.argsort(sure[unsure], kind="stable")]
        found += [{"row": int(i), "why": "unsure", "value": float(sure[i])} for i in order]
    return {"count": len(found), "rows": found[:SHOWN]}


def worth_labelling(differ: Array, sure: Array | None, seed: int, most: int = SHOWN) -> list[dict[str, Any]]:
    """Rows whose labels would tell most: where the methods disagree, then where the model is unsure, then any.

    Ties are broken by chance (seeded), so that the rows of one crowd do not all come first.
    """
    doubt = np.zeros(len(differ)) if sure is None else 1.0 - sure
    chance = np.random.default_rng([seed, 3]).random(len(differ))
    order = np.lexsort((chance, -doubt, -differ))[:most]
    return [_reason(int(i), differ, doubt) for i in order]


def _reason(i: int, differ: Array, doubt: Array) -> dict[str, Any]:
    if differ[i] > 0:
        return {"row": i, "why": "disagree", "value": float(differ[i])}
    return {"row": i, "why": "unsure", "value": float(1 - doubt[i])}
