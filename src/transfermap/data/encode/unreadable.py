"""What of new rows an encoder cannot make use of: cells that it cannot read, and columns without any."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from transfermap.data.encode.encoder import TableEncoder
from transfermap.data.tables.columns import coerced, unread
from transfermap.messages import Note

Losses = Counter[tuple[str, str]]
_READ = ("number", "date", "flag", "category")


def losses(encoder: TableEncoder, table: pd.DataFrame) -> Losses:
    """How many cells of each column are there, cannot be read, or hold a category that the source never had.

    Parameters
    ----------
    encoder : TableEncoder, fitted
    table : DataFrame of shape (n, columns) with the columns that the encoder uses

    Returns
    -------
    Counter of ("there" | "unread" | "unseen", column); those of several chunks are put together by ``update``

    Examples
    --------
    >>> import pandas as pd
    >>> from transfermap.data.encode.encoder import TableEncoder
    >>> from transfermap.data.encode.unreadable import loss_notes, losses
    >>> encoder = TableEncoder().fit(pd.DataFrame({"age": ["30", "40", "50"], "city": ["Rome", "Oslo", "Rome"]}))
    >>> lost = losses(encoder, pd.DataFrame({"age": ["old", "31"], "city": ["Lima", "Rome"]}))
    >>> [(note.code, note.values["count"]) for note in loss_notes(lost)]
    [('table.unread', 1), ('table.unseen', 1)]
    """
    kinds = {name: kind for name, kind in encoder.used_.items() if kind in _READ}
    done = coerced(table, kinds, encoder.styles_)
    known = encoder.categories
    found: Losses = Counter()
    for name, kind in kinds.items():
        if kind == "category":
            values = pd.Series(done[name][done[name] != ""])
            # missing cells, "", are no category that the source lacks
            found["unseen", name] = len(values) - int(values.isin(known[name]).sum())
            found["there", name] = len(values)
        else:
            found["unread", name] = unread(table[name], done[name])
            found["there", name] = int(np.count_nonzero(done[name].notna())) + found["unread", name]
    return found


def loss_notes(found: Losses) -> list[Note]:
    """The losses of all rows in words."""
    empty = [name for (what, name), count in found.items() if what == "there" and not count]
    notes = [Note("table.blank", "warn", {"columns": empty})] if empty else []
    for code in ("unread", "unseen"):
        lost = {name: count for (what, name), count in found.items() if what == code and count}
        if lost:
            notes.append(Note(f"table.{code}", "warn", {"columns": list(lost), "count": sum(lost.values())}))
    return notes
