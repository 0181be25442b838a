"""The file that a bench writes: one JSON object a line, appended as results arrive, never rewritten.

A line is written in one step by one process, which holds a lock on the file that ends with the process. A kill may
leave a torn last line; the next run drops it. Every line carries the key of its cell, and of two lines with one key the
later counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

Record = dict[str, Any]
# what two runs of one cell may differ in
VOLATILE = ("seconds", "at")


class Records(NamedTuple):
    """The records of a file, by key, and whether its last line was torn."""

    by_key: dict[str, Record]
    torn: bool


def key_of(cell: Mapping[str, Any]) -> str:
    """Sixteen hexadecimal digits that stand for what defines a cell.

    Examples
    --------
    >>> from transfermap.bench.records import key_of
    >>> key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1}) != key_of({"a": 1, "b": 3})
    True
    """
    # one spelling only: sorted, ASCII, without blanks
    plain = json.dumps(cell, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    # 64 bits: among a million cells two are alike with a chance of one in thirty million
    return hashlib.sha256(plain.encode("ascii")).hexdigest()[:16]


def read_records(path: Path) -> Records:
    """What a bench has written so far.

    Raises
    ------
    ValueError
        If there is no such file, or a line before the last is no record.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}; expected the records that 'bench run' wrote")
    return _parsed(path, path.read_bytes())


def _parsed(path: Path, content: bytes) -> Records:
    # a line without its end was cut off by a crash: all before it are whole
    *lines, last = content.split(b"\n")
    found: dict[str, Record] = {}
    for number, line in enumerate(lines, 1):
        record = _record(line)
        if record is None:
            raise ValueError(f"line {number} of {path} is no record of a bench; expected one JSON object with a key")
        found[record["key"]] = record
    # a later record of the same cell, from a retry, takes the earlier one's place
    return Records(found, bool(last))


def _record(line: bytes) -> Record | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("key"), str) else None


@contextmanager
def appending(path: Path) -> Iterator[tuple[Records, Callable[[Record], None]]]:
    """The records there are, and a function that appends one; the file is this process's alone meanwhile.

    Raises
    ------
    ValueError
        If another bench is writing to the file, its place is not there, or it holds something else than records.
    """
    if path.is_dir() or not path.parent.is_dir():
        fault = "is a folder" if path.is_dir() else f"cannot be written: there is no folder {path.parent}"
        raise ValueError(f"{path} {fault}; expected the name of a file for the records")
    # unbuffered and in append mode: one write is one line, at the end
    with path.open("a+b", buffering=0) as file:
        # before reading: another bench may be writing the very records that are missing here
        _lock(file.fileno(), path)
        file.seek(0)
        content = file.read()
        records = _parsed(path, content)
        if records.torn:
            file.truncate(content.rfind(b"\n") + 1)
        yield records, lambda record: _append(file, record)


def _append(file: Any, record: Record) -> None:
    # NaN is no JSON, and other readers refuse it
    line = json.dumps(record, ensure_ascii=False, allow_nan=False).encode("utf8") + b"\n"
    if file.write(line) != len(line):
        raise OSError(f"{file.name} took a part of a line only: the disk is full")


def _lock(file: int, path: Path) -> None:
    try:
        _lock_file(file)
    except OSError as error:
        raise ValueError(f"{path} is being written by another bench; wait for it, or give another name") from error


if sys.platform == "win32":
    import msvcrt

    def _lock_file(file: int) -> None:
        # a byte far behind the end: Windows would keep readers off a locked one
        os.lseek(file, 1 << 30, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock_file(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
