"""Memory and seconds of the discrepancy of many rows: in tiles, and from the whole Gram matrix.

    python benchmarks/mmd_memory.py [--rows 8192] [--columns 256] [--whole]

Each measurement is a process of its own: what it holds at its peak, less what it held before. The whole matrix is
taken with ``--whole`` only: 16,384 rows of both domains together need about 10 GB for it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time


def measured(how: str, rows: int, columns: int, threads: int) -> dict[str, float]:
    """Peak in MB above the start, seconds, and value; ``how`` is tiles or whole, with + at its end for the gradient."""
    import torch

    from transfermap.deep.losses.discrepancy import gram, mmd2, mmd2_blocks

    torch.set_num_threads(threads)
    wanted = how.endswith("+")

    def run(n: int) -> float:
        torch.manual_seed(0)
        a, b = torch.randn(n, columns), torch.randn(n, columns) + 0.1
        a.requires_grad_(wanted), b.requires_grad_(wanted)
        value = mmd2_blocks(a, b) if how.startswith("tiles") else mmd2(gram(a, b), n)
        if wanted:
            value.backward()
        return value.item()

    run(64)  # loads what torch loads at its first use
    before, began = _peak(), time.perf_counter()
    value = run(rows)
    return {"MB": _peak() - before, "seconds": time.perf_counter() - began, "value": value}


def _peak() -> float:
    """The largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=8192)
    parser.add_argument("--columns", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--whole", action="store_true", help="the whole matrix too")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options.one, options.rows, options.columns, options.threads)))
        return
    print(f"{options.rows} x {options.rows} rows of {options.columns} columns, {options.threads} thread(s)")
    for how in ("tiles", "tiles+", *(("whole", "whole+") if options.whole else ())):
        predicted = subprocess.run(
            [sys.executable, *sys.argv, "--one", how], check=True, capture_output=True, text=True
        )
        found = json.loads(predicted.stdout)
        name = how.replace("+", ", with gradient")
        print(f"  {name:24}{found['MB']:9.0f} MB{found['seconds']:9.2f} s   value {found['value']:.7f}", flush=True)


if __name__ == "__main__":
    main()
