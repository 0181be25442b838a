"""What the methods of this family share: one adapted model a source, and how far each source is from the target."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.special import softmax

from transfermap.adapted import Adapted
from transfermap.card import find
from transfermap.math.kernels import median_bandwidth, mmd2
from transfermap.math.linalg import Array
from transfermap.roles import check_method
from transfermap.split import Split


def in_float64(rows: Split) -> Split:
    """The same rows in double precision."""
    return rows._replace(Xs=rows.Xs.astype(np.float64, copy=False), Xt=rows.Xt.astype(np.float64, copy=False))


def trainable_sources(rows: Split, classify: bool) -> Array:
    """The numbers of the sources that a model can be trained on, sorted; a warning names those that are left out.

    Raises
    ------
    ValueError
        If no source has two rows (and, to ``classify``, two classes).
    """
    numbers = np.unique(rows.source_domains)
    labels = [np.asarray(rows.ys)[rows.source_domains == number] for number in numbers]
    fine = np.array([len(y) > 1 and (not classify or len(np.unique(y)) > 1) for y in labels])
    reason = "fewer than two rows" + (" or a single class" if classify else "")
    if not fine.any():
        raise ValueError(f"expected a source that a model can be trained on; all {len(numbers)} have {reason}")
    if not fine.all():
        named, rest = numbers[~fine][:10], len(numbers[~fine][10:])
        out = ", ".join(map(str, named.tolist())) + (f" and {rest} more" if rest else "")
        warnings.warn(f"sources left out, as they have {reason}: {out}", UserWarning, stacklevel=2)
    return numbers[fine]


def source_models(adapter: Any, estimator: Any, rows: Split, sources: Array) -> list[Adapted]:
    """One model a source, each trained on that source alone, adapted to the target by ``adapter`` (None: as it is)."""
    adapter = find("sourceonly")() if adapter is None else adapter
    check_method(adapter)
    if adapter.reads.target:
        name = type(adapter).__name__
        raise ValueError(f"adapter must be a method that reads no target labels; {name} needs some")
    return [_source_model(adapter, estimator, rows, number) for number in sources]


def _source_model(adapter: Any, estimator: Any, rows: Split, number: int) -> Adapted:
    own = rows.source_domains == number
    Xs, ys = rows.Xs[own], np.asarray(rows.ys)[own]
    return Adapted(adapter, estimator).fit_split(Split.of(Xs, ys, rows.Xt, np.full(len(Xs), number)))


def some_rows(X: Array, most: int, seed: int) -> Array:
    """At most ``most`` rows of ``X``, drawn by ``seed``, in their order."""
    if len(X) <= most:
        return X
    return X[np.sort(np.random.default_rng(seed).choice(len(X), most, replace=False))]


def source_distances(rows: Split, sources: Array, most: int, seed: int) -> Array:
    """Maximum mean discrepancy of each source's rows and the target's, (n_sources,), from 0 to sqrt(2).

    The kernel's width is the target's own median distance, the same for all sources, so that they can be compared.
    """
    Xt = some_rows(rows.Xt, most, seed)
    gamma = 1 / (2 * median_bandwidth(Xt, seed))
    tables = (some_rows(rows.Xs[rows.source_domains == number], most, seed) for number in sources)
    # unbiased: the biased one grows as 1 / n, so that small sources would look far
    return np.sqrt([max(mmd2(Xs, Xt, gamma, unbiased=True), 0.0) for Xs in tables])


def closeness(distances: Array, temperature: float | None) -> Array:
    """What each source counts, of sum 1: exp(-distance / temperature), or the same for all."""
    return softmax(-distances / temperature if temperature else np.zeros(len(distances)))


def probabilities(models: list[Adapted], X: Array, classes: Array) -> Array:
    """Each model's class probabilities, (n_sources, n, n_classes); 0 for a class that its source lacks."""
    found = np.zeros((len(models), len(X), len(classes)))
    for P, model in zip(found, models, strict=True):
        # a source may lack classes that others have
        P[:, np.searchsorted(classes, model.classes_)] = _own_probabilities(model, X)
    return found


def _own_probabilities(model: Adapted, X: Array) -> Array:
    """Of the model's own classes, (n, n_own); one for the predicted class where the estimator knows none."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X)
    return (model.predict(X)[:, None] == model.classes_).astype(np.float64)


def predictions(models: list[Adapted], X: Array) -> Array:
    """Each model's predicted numbers, (n_sources, n)."""
    return np.stack([model.predict(X) for model in models])


def logarithm(P: Array) -> Array:
    """Scores of probabilities: their logarithm, held finite."""
    # probabilities that are 0 must stay finite in a softmax
    return np.log(np.maximum(P, np.finfo(np.float64).tiny))
