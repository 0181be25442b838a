"""Which pretrained net to start from: scores of frozen features on labelled items, without fine-tuning any net."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax

from transfermap.deep.pretrained.feature_cache import features
from transfermap.deep.pretrained.provider import Backbone
from transfermap.measure.transferability.frozen_scores import h_score, leep, nce, trans_rate
from transfermap.measure.transferability.linear_evidence import log_me
from transfermap.measure.transferability.probes import linear_probe, neighbour_accuracy

Array = np.ndarray[Any, np.dtype[Any]]
# by whom the table is sorted: the exact evidence
FIRST = "log_me"
_ON_FEATURES: dict[str, Callable[[Array, Array], float]] = {
    "log_me": log_me,
    "h_score": h_score,
    "trans_rate": trans_rate,
    "neighbours": lambda F, y: neighbour_accuracy(F, y).value,
    "probe": lambda F, y: linear_probe(F, y).value,
}
# these ask what the net's own classifier answers, where it has one
_ON_ANSWERS: dict[str, Callable[[Array, Array], float]] = {
    "leep": lambda P, y: leep(P, y),
    "nce": lambda P, y: nce(P.argmax(axis=1), y),
}


def rank_models(
    backbones: Sequence[Backbone],
    items: Sequence[str],
    labels: Any,
    *,
    device: str = "auto",
    tick: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Scores of every backbone on labelled items, larger better throughout; the best evidence first.

    Features are computed once and kept (:mod:`transfermap.deep.pretrained.feature_cache`).

    Parameters
    ----------
    backbones : sequence of Backbone
    items : sequence of str of length n
        Paths or sentences.
    labels : array-like of shape (n,)
    device : str
    tick : callable
        Told what is being done.

    Returns
    -------
    DataFrame
        A row a backbone: ``width``, the scores (NaN where one cannot be had), and ``seconds``.

    Raises
    ------
    ValueError
        If an item cannot be read.
    """
    y, rows = np.asarray(labels), {}
    for net in backbones:
        tick(net.name)
        began = time.perf_counter()
        found = features(net, list(items), device=device)
        if found.faults:
            raise ValueError(
                f"{len(found.faults)} of {len(items)} items cannot be read: {next(iter(found.faults.values()))}"
            )
        scores = {name: score(found.values, y) for name, score in _ON_FEATURES.items()}
        P = None if net.head is None else _answers(net, found.values)
        scores |= {name: np.nan if P is None else score(P, y) for name, score in _ON_ANSWERS.items()}
        rows[net.name] = {"width": net.width, **scores, "seconds": time.perf_counter() - began}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("backbone")
    return table.sort_values(FIRST, ascending=False, kind="stable")


@torch.no_grad()
def _answers(net: Backbone, F: Array) -> Array:
    """Probabilities (n, Z) of the classes that the net was trained with."""
    Z: Array = net.head.eval()(torch.from_numpy(F)).double().numpy()
    return softmax(Z, axis=1)
