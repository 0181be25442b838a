"""From the tables that a command names to a task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from transfermap.card import TaskKind
from transfermap.cli.options import one_table
from transfermap.messages.choices import choose


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
    from transfermap.tasks.task import Task

    kind = kind and choose("--task", kind, get_args(TaskKind))
    more: dict[str, Any] = {"label": label or None, "group": group, "target_labels": target_labels, "kind": kind}
    more |= {"backbone": backbone, "tick": tick}
    if one_table(tables, source, domain, target):
        return Task.read(tables, domain=domain, target=target, **more)
    return Task.read([*tables[:-1], *(source or []), tables[-1]], **more)
