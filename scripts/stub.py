"""Write ``src/transfermap/__init__.pyi``: what an editor and a type checker see of the package.

    python scripts/stub.py

The package loads its names when they are first used, which a type checker cannot follow. The stub names them all, the
methods and tools from the registry; a test fails where it is stale.
"""

from __future__ import annotations

from pathlib import Path

import transfermap
from transfermap.card import find, keys, tools

STUB = Path(transfermap.__file__).with_suffix(".pyi")


def stub() -> str:
    """The stub's text."""
    public = {name: transfermap.WHERE[name] for name in transfermap.__all__ if name in transfermap.WHERE}
    methods = {find(key).__name__: find(key).__module__ for key in keys()}
    functions = {tool.name: tool.module for tool in tools().values()}
    places = sorted((module, name) for name, module in (public | methods | functions).items())
    lines = [f"from {module} import {name} as {name}" for module, name in places]
    return "\n".join(
        [
            "# written by scripts/stub.py from the registry; do not edit",
            "from transfermap._version import __version__ as __version__",
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf8")
