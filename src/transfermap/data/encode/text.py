"""A column of sentences as features of a pretrained text net, and when to take them instead of topics."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.base import BaseEstimator, TransformerMixin

from transfermap.messages import Note

TOPICS, AUTO = "topics", "auto"
# signs of all texts up to which "auto" takes a text net: about a minute and a quarter of one processor
MOST_SIGNS = 1_000_000
# signs of a text that a text net reads, about
_READ = 700
# signs of a text, on average, up to which "auto" takes a text net: it did much better than topics on sentences of 120
# signs, and hardly better on reviews of 500 to 1,000
_SHORT = 400
_LATIN = 0.9
# mean squared distance of the source's texts from their centre: of 1, 2, 4, 16, 32 and 384 (one a feature) the one with
# which logistic regression did best on held-out source rows of four collections of 500 texts
_SIZE = 2.0


class Sentences(TransformerMixin, BaseEstimator):
    r"""Sentences -> features of a pretrained text net, centred and divided by one number for all.

    With :math:`f(x)` the net's features, a sentence becomes :math:`(f(x) - m) / s`, where m is their mean over the
    source and s makes the mean squared distance from the centre 2, so that they keep their proportions and a linear
    model of so many columns stays tame. Only the name and the digest of the net are kept, not its weights: where it is
    loaded again, the same net must be installed.

    Parameters
    ----------
    net : str
        Name of a text net, such as "all-minilm-l6-v2" (:func:`transfermap.deep.pretrained.backbones.backbone`).

    Raises
    ------
    ValueError
        If the net is not installed, or has other weights than when this was fitted.
    """

    def __init__(self, net: str) -> None:
        self.net = net

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn centre and spread from sentences of shape (n, 1)."""
        found, self.digest_ = _room().embed(self.net, _flat(X))
        self.size_ = found.shape[1]
        self.centre_ = found.mean(axis=0)
        self.spread_ = float(np.sqrt(found.var(axis=0).sum() / _SIZE)) or 1.0
        return self

    def transform(self, X: Any) -> np.ndarray[Any, Any]:
        """Map sentences of shape (n, 1) to numbers of shape (n, size)."""
        found, _ = _room().embed(self.net, _flat(X), self.digest_)
        spread: np.ndarray[Any, Any] = (found - self.centre_) / self.spread_
        return spread

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray[Any, Any]:
        """Names of the outputs: their numbers, from 1."""
        return np.array([str(i + 1) for i in range(self.size_)], dtype=object)


class Reading(NamedTuple):
    """How a column of sentences is read: "topics" or the name of a text net, and why."""

    how: str
    why: Note


def reading(wanted: str, column: str, texts: Sequence[str], rows: int) -> Reading:
    """How to read a column of sentences.

    Parameters
    ----------
    wanted : str
        "topics", the name of a text net, or "auto": a text net if one is at hand, most of the letters are Latin (the
        nets at hand were trained on English), and the texts are short and not too many; else topics.
    column : str
        Its name.
    texts : sequence of str
        The source's sentences.
    rows : int
        Of source and target together.

    Examples
    --------
    >>> reading("topics", "review", ["good film", "bad film"], 4).how
    'topics'
    """
    if wanted != AUTO:
        code = "table.topics_asked" if wanted == TOPICS else "table.net_asked"
        return Reading(wanted, Note(code, "info", {"column": column, "net": wanted}))
    cells = pa.array(list(texts), pa.large_string())
    lengths = pc.utf8_length(cells).to_numpy()
    net = _room().text_net_at_hand()
    values = {"column": column, "net": net, "count": rows, "signs": round(float(lengths.mean()))}
    if net is None:
        return Reading(TOPICS, Note("table.topics_no_net", "info", values))
    if not _latin(cells.slice(0, 1000)):
        return Reading(TOPICS, Note("table.topics_letters", "info", values))
    if lengths.mean() > _SHORT:
        return Reading(TOPICS, Note("table.topics_long", "info", values))
    if rows * np.minimum(lengths, _READ).mean() > MOST_SIGNS:
        return Reading(TOPICS, Note("table.topics_many", "info", values))
    return Reading(net, Note("table.net_auto", "info", values))


def _room() -> Any:
    # a door into a room above, which alone knows nets; see docs/decisions/0003
    return import_module("transfermap.deep.pretrained.text_features")


def _latin(cells: pa.Array) -> bool:
    """Whether nine in ten letters are those of the English alphabet."""
    letters, plain = (pc.sum(pc.count_substring_regex(cells, p)).as_py() or 0 for p in (r"\pL", r"[A-Za-z]"))
    return bool(plain >= _LATIN * letters)


def _flat(column: Any) -> list[str]:
    return [str(text) for text in np.asarray(column, dtype=object).ravel()]
