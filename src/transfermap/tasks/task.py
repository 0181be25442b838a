"""A task: labelled source rows, unlabelled target rows, and what else is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd

from transfermap.data.images.grids import Span, alike, fitted, shape_in
from transfermap.data.images.image_files import CLASS, FEATURE, FILE
from transfermap.data.tables.frames import to_frame
from transfermap.data.tables.labels import TaskKind, is_matrix
from transfermap.data.tables.row_keys import shared_rows
from transfermap.data.tables.schema import Cells, Column, Schema
from transfermap.messages import Note
from transfermap.tasks.align import label_everywhere, stack
from transfermap.tasks.assemble import Raw, assemble, task_cells
from transfermap.tasks.read import PathText, Tables, Tick, read_tables, unnamed

Array = np.ndarray[Any, np.dtype[Any]]


_UNREAD = Cells(Schema(), pd.DataFrame())


class How(TypedDict, total=False):
    """What :meth:`Task.read` may be told beside the tables; it says what each means."""

    label: str | int | None
    group: str | None
    target_labels: Any
    kind: TaskKind | None
    backbone: str | None
    tick: Tick


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Rows that are images: the file of each, and the backbone that their features are of."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    features_of: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Task:
    """Labelled source rows and unlabelled target rows with the same columns.

    Parameters
    ----------
    source : DataFrame of shape (n_source, columns)
        Features of the rows that have a label.
    labels : ndarray of shape (n_source,)
        Strings for classification, float64 for regression.
    target : DataFrame of shape (n_target, columns)
        Features; the columns are the source's, in its order.
    domains : ndarray of int of shape (n_source,)
        The number of each row's source, from 0.
    kind : {"classification", "regression"}
    label : str
        What is predicted.
    source_names, target_name : tuple of str, str
    groups : ndarray of str of shape (n_source,), or None
        Rows of one group (a patient, a site) belong together.
    truth : Series, or None
        The few known target labels, indexed by the number of the target row.
    notes : tuple of Note
        What was found while the tables were laid together.
    inputs : mapping
        SHA-256 of each file that was read.
    label_style : str
        How the source writes a numeric label (decimal comma ...); "" where there is nothing to know.
    spans : mapping
        For images: what becomes 0 and 1 in rows like the target's (:func:`transfermap.data.images.grids.alike`).
    images : ImageFiles, or None
        For images in files: the columns are what a pretrained net has seen in them.
    cells : Cells
        Both tables with each cell in the form of its column's kind; read anew where the tables are others.
    others : tuple of Column
        Columns of the tables that are no features: the label, the groups, the domains, those of one side.
    leaks : tuple of str
        Columns that settle the label of nearly every source row.

    Examples
    --------
    >>> from transfermap.tasks.task import Task
    >>> task = Task.from_arrays([[0.0], [1.0], [2.0], [3.0]], ["a", "a", "b", "b"], [[1.5], [2.5]])
    >>> task.kind, task.labels.tolist(), task.target.shape
    ('classification', ['a', 'a', 'b', 'b'], (2, 1))
    """

    source: pd.DataFrame
    labels: Array
    target: pd.DataFrame
    domains: Array
    kind: TaskKind
    label: str
    source_names: tuple[str, ...] = ("source",)
    target_name: str = "target"
    groups: Array | None = None
    truth: pd.Series[Any] | None = None
    notes: tuple[Note, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    label_style: str = ""
    spans: Mapping[str, Span] = field(default_factory=dict)
    images: ImageFiles | None = None
    cells: Cells = field(default=_UNREAD, repr=False)
    others: tuple[Column, ...] = ()
    leaks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # so that dataclasses.replace(task, source=...) cannot leave the cells of other rows behind
        if not self.cells.are_of(self.source, self.target):
            object.__setattr__(self, "cells", task_cells(self.source, self.target, self.spans))

    @property
    def schema(self) -> Schema:
        """What each column of the tables holds, how it is written, and what it is used for."""
        return Schema((*self.cells.schema.columns, *self.others))

    @classmethod
    def read(
        cls,
        tables: Sequence[Any],
        *,
        label: str | int | None = None,
        domain: str | None = None,
        target: Any = None,
        group: str | None = None,
        target_labels: Any = None,
        kind: TaskKind | None = None,
        backbone: str | None = None,
        tick: Tick = lambda _: None,
    ) -> Task:
        """Read files, tables or folders of images (:func:`transfermap.tasks.read.read_tables`) and lay them together.

        Parameters
        ----------
        tables : sequence of path or DataFrame
            Sources and, last, the target; or one, which ``domain`` parts.
        label : str or int, optional
            Name of the label column; in a matrix without header also its position, from the end if negative. What the
            classes of images in sub-folders are called; "class" if it is not given.
        domain, target : str, str or number, optional
            The column of a single table that says where a row comes from (it is no feature), and the target's value
            there; every other value is a source.
        group : str, optional
            Source column whose equal values mark rows that belong together.
        target_labels : path or DataFrame, optional
            The label column and either ``row`` (number of the target row, from 0), for images ``file``, or the feature
            columns.
        kind : {"classification", "regression"}, optional
            None: found out from the labels.
        backbone : str, optional
            For images: the pretrained net whose features the columns are; None: the first that is installed.
        tick : callable
            Told what is being done.

        Raises
        ------
        ValueError
            If a file cannot be read or the tables do not make a task.
        """
        more: dict[str, Any] = {"domain": domain, "target": target, "target_labels": target_labels}
        found = read_tables(tables, label=label, backbone=backbone, tick=tick, **more)
        return cls._together(found, CLASS if label is None else label, group, kind)

    @classmethod
    def from_files(cls, source: PathText | Sequence[PathText], target: PathText, **how: Unpack[How]) -> Task:
        """Sources and target from files or folders of images; ``how``: ``label`` and more, as in :meth:`read`."""
        paths = [source] if isinstance(source, (str, PathLike)) else list(source)
        return cls.read([*paths, target], **how)

    @classmethod
    def from_table(cls, table: Any, *, domain: str, target: Any, **how: Unpack[How]) -> Task:
        """One table, parted by its column ``domain``; ``how``: ``label`` and more, as in :meth:`read`."""
        return cls.read([table], domain=domain, target=target, **how)

    @classmethod
    def from_frames(
        cls,
        source: Any,
        target: Any,
        *,
        label: str | int,
        group: str | None = None,
        target_labels: Any = None,
        kind: TaskKind | None = None,
        target_name: str = "target",
        inputs: Mapping[str, str] | None = None,
        notes: Sequence[Note] = (),
    ) -> Task:
        """Lay tables together.

        Parameters
        ----------
        source : DataFrame, list of them, or mapping name -> DataFrame
            Features and label; several tables are several sources.
        target : DataFrame
            Features; a label column is taken out and never read.
        label, group, target_labels, kind : as in :meth:`read`, with a DataFrame for ``target_labels``
        target_name : str
        inputs : mapping, optional
            SHA-256 of the files that the tables come from.
        notes : sequence of Note
            Findings made before.
        """
        known = None if target_labels is None else to_frame(target_labels, "the known target labels")
        found = Tables(_named(source), target, target_name, list(notes), dict(inputs or {}), known)
        return cls._together(found, label, group, kind)

    @classmethod
    def _together(cls, found: Tables, label: str | int, group: str | None, kind: TaskKind | None) -> Task:
        names = list(found.sources)
        each = [
            *(to_frame(table, name) for name, table in found.sources.items()),
            to_frame(found.target, found.target_name),
        ]
        (*tables, there), spans, sizes = alike(each, [*names, found.target_name])
        stacked, domains, notes = stack(tables)
        label_everywhere(label, dict(zip(names, tables, strict=True)))
        known = found.known
        if known is not None and (shape := shape_in(there)) and spans:
            known = fitted(known, shape, spans)
        file = None if found.features_of is None else FILE
        raw = Raw(stacked, domains, tuple(names), there, known, label, group, file, spans)
        fields = assemble(raw, kind, [*found.notes, *sizes, *notes])
        files = fields.pop("files")
        if found.domain is not None:
            fields["others"] += (Column(found.domain, role="domain"),)
        images = None if found.features_of is None else ImageFiles(files[0], files[1], found.features_of)
        return cls(**fields, target_name=found.target_name, inputs=found.inputs, spans=spans, images=images)

    @classmethod
    def from_arrays(cls, Xs: Any, ys: Any, Xt: Any, *, domains: Any = None, kind: TaskKind | None = None) -> Task:
        """Take arrays, lists, sparse matrices or frames.

        Parameters
        ----------
        Xs : table of shape (n_source, d), or images of shape (n_source, h, w)
        ys : array-like of shape (n_source,)
        Xt : table of shape (n_target, d), or images of any size
        domains : array-like of int >= 0 of shape (n_source,), optional
            The source that each row comes from; rows keep their order.
        kind : {"classification", "regression"}, optional
        """
        (source, target), spans, notes = alike([to_frame(Xs, "Xs"), to_frame(Xt, "Xt")], ["Xs", "Xt"])
        label = next(name for name in ("label", "label_", "label__") if name not in source)
        where = np.zeros(len(source), dtype=int) if domains is None else _whole(domains)
        labels = _one_column(ys)
        if not len(source) == len(labels) == len(where):
            raise ValueError(
                f"Xs, ys and domains must be equally long, got {len(source)}, {len(labels)} and {len(where)} rows"
            )
        nameless = is_matrix(source) or is_matrix(target)
        if nameless and source.shape[1] != target.shape[1]:
            raise ValueError(f"Xs and Xt must have the same columns, got {source.shape[1]} and {target.shape[1]}")
        numbers, place = np.unique(where, return_inverse=True)
        names = tuple(f"source {n}" for n in numbers) if len(numbers) > 1 else ("source",)
        together = pd.concat([source, labels.rename(label)], axis=1)
        fields = assemble(Raw(together, place, names, target, None, label, spans=spans), kind, notes)
        del fields["files"]
        return cls(**fields, spans=spans)


def with_files(task: Task) -> pd.DataFrame:
    """The target's rows; images with their files."""
    return task.target if task.images is None else task.target.assign(**{FILE: task.images.target})


