"""How good the updated verdict is after 10, 30 and 100 labels, by which rows were labelled.

    python benchmarks/labels.py --data-dir DATA [--draws 20] [--budget 20]

Each task is run once, without labels. Then rows are labelled time and again: those that the run proposes, drawn anew;
as many random ones; and those on which the methods disagree most. A verdict is good where what it hands out (the
method that it says to use, else source-only) is at most a point worse than the better of the leading method and
source-only; "best guess" hands out the leading method where its expected gain is above 0, else source-only.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

import transfermap as tm
from transfermap.bench.datasets import load_task
from transfermap.verdict.labels.choosing import disagreement, worth_labelling
from transfermap.verdict.labels.update import POINT
from transfermap.verdict.labels.verify import verify

SURF = [
    ("amazon", "webcam"),
    ("webcam", "amazon"),
    ("caltech10", "amazon"),
    ("dslr", "webcam"),
    ("webcam", "caltech10"),
]
TASKS = [*(("office-caltech-surf", *pair) for pair in SURF)]
TASKS += [("digits-jda", "usps", "mnist"), ("digits-jda", "mnist", "usps"), ("coil20", "coil1", "coil2")]
NUMBERS = (10, 30, 100)
METHODS = ["coral", "sa", "gfk", "tca", "jda", "linearmonge", "bda", "kmm"]

Told = Mapping[str, Any]


def chosen(how: str, predicted: Told, record: Told, seed: int, n: int) -> Any:
    """Which n rows are labelled."""
    useful = {k: v for k, v in predicted.items() if k != "majority"}
    if how == "proposed":
        found = worth_labelling(useful, record.label_design.leaders, "classification", seed, n)[0]
        return np.array([row.row for row in found])
    chance = np.random.default_rng(seed).random(len(predicted["sourceonly"]))
    return np.argsort(chance if how == "random" else chance - 1000 * disagreement(useful, "classification"))[:n]


def outcomes(name: str, source: str, target: str, options: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
    """(how, n, answer, whether the verdict was good, whether the best guess was), one a draw."""
    rows = load_task(name, source, target, options.data_dir)
    run = tm.adapt(rows.Xs, rows.ys.astype(str), rows.Xt, method=METHODS, budget=options.budget)
    predicted = {k.removeprefix("predicted_"): v for k, v in run.found.arrays.items() if k.startswith("predicted_")}
    y = rows.yt.astype(str).astype(object)
    scores = {k: float(np.mean(v.astype(str) == y)) for k, v in predicted.items()}
    leader = run.record.label_design.leaders[0]
    enough = max(scores["sourceonly"], scores[leader]) - POINT
    print(
        f"{name} {source} -> {target}: {leader} {scores[leader]:.3f}, source-only {scores['sourceonly']:.3f}",
        flush=True,
    )
    for how in ("proposed", "random", "uncertain"):
        for n in NUMBERS:
            for seed in range(options.draws):
                i = chosen(how, predicted, run.record, seed, n)
                # the updated verdict is the same for proposed and for random rows, whose own scores would take longer
                found = verify(run.record, {k: v[i] for k, v in predicted.items()}, y[i], predicted, proposed=True)
                now, rows_by = found.updated, {row.method: row for row in found.rows}
                guess = leader if rows_by[leader].posterior.gain > 0 else "sourceonly"
                yield how, n, now.answer, scores[now.method] >= enough, scores[guess] >= enough


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--budget", type=float, default=20.0)
    options = parser.parse_args()
    show([outcome for task in TASKS for outcome in outcomes(*task, options)])


def show(found: list[tuple[Any, ...]]) -> None:
    """The table, over all tasks and draws."""
    print(f"{'rows':<12}{'labels':>7}{'good verdict':>14}{'undecided':>11}{'good best guess':>17}")
    for how in ("proposed", "random", "uncertain"):
        for n in NUMBERS:
            here = [o for o in found if o[:2] == (how, n)]
            shares = [np.mean([o[3] for o in here]), np.mean([o[2] == "unknown" for o in here])]
            print(f"{how:<12}{n:>7}{shares[0]:>14.0%}{shares[1]:>11.0%}{np.mean([o[4] for o in here]):>17.0%}")


if __name__ == "__main__":
    main()
