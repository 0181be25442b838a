"""How a column of sentences is read: as topics, or as features of a pretrained text net, and when to take which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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


class TextNets(Protocol):
    """Who knows pretrained text nets: the encoder is handed one where sentences may be read through a net."""

    def at_hand(self) -> str | None:
        """Name of a text net whose packages and weights are installed; None if there is none."""

    def sentences(self, net: str) -> Any:
        """A transformer, not yet fitted, of sentences (n, 1) to the features of the net called so; its ``size_``."""


class Reading(NamedTuple):
    """How a column of sentences is read: "topics" or the name of a text net, and why."""

    how: str
    why: Note


def reading(wanted: str, column: str, texts: Sequence[str], rows: int, net: str | None = None) -> Reading:
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
    net : str, default=None
        The text net that is at hand.

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


def _latin(cells: pa.Array) -> bool:
    """Whether nine in ten letters are those of the English alphabet."""
    letters, plain = (pc.sum(pc.count_substring_regex(cells, p)).as_py() or 0 for p in (r"\pL", r"[A-Za-z]"))
    return bool(plain >= _LATIN * letters)
