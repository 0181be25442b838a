"""Partial label sets: ten source classes, the first five of them in the target; Office + Caltech-10, twelve tasks.

    python benchmarks/tables/partial.py DATA_FOLDER --methods erm dann san pada iwan --seeds 0 1 2 -o partial.jsonl

Features are those that ``bench`` calls ``--features``, rows of length one; the net is the library's for tables, at its
defaults for every method, and the last state is scored on all target rows, whose labels no method saw. Records are
appended; what is there already is not run again. At the end: the mean over the tasks by method, and the gain over DANN,
paired by task (mean over seeds), with its 95 % interval over tasks.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from transfermap.bench.datasets import load_task
from transfermap.card import find

DOMAINS = ("amazon", "caltech10", "dslr", "webcam")
PRESENT = 5


def fit_score(key: str, task: tuple[str, str], arguments: argparse.Namespace, seed: int) -> float:
    """Accuracy on the target's rows of the first five classes."""
    rows = load_task(arguments.features, *task, arguments.data, "l2")
    there = np.isin(rows.yt, np.unique(rows.ys)[:PRESENT])
    X = np.concatenate([rows.Xs, rows.Xt[there]])
    hidden = np.full(there.sum(), -1)
    model = find(key)()
    codes = np.unique(rows.ys, return_inverse=True)[1]
    domains = np.repeat([1, -1], [len(rows.Xs), there.sum()])
    shell = made(model, seed, arguments.steps).fit(X, np.concatenate([codes, hidden]), sample_domain=domains)
    truth = np.searchsorted(np.unique(rows.ys), rows.yt[there])
    return float(np.mean(shell.predict(rows.Xt[there]) == truth))


def made(objective: object, seed: int, steps: int):
    from transfermap.deep.shells import DeepClassifier

    return DeepClassifier(objective, steps=steps, random_state=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--features", default="office-caltech-efflite0")
    parser.add_argument("--methods", nargs="+", default=["erm", "dann", "san", "pada", "iwan"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("-o", "--output", type=Path, default=Path("partial.jsonl"))
    arguments = parser.parse_args()
    done = [json.loads(x) for x in arguments.output.read_text("utf8").splitlines()] if arguments.output.exists() else []
    known = {(r["task"], r["method"], r["seed"], r["steps"]) for r in done}
    tasks = [(a, b) for a in DOMAINS for b in DOMAINS if a != b]
    for seed in arguments.seeds:
        for task in tasks:
            for key in arguments.methods:
                name = f"{task[0]}:{task[1]}"
                if (name, key, seed, arguments.steps) in known:
                    continue
                began = time.time()
                record = {"task": name, "method": key, "seed": seed, "steps": arguments.steps}
                record |= {"accuracy": round(fit_score(key, task, arguments, seed), 4)}
                done.append(record | {"seconds": round(time.time() - began, 1)})
                with arguments.output.open("a", encoding="utf8") as file:
                    file.write(json.dumps(done[-1]) + "\n")
    show([r for r in done if r["steps"] == arguments.steps])


def show(records: list[dict[str, object]]) -> None:
    """The mean of each method, and what it is above DANN."""
    names = sorted({str(r["task"]) for r in records})
    keys = list(dict.fromkeys(str(r["method"]) for r in records))
    table = {
        k: [np.mean([r["accuracy"] for r in records if (r["task"], r["method"]) == (n, k)]) for n in names]
        for k in keys
    }
    for key, values in table.items():
        gain = np.subtract(values, table.get("dann", values))
        reach = student.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
        print(f"{key:8}{100 * np.mean(values):7.1f}   above DANN {100 * gain.mean():+6.1f} +- {100 * reach:.1f}")


if __name__ == "__main__":
    main()
