"""The folder of a run: written beside its place and moved there in one step, so it is there whole or not at all."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from transfermap._version import __version__
from transfermap.data.plain_values import from_plain
from transfermap.verdict.record import FORMAT

T = TypeVar("T")

# the file that makes a folder a run, and how folders are called that stand beside one while it is written
RECORD, PART, OLD = "run.json", ".part-", ".old-"


@contextmanager
def run_folder(folder: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A folder to write into; when all went well it becomes ``folder``, otherwise ``folder`` stays as it was.

    A kill leaves a hidden folder beside it, which the next run into the same place clears away. Replacing takes two
    renames; a kill between them is mended by :func:`settle`, which every reader calls first.
    """
    folder = settle(folder)
    check_place(folder, overwrite)
    for left in leftovers(folder, PART):
        shutil.rmtree(left, ignore_errors=True)
    part = folder.with_name(f".{folder.name}{PART}{secrets.token_hex(4)}")
    part.mkdir()
    try:
        yield part
        if folder.exists():
            old = folder.with_name(f".{folder.name}{OLD}{secrets.token_hex(4)}")
            old.mkdir()
            folder.rename(old / "run")
            part.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
        else:
            part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_place(folder: str | Path, overwrite: bool) -> None:
    """Refuse to write over anything but a run, and over a run unless that was asked for."""
    folder = settle(folder)
    if not folder.parent.is_dir():
        raise ValueError(f"{folder} cannot be written: there is no folder {folder.parent}")
    if folder.is_file():
        raise ValueError(f"{folder} is a file; expected the name of a folder for the run")
    if folder.exists() and not (folder / RECORD).is_file() and any(folder.iterdir()):
        raise ValueError(f"{folder} holds other things than a run; give another name")
    if (folder / RECORD).is_file() and not overwrite:
        raise ValueError(f"{folder} holds a run already; give another name, or --overwrite to replace it")


def settle(folder: str | Path) -> Path:
    """Bring a run back that was moved aside when its replacement was cut off half-way."""
    folder = Path(folder)
    aside = [left / "run" for left in leftovers(folder, OLD) if (left / "run" / RECORD).is_file()]
    if aside and not folder.exists():
        aside[-1].rename(folder)
    if folder.exists():
        for left in leftovers(folder, OLD):
            shutil.rmtree(left, ignore_errors=True)
    return folder


def leftovers(folder: Path, mark: str) -> list[Path]:
    """What runs that were cut off have left beside a folder."""
    return sorted(folder.parent.glob(f".{folder.name}{mark}*")) if folder.parent.is_dir() else []


def read_record(folder: Path) -> dict[str, Any]:
    """What a run's folder says of itself: plain values, of this version's format and of some ``kind``.

    Raises
    ------
    ValueError
        If the folder is no run, its record is damaged, or it was written in another format.
    """
    if not (folder / RECORD).is_file():
        raise ValueError(_no_run(folder))
    data = read_json(folder / RECORD)
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str) or "format" not in data:
        raise ValueError(f"{folder / RECORD} is not the record of a run")
    found = data.get("format")
    if isinstance(found, int) and found < FORMAT:
        raise ValueError(
            f"{folder} was made by an earlier version of transfermap, in format {found}: make it anew with the command "
            "that made it"
        )
    if found != FORMAT:
        raise ValueError(f"{folder} has format {found!r}; this is transfermap {__version__}: install a newer one")
    return data


def read_json(path: Path) -> Any:
    """The values of a file that a run consists of."""
    try:
        return json.loads(path.read_text(encoding="utf8"))
    except (ValueError, OSError, RecursionError) as error:
        raise ValueError(f"{path} is damaged or cannot be read; expected the JSON that transfermap wrote") from error


def from_plain_file(kind: type[T], data: Any, path: Path) -> T:
    """A record of the values of a file, which is called damaged where they are not what was written."""
    try:
        return from_plain(kind, data, kind.__name__.lower())
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def _no_run(folder: Path) -> str:
    if leftovers(folder, PART):
        return f"{folder} holds no run: a run into it was cut off before it was finished; run adapt again"
    if folder.is_dir():
        return f"{folder} is a folder, but no run: it has no {RECORD}"
    return f"there is no run {folder}; expected a folder that 'transfermap adapt ... -o {folder.name}' wrote"
