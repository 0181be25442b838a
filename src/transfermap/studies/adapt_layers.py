"""Where in a net to adapt: an objective tried on one layer after another, and on several at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone, is_classifier

from transfermap.deep.nets.small import build
from transfermap.deep.training.settings import JUDGES

Layers = str | tuple[str, ...]


def layer_names(net: Any, columns: int, outputs: int = 2) -> tuple[str, ...]:
    """Layers of a net that have weights of their own, from the first to the last, and "head".

    Examples
    --------
    >>> layer_names("mlp", columns=4)
    ('features.0', 'features.2', 'head')
    """
    features = build(net, columns, outputs)["features"].named_modules(prefix="features")
    own = [name for name, layer in features if list(layer.parameters(recurse=False))]
    return (*own, "head")


def where_to_adapt(
    model: Any,
    X: Any,
    y: Any,
    *,
    sample_domain: Any,
    layers: Sequence[Layers] | None = None,
    target_labels: Any = None,
) -> pd.DataFrame:
    """Train a net once for each choice of layers that its objective compares the domains on.

    Parameters
    ----------
    model : DeepClassifier or DeepRegressor
        Its objective has a param ``layers``, such as ``DeepClassifier(DAN())``; it is not changed.
    X, y, sample_domain
        As for its ``fit``.
    layers : sequence of str or tuple of str, default=None
        The choices, a tuple for several layers at once; None: each of :func:`layer_names`, and all of them.
    target_labels : array-like, default=None
        Of the target's rows, in their order. They are held against the trained nets only, as the column "oracle".

    Returns
    -------
    DataFrame
        A row a choice, a column a score, larger better: label-free ones for a classifier, "oracle" where asked for.
        :func:`transfermap.report.plots.layer_plot.layer_plot` draws it as a heat map.

    Raises
    ------
    ValueError
        If the objective has no such param, or nothing says how good a choice is.
    """
    if "objective__layers" not in model.get_params():
        raise ValueError(f"expected an objective with a param layers, such as DAN(); got {model.objective!r}")
    if not is_classifier(model) and target_labels is None:
        raise ValueError("a regressor has no label-free score: expected target_labels, to be held against the results")
    if layers is None:
        source = np.asarray(sample_domain) >= 0
        every = layer_names(model._own_net(), np.shape(X)[1], len(np.unique(np.asarray(y)[source])))
        layers = (*every, every)
    rows = {}
    for choice in layers:
        tried = clone(model).set_params(objective__layers=choice).fit(X, y, sample_domain=sample_domain)
        rows[choice if isinstance(choice, str) else " + ".join(choice)] = _scores(
            tried, X, sample_domain, target_labels
        )
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("layers")


def _scores(fitted: Any, X: Any, sample_domain: Any, target_labels: Any) -> dict[str, float]:
    at = np.flatnonzero(np.asarray(sample_domain) < 0)
    Xt = X.iloc[at] if hasattr(X, "iloc") else np.asarray(X)[at]
    free = {name: judge(fitted.predict_proba(Xt)) for name, judge in JUDGES.items()} if is_classifier(fitted) else {}
    return free | ({} if target_labels is None else {"oracle": float(fitted.score(Xt, target_labels))})
