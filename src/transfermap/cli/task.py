"""From the tables that a command names to a task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from transfermap.cli.options import (
    one_table,
)


def task_of(
    tables: list[Path],
    label: str | None,
    source: list[Path] | None,
    domain: str | None,
    target: str | None,
    group: str | None,
    kind: str | None,
    target_labels: Path | None = None,
    backbone: str | None = None,
    tick: Callable[[str], None] = lambda _: None,
) -> Any:
    from transfermap.data.images.image_files import any_images
    from transfermap.tasks.task import Task

    images = any_images([*tables, *(source or [])])
    if backbone is not None and not images:
        raise ValueError("--backbone is for folders of images, or tables that name images; got neither")
    if not label and not images:
        raise ValueError("--label is missing: say which column is to be predicted")
    if kind not in (None, "classification", "regression"):
        raise ValueError(f"--task must be classification or regression; got {kind!r}")
    more: dict[str, Any] = {"label": label, "group": group, "target_labels": target_labels, "kind": kind}
    one = one_table(tables, source, domain, target)
    if images:
        from transfermap.tasks.images import image_task, image_task_of_one

        more |= {"net": backbone or "auto", "tick": tick}
        if one:
            return image_task_of_one(tables[0], domain=domain or "", target=target, **more)
        return image_task([*tables[:-1], *(source or [])], tables[-1], **more)
    if one:
        return Task.from_table(tables[0], domain=domain or "", target=target, **more)
    return Task.from_files([*tables[:-1], *(source or [])], tables[-1], **more)
