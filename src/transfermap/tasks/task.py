"""A task: labelled source rows, unlabelled target rows, and what else is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from transfermap.data.encode.text import AUTO
from transfermap.data.images.grids import Span, alike, fitted, shape_in
from transfermap.data.images.image_files import FEATURE, FILE, any_images
from transfermap.data.tables.files import digest, read_table
from transfermap.data.tables.frames import to_frame
from transfermap.data.tables.labels import TaskKind, column_called, is_matrix
from transfermap.data.tables.row_keys import giveaways, shared_rows
from transfermap.data.tables.spelling import spelled
from transfermap.messages import Note
from transfermap.tasks.align import by_domain, label_everywhere, stack
from transfermap.tasks.assemble import Raw, assemble

PathText = str | PathLike[str]
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Sight:
    """Rows that are images: the file of each, and through what they were seen."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    through: Mapping[str, Any]


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
    sight : Sight, or None
        For images in files: the columns are what a pretrained net has seen in them.

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
    sight: Sight | None = None

    def check(self, seed: int = 0, text: str = AUTO) -> Any:
        """What differs between source and target (:func:`transfermap.verdict.check.check.check`)."""
        # a door for notebooks into a room above; see docs/decisions/0003
        return import_module("transfermap.verdict.check.check").check(self, seed, text)

    @classmethod
    def from_files(
        cls,
        source: PathText | Sequence[PathText],
        target: PathText,
        *,
        label: str | int | None = None,
        group: str | None = None,
        target_labels: PathText | None = None,
        kind: TaskKind | None = None,
        backbone: str = "auto",
    ) -> Task:
        """Read source and target from files (:func:`transfermap.data.tables.files.read_table`) or folders of images.

        Parameters
        ----------
        source : path, or list of paths (each its own source)
        target : path
        label : str or int, optional
            Name of the label column; in a matrix without header also its position, from the end if negative. What the
            classes of images in sub-folders are called; "class" if it is not given.
        backbone : str
            For images: the pretrained net whose features the columns are; "auto": the first that is installed.
        group : str, optional
            Source column whose equal values mark rows that belong together.
        target_labels : path, optional
            The label column and either ``row`` (number of the target row, from 0) or the feature columns.
        kind : {"classification", "regression"}, optional
            None: found out from the labels.

        Raises
        ------
        ValueError
            If a file cannot be read or the tables do not make a task.
        """
        paths = [source] if isinstance(source, (str, PathLike)) else list(source)
        if any_images([*paths, target]):
            see = import_module("transfermap.tasks.images").image_task
            more = {"group": group, "target_labels": target_labels, "kind": kind}
            return see(paths, target, label=label, net=backbone, **more)
        if label is None:
            raise ValueError("label is missing: say which column is to be predicted")
        return cls.from_frames(
            {name: read_table(path) for name, path in zip(stems(paths), paths, strict=True)},
            read_table(target),
            label=label,
            group=group,
            target_labels=None if target_labels is None else read_table(target_labels),
            kind=kind,
            target_name=stem(target),
            inputs=_digests([*paths, target, target_labels]),
        )

    @classmethod
    def from_table(
        cls,
        table: Any,
        *,
        domain: str,
        target: Any,
        label: str | int,
        group: str | None = None,
        target_labels: Any = None,
        kind: TaskKind | None = None,
    ) -> Task:
        """Part one table: where the column ``domain`` says ``target`` is the target, every other value is a source.

        Parameters
        ----------
        table : path or DataFrame
        domain : str
            The column that says where a row comes from; it is no feature.
        target : str or number
            The target's value in that column.
        target_labels : path or DataFrame, optional
            As in :meth:`from_files`; ``row`` counts the target's rows only.
        """
        frame = read_table(table) if isinstance(table, (str, PathLike)) else to_frame(table)
        known = read_table(target_labels) if isinstance(target_labels, (str, PathLike)) else target_labels
        column = column_called(domain, frame, "domain", "the table")
        if column == column_called(label, frame, "label", "the table"):
            raise ValueError(f"the column {column!r} cannot be both the label and the domain")
        sources, rows, lost = by_domain(frame, column, target)
        return cls.from_frames(
            sources,
            rows,
            label=label,
            group=group,
            target_labels=known,
            kind=kind,
            target_name=str(spelled(pd.Series([target]))[0]),
            inputs=_digests([path for path in (table, target_labels) if isinstance(path, (str, PathLike))]),
            notes=(Note("task.no_domain", "warn", {"count": lost, "column": column}),) if lost else (),
        )

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
        label, group, target_labels, kind : as in :meth:`from_files`, with a DataFrame for ``target_labels``
        target_name : str
        inputs : mapping, optional
            SHA-256 of the files that the tables come from.
        notes : sequence of Note
            Findings made before.
        """
        named = _named(source)
        each = [to_frame(table, name) for name, table in named.items()]
        (*tables, there), spans, seen = alike([*each, to_frame(target, target_name)], [*named, target_name])
        stacked, domains, found = stack(tables)
        label_everywhere(label, dict(zip(named, tables, strict=True)))
        known = None if target_labels is None else to_frame(target_labels, "the known target labels")
        if known is not None and (shape := shape_in(there)) and spans:
            known = fitted(known, shape, spans)
        raw = Raw(stacked, domains, tuple(named), there, known, label, group)
        fields = assemble(raw, kind, [*notes, *seen, *found])
        return cls(**fields, target_name=target_name, inputs=dict(inputs or {}), spans=spans)

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
        return cls(**assemble(Raw(together, place, names, target, None, label, None), kind, notes), spans=spans)


def with_files(task: Task) -> pd.DataFrame:
    """The target's rows; images with their files."""
    return task.target if task.sight is None else task.target.assign(**{FILE: task.sight.target})


def without_features(task: Task) -> pd.DataFrame:
    """The target's rows as somebody wants to see them: images by their file, without what a net has seen in them."""
    table = with_files(task)
    return table if task.sight is None else table.drop(columns=table.filter(regex=FEATURE).columns)


def duplicates(task: Task) -> int:
    """How many target rows stand in the source too, cell for cell."""
    return shared_rows(task.source, task.target)


def leaks(task: Task) -> list[str]:
    """Columns whose value settles the label of nearly every source row, though many rows share a value."""
    return giveaways(task.source, task.labels)


def _named(source: Any) -> dict[str, Any]:
    if isinstance(source, Mapping):
        named = {str(name): table for name, table in source.items()}
    elif isinstance(source, (list, tuple)) and source and all(hasattr(table, "columns") for table in source):
        named = {f"source {i + 1}" if len(source) > 1 else "source": table for i, table in enumerate(source)}
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


def _digests(paths: Sequence[PathText | None]) -> dict[str, str]:
    return {str(path): digest(path) for path in paths if path is not None}
