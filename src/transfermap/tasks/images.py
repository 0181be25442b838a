"""Folders of images as tables: a column a feature of a backbone, beside each image's file and class."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from transfermap.data.images.image_files import CLASS, FILE, Images, PathText, find_images
from transfermap.data.tables.files import digest, read_table
from transfermap.data.tables.labels import TaskKind
from transfermap.deep.pretrained.backbones import at_hand, backbone, providers
from transfermap.deep.pretrained.feature_cache import Features, features
from transfermap.deep.pretrained.provider import Backbone
from transfermap.messages import Note
from transfermap.tasks.task import Sight, Task, stem, stems

Tick = Callable[[str], None]
AUTO = "auto"
# of the images of a folder that may be damaged; one always may
SPOILED = 0.1


def eyes(name: str = AUTO) -> tuple[Backbone, Note]:
    """The backbone of that name ("auto": the first for images that is installed), and how it was chosen.

    Raises
    ------
    ValueError
        If there is none, or it is not for images.
    """
    net = backbone(_first() if name == AUTO else name)
    if net.kind != "images":
        raise ValueError(f"the backbone {name} is for {net.kind}; expected one for images")
    values = {"backbone": net.name, "width": net.width, "side": net.side}
    return net, Note("images.backbone_first" if name == AUTO else "images.backbone", "info", values)


def table_of(net: Backbone, found: Images, what: str, tick: Tick) -> tuple[pd.DataFrame, Features]:
    """The images as rows of features, without those that cannot be read.

    Raises
    ------
    ValueError
        If more than one in ten cannot be read.
    """
    files = found.files
    seen = features(net, files, tick=lambda done, of: tick(f"looking at {what}, {done:,} of {of:,} images"))
    if len(seen.faults) > max(1, SPOILED * len(files)) or len(seen.faults) == len(files):
        reason = next(iter(seen.faults.values()))
        raise ValueError(f"{len(seen.faults)} of {len(files)} images in {what} cannot be read; the first: {reason}")
    good = [i for i in range(len(files)) if i not in seen.faults]
    columns = pd.DataFrame(seen.values[good], columns=[f"f{j}" for j in range(net.width)])
    return pd.concat([found.table.iloc[good].reset_index(drop=True), columns], axis=1), seen


def _first() -> str:
    names = at_hand("images")
    if not names:
        wanted = next(p for p in providers("images") if not p.open)
        raise ValueError(
            f"images are seen through a pretrained net, and none is installed here; one comes with: "
            f"pip install {' '.join(name.replace('_', '-') for name in wanted.needs)}"
        )
    return names[0]


def image_task(
    source: Sequence[PathText],
    target: PathText,
    *,
    label: str | None = None,
    group: str | None = None,
    target_labels: PathText | None = None,
    kind: TaskKind | None = None,
    net: str = AUTO,
    tick: Tick = lambda _: None,
) -> Task:
    """A task from folders of images, or tables with a column of paths (:mod:`transfermap.data.images.image_files`).

    Parameters
    ----------
    source : sequence of path, each its own source
    target : path
    label : str, default=None
        The column of classes; None: "class", as folders have it.
    group, target_labels, kind
        As in :meth:`transfermap.tasks.task.Task.from_files`; ``target_labels`` names rows by ``row`` or by ``file``.
    net : str
        The backbone whose features are the columns; "auto": the first for images that is installed.

    Raises
    ------
    ValueError
        If no images are found, too many are damaged, there is no backbone, or they make no task.
    """
    (seer, how), label = eyes(net), label or CLASS
    paths = [*source, target]
    found = {name: find_images(p, label) for name, p in zip([*stems(list(source)), ""], paths, strict=True)}
    notes, tables, inputs = [how], {}, {}
    for (name, one), path in zip(found.items(), paths, strict=True):
        table, seen = table_of(seer, one, str(path), tick)
        tables[name], inputs[str(path)] = table, _digest(one.files, seen)
        notes += [*one.notes, *_unreadable(one, seen)]
    there = tables.pop("")
    known = None if target_labels is None else _by_row(read_table(target_labels), there)
    more: dict[str, Any] = {
        "group": group,
        "target_labels": known,
        "kind": kind,
        "target_name": stem(target),
        "notes": notes,
    }
    if target_labels is not None:
        inputs[str(target_labels)] = digest(target_labels)
    task = Task.from_frames(tables, there, label=label, inputs=inputs, **more)
    return _sighted(task, seer)


def image_task_of_one(
    table: PathText, *, domain: str, target: Any, label: str | None = None, net: str = AUTO, tick: Tick, **more: Any
) -> Task:
    """A task from one table of paths whose column ``domain`` parts it, as :meth:`Task.from_table` does."""
    (seer, how), label = eyes(net), label or CLASS
    found = find_images(table, label)
    frame, seen = table_of(seer, found, str(table), tick)
    task = Task.from_table(frame, domain=domain, target=target, label=label, **more)
    notes = (how, *found.notes, *_unreadable(found, seen), *task.notes)
    return _sighted(replace(task, notes=notes, inputs={str(table): digest(table)}), seer)


def image_rows(path: PathText, sight: Mapping[str, Any], label: str, tick: Tick) -> tuple[pd.DataFrame, list[Note]]:
    """New images as a run has seen others, and what to say of those that are left out.

    Raises
    ------
    ValueError
        If the run's backbone is not here, or has other weights now.
    """
    net = backbone(sight["backbone"])
    if net.digest != sight["digest"]:
        raise ValueError(f"the backbone {net.name} has other weights here than those that the run was made with")
    found = find_images(path, label)
    table, seen = table_of(net, found, str(path), tick)
    return table, [*found.notes, *_unreadable(found, seen)]


def _sighted(task: Task, net: Backbone) -> Task:
    """The task with its files beside the rows, where no method takes them for a feature."""
    through = {"backbone": net.name, "side": net.side, "digest": net.digest}
    sight = Sight(tuple(task.source[FILE]), tuple(task.target[FILE]), through)
    source, target = (side.drop(columns=FILE) for side in (task.source, task.target))
    return replace(task, source=source, target=target, sight=sight)


def _by_row(known: pd.DataFrame, target: pd.DataFrame) -> pd.DataFrame:
    """Known labels by the number of their row, where they name its file."""
    if "row" in known or FILE not in known:
        return known
    rows = pd.Series(np.arange(len(target)), index=target[FILE])
    return known.assign(row=known[FILE].map(rows)).drop(columns=FILE)


def _unreadable(found: Images, seen: Features) -> list[Note]:
    if not seen.faults:
        return []
    names = [found.files[i] for i in seen.faults]
    values = {"count": len(names), "total": len(found.files), "files": names}
    return [Note("images.unreadable", "warn", values)]


def _digest(files: Sequence[str], seen: Features) -> str:
    """SHA-256 of the images' names and contents."""
    lines = sorted(f"{name} {content}" for name, content in zip(files, seen.digests, strict=True))
    return hashlib.sha256("\n".join(lines).encode("utf8", "surrogateescape")).hexdigest()
