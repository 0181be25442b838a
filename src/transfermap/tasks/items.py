"""Images or sentences with a class each, from a folder or a table: what a backbone is fine-tuned on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from transfermap.data.images.image_files import CLASS, FILE, find_images
from transfermap.data.tables.files import read_table
from transfermap.data.tables.spelling import spelled
from transfermap.messages import Note

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Items:
    """Paths of images or sentences, in the order of their folder or table.

    Attributes
    ----------
    items : ndarray of str of shape (n,)
    labels : ndarray of str of shape (n,), or None
        Their classes; "" where there is none.
    kind : {"images", "text"}
    notes : list of Note
    """

    items: Array
    labels: Array | None
    kind: str
    notes: list[Note] = field(default_factory=list)

    def labelled(self) -> Items:
        """Those that have a class.

        Raises
        ------
        ValueError
            If there are fewer than two classes, or one of them has a single item.
        """
        if self.labels is None:
            raise ValueError("these items have no classes; expected sub-folders that are called so, or --label COLUMN")
        there = self.labels != ""
        classes, counts = np.unique(self.labels[there], return_counts=True)
        if len(classes) < 2 or counts.min() < 2:
            alone = [str(c) for c in classes[counts < 2]]
            raise ValueError(
                f"expected two or more classes of two or more items each; got {len(classes)} classes"
                + (f", and one item only of {', '.join(alone[:6])}" if alone else "")
            )
        lost = [Note("finetune.no_class", "warn", {"count": int((~there).sum())})] if not there.all() else []
        return Items(self.items[there], self.labels[there], self.kind, [*self.notes, *lost])


def read_items(path: str | Path, text: str | None = None, label: str | None = None) -> Items:
    """The images of a folder or of a table of paths; or, with ``text``, the sentences of a column of a table.

    Parameters
    ----------
    path : path
    text : str, default=None
        The column of sentences.
    label : str, default=None
        The column of classes; images in sub-folders have their names for classes.

    Raises
    ------
    ValueError
        If a column or file is missing.
    """
    if text is None:
        found = find_images(path, label or CLASS)
        table, column, notes = found.table, FILE, list(found.notes)
    else:
        table, column, notes = read_table(path), text, []
    absent = [name for name in (column, label) if name is not None and name not in table]
    if absent:
        raise ValueError(f"{path} has no column {absent[0]!r}; it has: {', '.join(map(str, table.columns))}")
    label = label or (CLASS if text is None and CLASS in table else None)
    labels = None if label is None else spelled(table[label]).astype(str)
    return Items(spelled(table[column]).astype(object), labels, "images" if text is None else "text", notes)