def without_features(task: Task) -> pd.DataFrame:
    """The target's rows as somebody wants to see them: images by their file, without what a net has seen in them."""
    table = with_files(task)
    return table if task.images is None else table.drop(columns=table.filter(regex=FEATURE).columns)


def duplicates(task: Task) -> int:
    """How many target rows stand in the source too, cell for cell."""
    return shared_rows(task.cells)


def _named(source: Any) -> dict[str, Any]:
    if isinstance(source, Mapping):
        named = {str(name): table for name, table in source.items()}
    elif isinstance(source, (list, tuple)) and source and all(hasattr(table, "columns") for table in source):
        named = dict(zip(unnamed(len(source)), source, strict=True))
    else:
        named = {"source": source}
    if not named:
        raise ValueError("expected at least one source table, got none")
    return named


def _one_column(ys: Any) -> pd.Series[Any]:
    """Labels as one column, whatever holds them."""
    if hasattr(ys, "to_pandas"):
        ys = ys.to_pandas()
    values = np.asarray(ys.array if isinstance(ys, pd.Series) else ys)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(f"ys must be one label a row, got an array of shape {values.shape}")
    return pd.Series(values) if values.dtype.kind != "U" or not isinstance(ys, (list, tuple)) else pd.Series(list(ys))


def _whole(domains: Any) -> Array:
    numbers = np.asarray(domains)
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1 or (numbers < 0).any():
        raise ValueError("domains must be whole numbers from 0, one a source row")
    return numbers.astype(int)
