"""Who competes: methods of the map with their params, and the honest baselines, as the commands spell them."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.utils import get_tags

from transfermap.adapted import Adapted
from transfermap.bench.baselines import BASELINES, baseline
from transfermap.bench.dataset_files import Array
from transfermap.bench.datasets import Rows
from transfermap.bench.kernelrls import KernelRLS
from transfermap.card import LISTED, check_params, find, keys
from transfermap.data.tables.arrays import densify
from transfermap.messages.choices import choose
from transfermap.roles import Learner
from transfermap.split import Split
from transfermap.verdict.named_estimators import estimator

OWN = "own"


@dataclass(frozen=True)
class Contender:
    """A method or baseline with its params."""

    key: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def spelled(self) -> str:
        """How a command names it: ``jda:kernel=linear,n_components=20``, the params in the order of their names."""
        return spell(self.key, self.params)


def spell(key: str, params: Mapping[str, Any]) -> str:
    """A method and its params in one word.

    Examples
    --------
    >>> from transfermap.bench.contenders import spell
    >>> spell("jda", {"n_components": 20, "kernel": "linear"})
    'jda:kernel=linear,n_components=20'
    """
    settings = ",".join(f"{name}={_told(value)}" for name, value in sorted(params.items()))
    return f"{key}:{settings}" if settings else key


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def contenders(text: str) -> list[Contender]:
    """What a command names: ``"tca,jda:n_components=20,kernel=linear"`` is two methods, the second with two params.

    Raises
    ------
    ValueError
        If there is no such method or param, or a param's value is out of its bounds.

    Examples
    --------
    >>> from transfermap.bench.contenders import contenders
    >>> [c.spelled for c in contenders("tca,jda:n_components=20,kernel=linear")]
    ['tca', 'jda:kernel=linear,n_components=20']
    """
    # a comma parts methods, unless a param follows it
    parts = [part.strip() for part in re.split(r",(?!\s*\w+\s*=)", text)]
    return [_contender(part) for part in parts if part]


def _contender(part: str) -> Contender:
    # the first colon only: values may hold one
    key, _, rest = part.partition(":")
    params: dict[str, Any] = {}
    for setting in filter(None, rest.split(",")):
        name, equals, value = (piece.strip() for piece in setting.partition("="))
        if not equals or not name:
            raise ValueError(f"{setting!r} in {part!r} is no param; expected name=value, as in jda:n_components=20")
        params[name] = _value(value)
    listed = f"{LISTED}; baselines: {', '.join(BASELINES)}"
    return check_contender(Contender(choose("method", key.strip(), [*BASELINES, *keys()], also=listed), params))


def _value(text: str) -> Any:
    """A number, true, false, none, or a word."""
    named = {"none": None, "null": None, "true": True, "false": False}
    if text.lower() in named:
        return named[text.lower()]
    # int first: "20" is a count, and float would accept it too
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def check_contender(contender: Contender) -> Contender:
    """The contender itself, if its method and params exist and the params are within their bounds."""
    key, params = contender.key, contender.params
    offered = _params(key)
    for name in params:
        if name == "estimator":
            raise ValueError(f"{key}: the estimator is chosen by --estimators, it is no param here")
        if name not in offered:
            raise ValueError(f"{key} has no param {name!r}; it has: {', '.join(offered) or 'none'}")
    if key not in BASELINES:
        check_params(find(key)(**params))
    return contender


def _params(key: str) -> list[str]:
    if key in BASELINES:
        parameters = inspect.signature(BASELINES[key]).parameters.values()
        return [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
    return [f.name for f in fields(find(key)) if f.name != "estimator"]


def takes_estimator(key: str) -> bool:
    """Whether an estimator is trained after it; baselines and some methods are classifiers themselves."""
    if key in BASELINES:
        return False
    cls: Any = find(key)
    return not issubclass(cls, Learner) or "estimator" in {f.name for f in fields(cls)}


def classifier(name: str, seed: int = 0) -> Any:
    """The classifier ``name``: ``nn``, ``linear-svm``, ``kernel-rls``, or one that ``adapt`` offers.

    Raises
    ------
    ValueError
        If there is none of that name; the message lists those that exist.
    """
    own = {
        # the papers' classifiers, beside those that ``adapt`` offers
        "nn": KNeighborsClassifier(1, algorithm="brute"),
        "linear-svm": SVC(kernel="linear"),
        "kernel-rls": KernelRLS(),
    }
    if name in own:
        return own[name]
    try:
        return estimator(name, "classification", seed)
    except ValueError as error:
        raise ValueError(f"{error}, {', '.join(own)}") from None


def predict(contender: Contender, after: str, rows: Rows, seed: int = 0) -> Array:
    """What a contender says of the target's rows, whose labels it does not get.

    Parameters
    ----------
    contender : Contender
    after : str
        The classifier trained after the method; no matter where it has its own.
    rows : Rows
        The task, its source rows as drawn.
    seed : int
        For methods and classifiers that draw at random.

    Returns
    -------
    ndarray of shape (n_target,)
    """
    if contender.key in BASELINES:
        return baseline(contender.key, rows.Xs, rows.ys, rows.Xt, **contender.params)
    model = Adapted(_method(contender, seed), classifier(after if takes_estimator(contender.key) else "nn", seed))
    Xs, Xt = rows.Xs, rows.Xt
    # only where the method or the estimator needs it, and only up to a size
    if sparse.issparse(Xs) and not get_tags(model).input_tags.sparse:
        Xs, Xt = (densify(X, f"what {contender.key} is given") for X in (Xs, Xt))
    # as numbers: some estimators refuse words
    classes, codes = np.unique(rows.ys, return_inverse=True)
    model.fit_split(Split.of(Xs, codes, Xt, rows.domains))
    predicted: Array = classes[model.predict(Xt)]
    return predicted


def _method(contender: Contender, seed: int) -> Any:
    cls = find(contender.key)
    drawn = {"random_state": seed} if "random_state" in {f.name for f in fields(cls)} else {}
    return cls(**drawn | dict(contender.params))
