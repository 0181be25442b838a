"""From files, tables and folders of images to tables by name, the target's apart: read once, for every command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from transfermap.data.images.image_files import CLASS, FILE, any_images, find_images
from transfermap.data.tables.files import digest, read_table
from transfermap.data.tables.frames import to_frame
from transfermap.data.tables.labels import column_called
from transfermap.data.tables.spelling import spelled
from transfermap.messages import Note
from transfermap.tasks.align import by_domain

PathText = str | PathLike[str]
Tick = Callable[[str], None]


class Read(NamedTuple):
    """One table as it was read, what is to be said of it, and the SHA-256 of what it was read from ("": of none)."""

    table: pd.DataFrame
    notes: Sequence[Note] = ()
    digest: str = ""


class Tables(NamedTuple):
    """Sources by name and the target, as they came.

    Attributes
    ----------
    sources : dict of DataFrame
    target : DataFrame
    target_name : str
    notes : list of Note
    inputs : dict
        SHA-256 of what was read, by its path.
    known : DataFrame, or None
        Target rows whose labels are known.
    domain : str, or None
        The column that parted one table into these.
    features_of : dict, or None
        For images: the backbone whose features the columns are. Each row's file is the column ``file``.
    """

    sources: dict[str, pd.DataFrame]
    target: pd.DataFrame
    target_name: str
    notes: list[Note]
    inputs: dict[str, str]
    known: pd.DataFrame | None = None
    domain: str | None = None
    features_of: Mapping[str, Any] | None = None


def read_tables(
    tables: Sequence[Any],
    *,
    label: str | int | None,
    domain: str | None = None,
    target: Any = None,
    target_labels: Any = None,
    backbone: str | None = None,
    tick: Tick = lambda _: None,
) -> Tables:
    """Read what a task is made of; of images, the features that a backbone gives.

    Parameters
    ----------
    tables : sequence of path (:func:`transfermap.data.tables.files.read_table`, or a folder of images) or DataFrame
        Sources and, last, the target; or one, which ``domain`` parts.
    label : str or int, optional
        The column to predict; for images also None: "class".
    domain, target : str, str or number, optional
        The column of a single table that says where a row comes from, and the target's value there.
    target_labels : path or DataFrame, optional
    backbone : str, optional
        For images: the pretrained net whose features the columns are; None: the first that is installed.
    tick : callable
        Told what is being done.

    Raises
    ------
    ValueError
        If a file cannot be read, or the tables do not go together.
    """
    known = None if target_labels is None else _read(target_labels)
    if any_images([table for table in tables if _is_path(table)]):
        found = _image_tables(tables, CLASS if label is None else str(label), domain, target, backbone or "auto", tick)
    elif backbone is not None:
        raise ValueError("--backbone is for folders of images, or tables that name images; got neither")
    elif label is None:
        raise ValueError("label is missing (on the command line, --label): say which column is to be predicted")
    else:
        found = named_tables(tables, _read, domain, target, label)
    if known is None:
        return found
    inputs = found.inputs | ({str(target_labels): known.digest} if known.digest else {})
    return found._replace(known=_by_row(known.table, found.target), inputs=inputs)


def listed_tables(
    tables: Sequence[PathText], *, label: str | None, domain: str | None = None, target: Any = None
) -> Tables:
    """As :func:`read_tables`, but of images what is known before a net looks at them: paths, and classes where they
    have some."""
    if not any_images(tables):
        return named_tables(tables, _read, domain, target)

    def listed(path: PathText) -> Read:
        found = find_images(path, label or CLASS)
        return Read(found.table, found.notes)

    return named_tables(tables, listed, domain, target)


def named_tables(
    tables: Sequence[Any],
    read: Callable[[Any], Read],
    domain: str | None = None,
    target: Any = None,
    label: str | int | None = None,
) -> Tables:
    """Tables read by ``read``: sources by the names of their files, or by the values of the column ``domain``.

    Raises
    ------
    ValueError
        If the column ``domain`` is not there, is the label, or does not hold the target's value and another one.
    """
    if domain is None:
        *paths, last = tables
        in_files = all(_is_path(table) for table in tables)
        names = stems(paths) if in_files else unnamed(len(paths))
        found = [read(table) for table in tables]
        sources = {name: one.table for name, one in zip(names, found, strict=False)}
        return Tables(sources, found[-1].table, stem(last) if in_files else "target", *_told(tables, found))
    (one,) = tables
    found = [read(one)]
    column = column_called(domain, found[0].table, "domain", "the table")
    if label is not None and column == column_called(label, found[0].table, "label", "the table"):
        raise ValueError(f"the column {column!r} cannot be both the label and the domain")
    sources, rows, lost = by_domain(found[0].table, column, target)
    notes, inputs = _told(tables, found)
    gap = [Note("task.no_domain", "warn", {"count": lost, "column": column})] if lost else []
    return Tables(sources, rows, str(spelled(pd.Series([target]))[0]), [*notes, *gap], inputs, domain=column)


def unnamed(count: int) -> list[str]:
    """What sources are called that have no name of their own."""
    return ["source"] if count == 1 else [f"source {i + 1}" for i in range(count)]


def _told(tables: Sequence[Any], found: Sequence[Read]) -> tuple[list[Note], dict[str, str]]:
    inputs = {str(table): one.digest for table, one in zip(tables, found, strict=True) if one.digest}
    return [note for one in found for note in one.notes], inputs


def _image_tables(tables: Sequence[Any], label: str, domain: str | None, target: Any, net: str, tick: Tick) -> Tables:
    # here, so that tables are read without what knows nets
    from transfermap.tasks.images import chosen_backbone, image_table

    backbone, how = chosen_backbone(net)

    def features_at(path: PathText) -> Read:
        return Read(*image_table(backbone, path, label, tick))

    found = named_tables(tables, features_at, domain, target, label)
    features_of = {"backbone": backbone.name, "side": backbone.side, "digest": backbone.digest}
    return found._replace(notes=[how, *found.notes], features_of=features_of)


def _read(table: Any) -> Read:
    if _is_path(table):
        return Read(read_table(table), digest=digest(table))
    return Read(to_frame(table))


def _is_path(table: Any) -> bool:
    return isinstance(table, (str, PathLike))


def _by_row(known: pd.DataFrame, target: pd.DataFrame) -> pd.DataFrame:
    """Known labels by the number of their row, where they name the file of an image."""
    if "row" in known or FILE not in known or FILE not in target:
        return known
    rows = pd.Series(np.arange(len(target)), index=target[FILE])
    return known.assign(row=known[FILE].map(rows)).drop(columns=FILE)


def stem(path: PathText) -> str:
    """A file's name without its suffix."""
    return Path(path).name.split(".")[0] or str(path)


def stems(paths: Sequence[PathText]) -> list[str]:
    """File names without suffix; the whole path where that is not unique."""
    if not paths:
        raise ValueError("expected at least one source file, got none")
    stems = [stem(path) for path in paths]
    unique = stems if len(set(stems)) == len(stems) else [Path(path).as_posix() for path in paths]
    if len(set(unique)) < len(unique):
        raise ValueError(f"the same source file is given twice: {', '.join(unique)}")
    return unique
