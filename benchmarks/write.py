"""Run the command behind a table of docs/benchmarks.md, and put what it prints in the table's place.

    python benchmarks/write.py newcomer traps --data DATA
    python benchmarks/write.py --list

A table stands in the page between ``<!-- NAME: COMMAND -->`` and ``<!-- end NAME -->``; these markers are the only list
of tables there is. In a command DATA stands for the folder of data sets (``--data``, else $TRANSFERMAP_DATA) and PEER
for a Python that has the other packages (``--peer``; ``benchmarks/peers-setup.sh`` makes one). It runs in a folder of
its own. The table's last line says when, at which commit, on which machine and with which libraries it was measured.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
BLOCK = re.compile(
    r"<!-- (?P<name>[a-z0-9-]+): (?P<command>[^>]+?) -->\n(?P<body>.*?)<!-- end (?P=name) -->", re.DOTALL
)
LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "POT")


def commands(page: str) -> dict[str, str]:
    """The command of every table on a page, by the table's name."""
    return {found["name"]: found["command"] for found in BLOCK.finditer(page)}


def replaced(page: str, name: str, body: str) -> str:
    """The page with another body in the block ``name``; its markers stay."""

    def fill(found: re.Match[str]) -> str:
        if found["name"] != name:
            return found[0]
        return f"<!-- {name}: {found['command']} -->\n\n{body.strip()}\n\n<!-- end {name} -->"

    if name not in commands(page):
        raise ValueError(f"no block {name!r} on this page; there are: {', '.join(commands(page))}")
    return BLOCK.sub(fill, page)


def argv(command: str, given: dict[str, str]) -> list[str]:
    """A command of the page as it is run: this Python, paths of this repository, the folders that the caller names."""
    for name, path in given.items():
        command = re.sub(rf"\b{name}\b", path, command)
    words = shlex.split(command)
    words = [str(ROOT / word) if (ROOT / word).is_file() else word for word in words]
    started = {"python": [sys.executable], "transfermap": [sys.executable, "-m", "transfermap"]}
    return started.get(words[0], words[:1]) + words[1:]


def printed(command: str, given: dict[str, str]) -> str:
    """What a command prints; a command that fails ends the program with what it said."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(argv(command, given), cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout.strip()


def machine() -> str:
    """Cores, processor and memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {_processor()}, {memory:.0f} GB"


def _processor() -> str:
    # platform.processor() is empty on most Linux systems
    listed = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", listed.read_text("utf8")) if listed.is_file() else None
    return found[1] if found else platform.processor() or platform.machine()


def provenance() -> str:
    """When, at which commit, where and with what a table is measured."""
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    today = datetime.now(UTC).date()
    return f"*Measured {today} at {commit}: {machine()}; Python {platform.python_version()}, {libraries}.*"


def table(command: str, given: dict[str, str]) -> str:
    """The body of a block: the command, what it prints, and where that was."""
    text = printed(command, given)
    shown = text if text.startswith("|") else f"```text\n{text}\n```"
    return f"`{command}`\n\n{shown}\n\n{provenance()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--data", default=os.environ.get("TRANSFERMAP_DATA", "data"), help="folder of data sets")
    parser.add_argument("--peer", default=".peers/bin/python", help="a Python that has the other packages")
    parser.add_argument("--list", action="store_true", help="print the tables and their commands")
    arguments = parser.parse_args()
    page = PAGE.read_text("utf8")
    if arguments.list or not arguments.names:
        print("\n".join(f"{name:20} {command}" for name, command in commands(page).items()))
    given = {"DATA": str(Path(arguments.data).resolve()), "PEER": str(Path(arguments.peer).absolute())}
    for name in arguments.names:
        if name not in commands(page):
            sys.exit(f"no table {name!r}; there are: {', '.join(commands(page))}")
        body = table(commands(page)[name], given)
        # read again: another table may have been written while this one was measured
        page = replaced(PAGE.read_text("utf8"), name, body)
        PAGE.write_text(page, "utf8")
        print(f"{name}: written")


if __name__ == "__main__":
    main()
