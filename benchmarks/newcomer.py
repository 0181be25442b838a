"""The main job as a newcomer meets it: two raw tables through every command, with wall time and peak memory of each.

    python benchmarks/newcomer.py [--rows 12000 9000] [--keep FOLDER] [--quiet]

The tables: 40 columns, of which 33 numbers, 6 categories and one free text, 5 % missing, string labels. A third of the
numbers is scaled and moved in the target, one category is new there, and 5 % of its cells are missing too.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

WORDS = ["late", "delivery", "good", "price", "broken", "love", "it", "never", "again", "refund", "please", "slow"]
MOVED = 11


def table(n: int, moved: tuple[np.ndarray, np.ndarray] | None, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of one region; ``moved`` holds the scales and offsets that its numbers are measured with."""
    numbers = rng.normal(size=(n, 33))
    categories = {f"cat{j}": rng.choice(list("abcdefgh"[: 3 + j]), n) for j in range(6)}
    comments = [" ".join(rng.choice(WORDS, rng.integers(4, 12))) for _ in range(n)]
    mood = np.array([c.count("refund") - c.count("love") for c in comments])
    score = numbers[:, :3] @ [1.0, 0.8, -0.6] + (categories["cat0"] == "a") - 0.8 * (categories["cat1"] == "b")
    score = score + 0.7 * mood + 0.7 * rng.normal(size=n)
    if moved is not None:
        numbers[:, :MOVED] = numbers[:, :MOVED] * moved[0] + moved[1]
        categories["cat2"][rng.random(n) < 0.1] = "z"
    frame = pd.DataFrame(numbers, columns=[f"num{i}" for i in range(33)]).assign(**categories, comment=comments)
    frame = frame.mask(rng.random(frame.shape) < 0.05)
    return frame.assign(churned=np.where(score > np.quantile(score, 0.7), "yes", "no"))


def write_pair(folder: Path, n: int, m: int) -> None:
    """last_year.csv (labelled), this_year.csv (not), and truth.csv, which only ``verify`` may see."""
    rng = np.random.default_rng(0)
    moved = rng.uniform(0.5, 2.0, MOVED), rng.normal(size=MOVED)
    table(n, None, rng).to_csv(folder / "last_year.csv", index=False)
    target = table(m, moved, rng)
    target.drop(columns="churned").to_csv(folder / "this_year.csv", index=False)
    target.to_csv(folder / "truth.csv", index=False)


def measure(folder: Path, quiet: bool, *command: str) -> str:
    """Run a command of transfermap; one line: wall seconds, CPU seconds, peak megabytes, exit code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "transfermap", *command], cwd=folder, stdout=subprocess.DEVNULL if quiet else None
    )
    peak = 0
    while process.poll() is None:
        peak = max(peak, tree_memory(process.pid))
        time.sleep(0.05)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (
        f"{command[0]:10s} {wall:7.1f} s wall {cpu:7.1f} s CPU {peak / 2**20:7.0f} MB peak   exit {process.returncode}"
    )


def tree_memory(pid: int) -> int:
    """Resident bytes of a process and its children (Linux; 0 elsewhere)."""
    total = 0
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        total = pages * resource.getpagesize()
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            total += tree_memory(int(child))
    except (OSError, IndexError, ValueError):
        return total
    return total


def main() -> None:
    """Make the pair, run the commands, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs=2, type=int, default=[12_000, 9_000])
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--quiet", action="store_true", help="the table alone, without what the commands print")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp())
    folder.mkdir(exist_ok=True)
    write_pair(folder, *options.rows)
    pair = ["last_year.csv", "this_year.csv", "--label", "churned"]
    lines = [
        measure(folder, options.quiet, "--help"),
        measure(folder, options.quiet, "check", *pair),
        measure(folder, options.quiet, "adapt", *pair, "-o", "run1", "--overwrite"),
        measure(folder, options.quiet, "predict", "run1", "this_year.csv", "-o", "out.csv", "--overwrite"),
        measure(folder, options.quiet, "verify", "run1", "truth.csv"),
        measure(folder, options.quiet, "report", "run1"),
    ]
    print("\n".join(lines))
    if options.keep:
        print(f"The files are in {folder}")


if __name__ == "__main__":
    main()
