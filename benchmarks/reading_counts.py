"""How often `check` and `adapt` find out what a column holds, and how many cells they bring into its form.

    python benchmarks/reading_counts.py

Two tables of 2,000 rows and 20 columns, read from CSV files: source and target have 80,000 cells together. "tried" is
the quick look whether a column of strings holds nothing but plain numbers; "styled" the search for decimal commas and
the order of day and month.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "tools"))

from counted_reading import counted, table

import transfermap as tm
from transfermap.runs import run


def main() -> None:
    """Print the counts after each step."""
    folder = Path(tempfile.mkdtemp())
    paths = folder / "source.csv", folder / "target.csv"
    table(seed=0).to_csv(paths[0], index=False)
    table(seed=1).drop(columns="label").to_csv(paths[1], index=False)
    assert run.adapt is tm.adapt  # loaded before anything is wrapped
    with counted() as (columns, cells):
        task = tm.Task.from_files(*paths, label="label")
        _say("reading", columns, cells)
        tm.check(task)
        _say("+ check", columns, cells)
        tm.adapt(task, method="coral", budget=5.0)
        _say("+ adapt", columns, cells)


def _say(what: str, columns: dict[str, int], cells: dict[str, int]) -> None:
    told = (
        f"{name} {columns[name]:,} columns, {cells[name]:,} cells"
        for name in ("inferred", "coerced", "styled", "tried")
    )
    print(f"{what:8s} {'; '.join(told)}")


if __name__ == "__main__":
    main()
