"""What of new rows an encoder cannot make use of: cells that it cannot read, and columns without any."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from transfermap.data.columns import coerced, unread
from transfermap.data.encoder import TableEncoder
from transfermap.words import Note


class Losses:
    """Counts, chunk by chunk, the cells that are lost on the way into the model.

    Examples
    --------
    >>> import pandas as pd
    >>> from transfermap.data.encoder import TableEncoder
    >>> from transfermap.data.losses import Losses
    >>> encoder = TableEncoder().fit(pd.DataFrame({"age": ["30", "40", "50"], "city": ["Rome", "Oslo", "Rome"]}))
    >>> losses = Losses(encoder)
    >>> losses.count(pd.DataFrame({"age": ["old", "31"], "city": ["Lima", "Rome"]}))
    >>> [(note.code, note.values["count"]) for note in losses.notes()]
    [('table.unread', 1), ('table.unseen', 1)]
    """

    def __init__(self, encoder: TableEncoder) -> None:
        self.encoder = encoder
        self.unread: Counter[str] = Counter()
        self.unseen: Counter[str] = Counter()
        self.there: Counter[str] = Counter()

    def count(self, table: pd.DataFrame) -> None:
        """Look at one more chunk of shape (n, columns), which has all columns that the encoder uses."""
        read = ("number", "date", "flag", "category")
        kinds = {name: kind for name, kind in self.encoder.used_.items() if kind in read}
        done = coerced(table, kinds, self.encoder.styles_)
        known = self.encoder.categories
        for name, kind in kinds.items():
            if kind == "category":
                values = done[name].to_numpy()
                self.there[name] += int(np.count_nonzero(values != ""))
                self.unseen[name] += int(np.count_nonzero(~np.isin(values, known[name]) & (values != "")))
            else:
                lost = unread(table[name], done[name])
                self.there[name] += int(done[name].notna().sum()) + lost
                self.unread[name] += lost

    def notes(self) -> list[Note]:
        """The findings over all chunks."""
        empty = [name for name, count in self.there.items() if not count]
        notes = [Note("table.blank", "warn", {"columns": empty})] if empty else []
        for code, counts in (("table.unread", self.unread), ("table.unseen", self.unseen)):
            names = [name for name, count in counts.items() if count]
            if names:
                notes.append(Note(code, "warn", {"columns": names, "count": counts.total()}))
        return notes
