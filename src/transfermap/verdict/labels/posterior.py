"""What labels on some rows say of the scores on all: the stratified estimate, and draws from what remains possible.

Within a stratum the labelled rows stand for all rows; how well is said by the Bayesian bootstrap (Rubin, Annals of
Statistics 9, 1981, doi:10.1214/aos/1176345338), which gives the rows random weights, the same for every method. To the
labelled rows it adds a few made-up ones (``PRIOR`` rows' worth in all), whose label is equally likely to be what any of
the compared methods predicts: three labels that all speak for one method do not make it certain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from transfermap.verdict.encoded import Array
from transfermap.verdict.labels.choosing import strata

DRAWS = 4000
# Jeffreys' half a row for each outcome: right are one, the other, or neither
PRIOR = 1.5
# rows whose predictions make the made-up ones, and outcomes above which the posterior is as good as normal
SEEN, MANY = 40, 2000


class Scores(NamedTuple):
    """``point`` (methods,): the estimates. ``drawn`` (draws, methods): what they may really be, jointly."""

    point: Array
    drawn: Array


def posterior(
    predicted: Mapping[str, Array],
    labels: Array,
    leaders: Sequence[str],
    kind: str,
    target: Mapping[str, Array] | None = None,
    seed: int = 0,
) -> Scores:
    """Scores of every method on all target rows: accuracy for classes, R2 for numbers.

    The estimate of a mean is :math:`\\sum_h (N_h/N)\\,\\bar q_h` over the strata h of
    :func:`transfermap.verdict.labels.choosing.strata`: unbiased, whichever rows of a stratum have a label by chance. A
    stratum without a label counts as its made-up rows do.

    Parameters
    ----------
    predicted : mapping of method key to array of shape (n,)
        Predictions for the labelled rows, source-only among them. Within a stratum these are a random sample.
    labels : ndarray of shape (n,)
    leaders : sequence of str
        The leading candidates: by them rows are stratified, and they and source-only make up labels.
    kind : {"classification", "regression"}
    target : mapping of method key to array of shape (N,), default=None
        Predictions for all target rows; None: the labelled rows are as frequent in each stratum as the target's.
    seed : int

    Returns
    -------
    Scores
        Methods in the order of ``predicted``.
    """
    target, rng, keys = predicted if target is None else target, np.random.default_rng([seed, 5]), list(predicted)
    here, where = strata(predicted, leaders, kind, target), strata(target, leaders, kind)
    origin = float(np.mean(labels)) if kind == "regression" else None
    table, labels = _centred(predicted, keys, origin), labels if origin is None else labels - origin
    spread = 0.0 if origin is None else float(np.sqrt(np.mean((labels - table[:, keys.index("sourceonly")]) ** 2)))
    known = quantities(table, labels, kind)
    makers = [keys.index(key) for key in ("sourceonly", *leaders)]
    point, drawn = np.zeros(known.shape[1]), np.zeros((DRAWS, known.shape[1]))
    for name in np.unique(where.astype(str)):
        inside = np.flatnonzero(where == name)
        mine, share = known[here == name], len(inside) / len(where)
        seen = rng.permutation(inside)[:SEEN]
        made, mass = _made_up(_centred({k: target[k][seen] for k in keys}, keys, origin), makers, kind, spread)
        point += share * (mine.mean(axis=0) if len(mine) else mass @ made)
        weights = np.concatenate([np.ones(len(mine)), PRIOR * mass])
        drawn += share * _drawn_means(np.concatenate([mine, made]), weights, rng)
    return Scores(_score(point[None], kind)[0], _score(drawn, kind))


def quantities(table: Array, labels: Array, kind: str) -> Array:
    """What is averaged over rows, (n, q): for classes whether each method is right; else squared errors, y and y2."""
    if kind == "classification":
        return np.asarray(table == labels[:, None], dtype=float)
    return np.column_stack([(table - labels[:, None]) ** 2, labels, labels**2])


def _centred(predicted: Mapping[str, Array], keys: Sequence[str], origin: float | None) -> Array:
    """Predictions side by side, (n, methods); numbers from the labels' mean, where squares lose no digits."""
    table = np.column_stack([predicted[key] for key in keys])
    return table if origin is None else table.astype(float) - origin


def _score(means: Array, kind: str) -> Array:
    """Scores from the means of the quantities, (..., methods)."""
    if kind == "classification":
        return means
    errors, y, squares = means[:, :-2], means[:, -2:-1], means[:, -1:]
    spread = squares - y**2
    constant = spread <= 1e-12 * np.maximum(squares, np.finfo(float).tiny)
    return np.where(constant, (errors == 0).astype(float), 1 - errors / np.where(constant, 1.0, spread))


def _made_up(table: Array, makers: Sequence[int], kind: str, spread: float) -> tuple[Array, Array]:
    """Quantities of rows with made-up labels, and their weights, which sum to 1.

    A class is what one of the makers predicts, each class once, or none of them; a number is what one of the makers
    predicts, give or take ``spread``, the error of source-only.
    """
    guesses = table[:, makers]
    if kind == "classification":
        first = np.column_stack([(guesses[:, :j] != guesses[:, j : j + 1]).all(axis=1) for j in range(len(makers))])
        labels = np.column_stack([guesses.astype(object), np.full(len(table), None, dtype=object)])
        weights = np.column_stack([first, np.ones(len(table))])
    else:
        labels = np.column_stack([guesses - spread, guesses + spread])
        weights = np.ones(labels.shape)
    weights = weights / weights.sum(axis=1, keepdims=True) / len(table)
    return quantities(np.repeat(table, labels.shape[1], axis=0), labels.ravel(), kind), weights.ravel()


def _drawn_means(rows: Array, weights: Array, rng: np.random.Generator) -> Array:
    """Means under random weights from a Dirichlet distribution, (draws, q); alike rows are one."""
    rows, which = np.unique(rows, axis=0, return_inverse=True)
    weights = np.bincount(which.ravel(), weights)
    if len(rows) <= MANY:
        share = rng.standard_gamma(weights, (DRAWS, len(rows)))
        return np.asarray(share / share.sum(axis=1, keepdims=True) @ rows)
    # the same mean and covariance
    total = float(weights.sum())
    mean = weights @ rows / total
    spread = (rows - mean) * np.sqrt(weights / total / (total + 1))[:, None]
    return np.asarray(mean + rng.standard_normal((DRAWS, rows.shape[1])) @ np.linalg.qr(spread, mode="r"))
