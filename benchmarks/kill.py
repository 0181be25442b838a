"""Kill ``adapt`` at random moments and load what is there: ``python benchmarks/kill.py [--times 20]``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "runs"))
from test_run import kill_at_random, toy


def main() -> None:
    """Every load must give a run that predicts; anything else raises."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    Xs, ys, Xt, _ = toy(60)
    pd.DataFrame(Xs, columns=list("abc")).assign(y=ys).to_csv(folder / "a.csv", index=False)
    pd.DataFrame(Xt, columns=list("abc")).to_csv(folder / "b.csv", index=False)
    outcomes = Counter(kill_at_random(folder, options.times, options.seed))
    print(f"{options.times} kills: {dict(outcomes)}; every run that was there afterwards loaded and predicted")


if __name__ == "__main__":
    main()
