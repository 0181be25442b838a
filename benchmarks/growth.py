"""How time and memory of every built method grow with the rows: a table, the exponent, and a log-log image.

    python benchmarks/growth.py --rows 1000 5000 20000 100000 -o growth.svg

Data, threads and limits are those of ``benchmarks/peers.py``: 50 columns, one process a cell, one thread, CPU seconds
of adapting and training logistic regression. The exponent is the slope between the two largest sizes that were done.
A method that cannot do a size must say so at once, in one sentence; it is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from peers import attempt

from transfermap.card import find, keys

MINUTES = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 5000, 20000, 100000])
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--methods", nargs="+", default=list(keys()))
    parser.add_argument("--memory", type=float, default=4.0, help="GB a cell")
    parser.add_argument("-o", "--output", type=Path, default=Path("growth.svg"))
    arguments = parser.parse_args()
    found: dict[str, dict[int, dict[str, object]]] = {}
    for key in arguments.methods:
        found[key] = {
            rows: attempt(sys.executable, "ours", key, rows, arguments.columns, 60 * MINUTES, arguments.memory)
            for rows in arguments.rows
        }
        print(line(key, found[key]), flush=True)
    arguments.output.with_suffix(".json").write_text(json.dumps(found, indent=1), encoding="utf8")
    draw(found, arguments.output)


def line(key: str, sizes: dict[int, dict[str, object]]) -> str:
    cells = [
        f"{cell['seconds']:8.2f} s {cell['peak'] / 2**20:6.0f} MB" if "seconds" in cell else f"{'-':>20}"
        for cell in sizes.values()
    ]
    faults = [f"\n    {rows:,} rows: {cell['fault']}" for rows, cell in sizes.items() if "fault" in cell]
    power = exponent(sizes)
    return f"{key:20}" + "".join(cells) + ("" if power is None else f"   n^{power:.2f}") + "".join(faults)


def exponent(sizes: dict[int, dict[str, object]]) -> float | None:
    """Slope of log seconds over log rows, between the two largest sizes that were done."""
    done = [(rows, cell["seconds"]) for rows, cell in sizes.items() if "seconds" in cell]
    if len(done) < 2:
        return None
    (n1, t1), (n2, t2) = done[-2:]
    return float(np.log(max(t2, 1e-4) / max(t1, 1e-4)) / np.log(n2 / n1))


def draw(found: dict[str, dict[int, dict[str, object]]], path: Path) -> None:
    """Seconds over rows, both logarithmic; a panel a family."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    families: dict[str, list[str]] = {}
    for key in found:
        families.setdefault(find(key).card.family, []).append(key)
    figure = Figure(figsize=(12, 3.4 * ((len(families) + 3) // 4)), layout="constrained")
    axes = figure.subplots((len(families) + 3) // 4, min(4, len(families)), sharex=True, sharey=True, squeeze=False)
    for ax, (family, members) in zip(axes.flat, families.items(), strict=False):
        for key in members:
            done = [(rows, cell["seconds"]) for rows, cell in found[key].items() if "seconds" in cell]
            ax.loglog(*zip(*done, strict=True), marker="o", markersize=3, label=key) if done else None
        ax.set_title(family, fontsize=10)
        ax.legend(fontsize=7, frameon=False)
        ax.set_xlabel("rows a side")
    for ax in axes.flat[len(families) :]:
        ax.set_visible(False)
    axes[0, 0].set_ylabel("CPU seconds")
    with rc_context({"svg.fonttype": "none"}):
        figure.savefig(path)


if __name__ == "__main__":
    main()
