"""transfermap: can I use A on B, which method, and did it help?

Everything here is loaded when it is first used, so that importing the package costs nothing: ``tm.adapt``, ``tm.Task``,
``tm.Adapted``, ``tm.check`` ... (:data:`WHERE` has them all), every method by its class name (``tm.TCA``), and every
tool by its function's (``tm.greedy_soup``).
"""

from __future__ import annotations

import importlib
from typing import Any

from transfermap._version import __version__ as __version__

# where each public name is defined; type checkers read the same in __init__.pyi
WHERE = {
    "adapt": "transfermap.runs.run",
    "advise": "transfermap.verdict.advise.advise",
    "check": "transfermap.verdict.check.check",
    "find": "transfermap.card",
    "finetune": "transfermap.runs.finetune_items",
    "load": "transfermap.runs.model_file",
    "load_run": "transfermap.runs.run",
    "save": "transfermap.runs.model_file",
    "Adapted": "transfermap.adapted",
    "DeepClassifier": "transfermap.deep.estimators",
    "DeepRegressor": "transfermap.deep.estimators",
    "Run": "transfermap.runs.run",
    "Side": "transfermap.split",
    "Situation": "transfermap.verdict.advise.advise",
    "Task": "transfermap.tasks.task",
}

__all__ = sorted(["__version__", *WHERE])


def __getattr__(name: str) -> Any:
    if name in WHERE:
        return getattr(importlib.import_module(WHERE[name]), name)
    if not name.startswith("_"):
        from transfermap.card import find, keys, tools

        if name.lower() in keys() and find(name).__name__ == name:
            return find(name)
        for tool in tools().values():
            if tool.name == name:
                return tool.load()
    raise AttributeError(f"module 'transfermap' has no attribute {name!r}")


def __dir__() -> list[str]:
    from transfermap.card import find, keys, tools

    return sorted({*__all__, *(find(key).__name__ for key in keys()), *(tool.name for tool in tools().values())})
