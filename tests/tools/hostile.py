"""Hostile and broken input, by name: each case writes its files into a folder and gives the command line to run there.

A case ends in one of two ways: refused in one sentence, which must hold the case's ``words``; or answered, and then the
answer must hold a finding with the code ``note``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

Write = Callable[[Path], list[str]]
Change = Callable[[pd.DataFrame, pd.DataFrame], tuple[pd.DataFrame, pd.DataFrame] | None]
CHECK = ["check", "a.csv", "b.csv", "--label", "churned"]
ADAPT = ["adapt", "a.csv", "b.csv", "--label", "churned", "--method", "sourceonly", "--budget", "1s", "-o", "run1"]
CASES: dict[str, Case] = {}
RUN_CASES: dict[str, Case] = {}


@dataclass(frozen=True)
class Case:
    """What to write and run, and how it must end: ``words`` of the refusal, or the code of a finding."""

    write: Write
    words: tuple[str, ...] = ()
    note: str = ""


def add(name: str, write: Write, *words: str, note: str = "", to: dict[str, Case] = CASES) -> None:
    """Put a case into the collection."""
    assert name not in to, f"{name} is there twice"
    assert bool(words) != bool(note), f"{name} must be either refused or answered"
    to[name] = Case(write, words, note)


def case(*words: str, note: str = "", to: dict[str, Case] = CASES) -> Callable[[Write], Write]:
    """A function that writes the files of a case; its name is the case's."""

    def mark(write: Write) -> Write:
        add(write.__name__.replace("_", " "), write, *words, note=note, to=to)
        return write

    return mark


def source(n: int = 70) -> pd.DataFrame:
    """A small sound table: two numbers, a category, and a label that follows from them."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, n)
    table = {"age": (40 + 12 * y + 8 * rng.normal(size=n)).round(1), "income": (2 + y + rng.normal(size=n)).round(3)}
    return pd.DataFrame(table | {"city": rng.choice(["Rome", "Oslo", "Bonn"], n), "churned": np.where(y, "yes", "no")})


def target(n: int = 50) -> pd.DataFrame:
    """As :func:`source` without label, a little older."""
    rng = np.random.default_rng(2)
    table = {"age": (49 + 10 * rng.normal(size=n)).round(1), "income": (2.5 + rng.normal(size=n)).round(3)}
    return pd.DataFrame(table | {"city": rng.choice(["Rome", "Oslo", "Bonn"], n)})


def sound(folder: Path) -> None:
    """Write the two sound tables a.csv and b.csv."""
    source().to_csv(folder / "a.csv", index=False)
    target().to_csv(folder / "b.csv", index=False)


def altered(
    *words: str, note: str = "", run: list[str] = CHECK, more: tuple[str, ...] = ()
) -> Callable[[Change], Change]:
    """A function that changes the sound tables (in place, or returning both); its name is the case's."""

    def mark(change: Change) -> Change:
        def write(folder: Path) -> list[str]:
            tables = source(), target()
            for table, name in zip(change(*tables) or tables, ("a.csv", "b.csv"), strict=True):
                table.to_csv(folder / name, index=False)
            return [*run, *more]

        add(change.__name__.replace("_", " "), write, *words, note=note)
        return change

    return mark
