"""Side information for methods that cannot do without: made from any rows, or the toy's own."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from transfermap.adapted import Adapted
from transfermap.card import find
from transfermap.split import Side


def told(key: str, X: Any, y: Any, d: Any = None) -> dict[str, Any]:
    """What ``fit`` takes beside rows and labels: which row is whose, and made-up side information where it is needed.

    Pairs join the source row and the target row of equal rank in the first column; attributes name the class. Neither
    depends on the order of rows.
    """
    kinds = {"pairs": lambda: Side(pairs=_ranks(X, d)), "attributes": lambda: Side(attributes=_one_hot(y, d))}
    side = find(key).reads.side
    return {"sample_domain": d} | ({"side": kinds[side]()} if side else {})


def self_told(model: Any) -> Any:
    """The same estimator, which makes up side information that it is not given: scikit-learn's checks know of none."""
    if not (model.adapter if isinstance(model, Adapted) else model).reads.side:
        return model
    told_class = _told_class(type(model))
    return told_class(**model.get_params(deep=False))


@cache
def _told_class(cls: type[Any]) -> type[Any]:
    def fit(self: Any, X: Any, y: Any = None, *, sample_domain: Any = None, side: Any = None) -> Any:
        key = getattr(self, "adapter", self).card.key
        side = told(key, X, y, sample_domain)["side"] if side is None else side
        return cls.fit(self, X, y, sample_domain=sample_domain, side=side)

    name = f"{cls.__name__}Told"
    globals()[name] = type(name, (cls,), {"fit": fit, "__module__": __name__})  # by name: the checks pickle it
    return globals()[name]


def _ranks(X: Any, d: Any) -> np.ndarray:
    n = X.shape[0] if hasattr(X, "shape") else len(np.asarray(X))
    d = np.asarray(d)
    if d.shape != (n,) or d.dtype.kind not in "iu":
        return np.arange(n)  # every row is both, or the input is bad anyway
    table, ranks = np.asarray(X), np.arange(n)
    first = table[:, 0] if table.ndim == 2 and table.size else ranks
    for rows in (np.flatnonzero(d >= 0), np.flatnonzero(d < 0)):
        if len(rows):
            ranks[rows[np.argsort(first[rows], kind="stable")]] = np.arange(len(rows))
    return ranks


def _one_hot(y: Any, d: Any) -> dict[Any, list[float]]:
    # -1 is a class like any other where every row is both
    labels = [v for v in np.asarray(y).ravel().tolist() if v is not None and v == v and (d is None or v != -1)]
    classes = np.unique(np.array(labels)).tolist()
    return {c: row.tolist() for c, row in zip(classes, np.eye(len(classes)), strict=True)}
