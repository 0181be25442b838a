"""Partial label sets: ten source classes, the first five of them in the target.

    python benchmarks/tables/partial.py DATA_FOLDER --methods erm dann san pada iwan --seeds 0 1 2 -o partial.jsonl
    python benchmarks/tables/partial.py DATA_FOLDER --digits -o partial-digits.jsonl

Office + Caltech-10, twelve tasks: the papers' net on the features of a frozen backbone, as they come out of it, for
every method, source-only and DANN among them. It is a linear bottleneck of 256 and a linear head; discriminators have
two hidden layers of 1024. SGD with Nesterov momentum 0.9, decay 0.0005, rate 0.01 (the papers' for new layers),
annealed; 36 rows of each domain a step. The papers move the backbone too, at a tenth of that rate, for 10,000 steps or
more.

Digits: the JDA paper's 2,000 rows of MNIST, and those of its 1,800 of USPS that are of the first five classes; LeNet
and the optimiser of ``digits.py``, 64 rows of each domain a step.

The last state is scored on all target rows, whose labels no method saw. Records are appended; what is there already is
not run again. At the end: the mean over the tasks by method, and the gain over DANN and over the source alone, paired
by task (mean over seeds), with 95 % intervals over tasks (over seeds, where there is one task).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from digits import small
from scipy.stats import t as student
from torch import nn

from transfermap.bench.datasets import load_task
from transfermap.card import find
from transfermap.deep.estimators import DeepClassifier

DOMAINS = ("amazon", "caltech10", "dslr", "webcam")
PRESENT, CODE, CRITIC = 5, 256, 1024
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def office(task: str, arguments: argparse.Namespace) -> Arrays:
    """Source rows and labels, target rows and labels, of a task such as "amazon:webcam"."""
    rows = load_task(arguments.features, *task.split(":"), arguments.data)
    return rows.Xs, rows.ys, rows.Xt, rows.yt


def digits(task: str, arguments: argparse.Namespace) -> Arrays:
    """The same, of "m:u" or "u:m"."""
    (Xs, ys), (Xt, yt) = (small(arguments.data, domain) for domain in task.split(":"))
    return Xs.numpy(), ys.numpy(), Xt.numpy(), yt.numpy()


def settings(on_digits: bool, columns: int, classes: int, seed: int) -> dict[str, Any]:
    """The net and how it is trained."""
    if on_digits:
        return {"net": "lenet"}
    torch.manual_seed(seed)
    net = nn.ModuleDict({"features": nn.Linear(columns, CODE), "head": nn.Linear(CODE, classes)})
    return {"net": net, "optimizer": "sgd", "lr": 0.01, "weight_decay": 5e-4, "batch_size": 36}


def fit_score(key: str, rows: Arrays, arguments: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Accuracy on the target's rows of the first five classes, and what training noted last."""
    Xs, ys, Xt, yt = rows
    classes, codes = np.unique(ys, return_inverse=True)
    there = np.isin(yt, classes[:PRESENT])
    Xt, truth = Xt[there], np.searchsorted(classes, yt[there])
    how = settings(arguments.digits, Xs.shape[1], len(classes), seed)
    wide = not arguments.digits and "width" in find(key)().get_params()
    model = DeepClassifier(
        find(key)(**({"width": CRITIC} if wide else {})), steps=arguments.steps, random_state=seed, **how
    )
    y, domains = np.r_[codes, np.full(len(Xt), -1)], np.repeat([1, -1], [len(Xs), len(Xt)])
    model.fit(np.concatenate([Xs, Xt]), y, sample_domain=domains)
    last = {name: round(value, 3) for name, value in model.history_[-1].items() if name not in ("step", "seconds")}
    return {"accuracy": round(float(np.mean(model.predict(Xt) == truth)), 4), "last": last}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--digits", action="store_true")
    parser.add_argument("--features", default="office-caltech-efflite0")
    parser.add_argument("--methods", nargs="+", default=["erm", "dann", "san", "pada", "iwan"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("-o", "--output", type=Path, default=Path("partial.jsonl"))
    arguments = parser.parse_args()
    done = [json.loads(x) for x in arguments.output.read_text("utf8").splitlines()] if arguments.output.exists() else []
    known = {(r["task"], r["method"], r["seed"], r["steps"]) for r in done}
    tasks = ["m:u"] if arguments.digits else [f"{a}:{b}" for a in DOMAINS for b in DOMAINS if a != b]
    for seed in arguments.seeds:
        for task in tasks:
            rows = (digits if arguments.digits else office)(task, arguments)
            for key in arguments.methods:
                if (task, key, seed, arguments.steps) in known:
                    continue
                began = time.time()
                record = {"task": task, "method": key, "seed": seed, "steps": arguments.steps}
                record |= fit_score(key, rows, arguments, seed)
                done.append(record | {"seconds": round(time.time() - began, 1)})
                with arguments.output.open("a", encoding="utf8") as file:
                    file.write(json.dumps(done[-1]) + "\n")
    wanted = {"task": tasks, "method": arguments.methods, "seed": arguments.seeds, "steps": [arguments.steps]}
    show([r for r in done if all(r[name] in values for name, values in wanted.items())])


def show(records: list[dict[str, Any]]) -> None:
    """The mean of each method, and what it is above DANN and above the source alone."""
    one = len({r["task"] for r in records}) == 1
    unit = "seed" if one else "task"
    table: dict[str, dict[Any, list[float]]] = {}
    for r in records:
        table.setdefault(r["method"], {}).setdefault(r[unit], []).append(100 * r["accuracy"])
    means = {key: {name: float(np.mean(v)) for name, v in cells.items()} for key, cells in table.items()}
    for key, cells in means.items():
        gains = [f"above {other} {gain(cells, means[other])}" for other in ("dann", "erm") if other in means]
        print(f"{key:8}{np.mean(list(cells.values())):7.1f}   " + "   ".join(gains))


def gain(ours: Mapping[Any, float], theirs: Mapping[Any, float]) -> str:
    """Mean difference over what both have, and its 95 % interval."""
    d = np.array([ours[name] - theirs[name] for name in ours if name in theirs])
    reach = student.ppf(0.975, len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d)) if len(d) > 1 else np.nan
    return f"{d.mean():+6.1f} +- {reach:.1f}"


if __name__ == "__main__":
    main()
