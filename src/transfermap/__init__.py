"""transfermap: can I use A on B, which method, and did it help?

Everything here is loaded when it is first used, so that importing the package costs nothing: ``tm.adapt``, ``tm.Task``,
``tm.Adapted``, ``tm.find``, ``tm.check``, ``tm.advise``, ``tm.save``, ``tm.load``, and every method by its
class name (``tm.TCA``).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from transfermap._version import __version__

if TYPE_CHECKING:
    from transfermap.adapted import Adapted
    from transfermap.card import find
    from transfermap.runs.model_file import load, save
    from transfermap.runs.run import Run, adapt, load_run
    from transfermap.tasks.task import Task
    from transfermap.verdict.advise.advise import Situation, advise
    from transfermap.verdict.check.check import check

_WHERE = {
    "adapt": "transfermap.runs.run",
    "advise": "transfermap.verdict.advise.advise",
    "check": "transfermap.verdict.check.check",
    "find": "transfermap.card",
    "load": "transfermap.runs.model_file",
    "load_run": "transfermap.runs.run",
    "save": "transfermap.runs.model_file",
    "Adapted": "transfermap.adapted",
    "Run": "transfermap.runs.run",
    "Situation": "transfermap.verdict.advise.advise",
    "Task": "transfermap.tasks.task",
}

__all__ = [
    "Adapted",
    "Run",
    "Situation",
    "Task",
    "__version__",
    "adapt",
    "advise",
    "check",
    "find",
    "load",
    "load_run",
    "save",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if not name.startswith("_"):
        from transfermap.card import find, keys

        if name.lower() in keys() and find(name).__name__ == name:
            return find(name)
    raise AttributeError(f"module 'transfermap' has no attribute {name!r}")


def __dir__() -> list[str]:
    from transfermap.card import find, keys

    return sorted({*__all__, *(find(key).__name__ for key in keys())})
