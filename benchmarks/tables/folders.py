"""PACS and Office+Caltech10 from folders of images: source-only, shallow and deep methods on one net's features.

    python benchmarks/tables/folders.py DATA_FOLDER --tasks pacs/photo/sketch --seeds 0 1 2 -o folders.jsonl

A task is a collection, a source and a target. Images are seen through ``--backbone`` as the command line sees them
(:func:`transfermap.tasks.task.Task.from_files`), and the table goes through the same encoder; features are cached,
their time is on record as "looking". Source-only, the shallow methods and, on the same features, the deep methods with
the papers' bottleneck (one layer of 256, a linear head) are scored on the target's images, whose classes nothing but
the score has seen. Deterministic methods run once; the others once a seed. Nothing is chosen by target labels:
optimiser and steps are the same for all deep methods. Records are appended; what is there already is not run again.

At the end, for every task: source-only, each method's mean and standard deviation over the seeds, and the minutes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from transfermap.adapted import Adapted
from transfermap.card import find
from transfermap.data.images.image_files import find_images
from transfermap.deep.estimators import DeepClassifier
from transfermap.tasks.task import Task
from transfermap.verdict.encoded import encode

COLLECTIONS = {
    "pacs": ("pacs", ("photo", "sketch", "art_painting", "cartoon")),
    "office": ("office_caltech10/images_160", ("amazon", "caltech10", "dslr", "webcam")),
}
SHALLOW = ("domainscaler", "coral", "sa", "tca", "jda", "meda", "easytl")
DEEP = ("dann", "cdan")
BOTTLENECK = 256


def all_tasks() -> list[str]:
    """PACS from photographs to each of the others, then the twelve pairs of Office+Caltech10."""
    pacs = [f"pacs/photo/{target}" for target in COLLECTIONS["pacs"][1][1:]]
    return pacs + [f"office/{a}/{b}" for a, b in permutations(COLLECTIONS["office"][1], 2)]


def load(folder: Path, name: str, net: str) -> tuple[Task, np.ndarray]:
    """The task, and the target's classes, which only the score sees."""
    collection, source, target = name.split("/")
    root = folder / COLLECTIONS[collection][0]
    task = Task.from_files(root / source, root / target, backbone=net)
    classes = find_images(root / target).table.set_index("file")["class"]
    return task, classes.loc[list(task.images.target)].to_numpy()


def bottleneck(columns: int, classes: int) -> nn.ModuleDict:
    """One hidden layer on the net's features, and a linear head."""
    features = nn.Sequential(nn.Linear(columns, BOTTLENECK), nn.ReLU(), nn.Dropout(0.5))
    return nn.ModuleDict({"features": features, "head": nn.Linear(BOTTLENECK, classes)})


def model_for(key: str, seed: int, columns: int, classes: int, steps: int) -> object:
    """The estimator that is scored."""
    if key in ("erm", *DEEP):
        torch.manual_seed(seed)
        net = bottleneck(columns, classes)
        return DeepClassifier(find(key)(), net=net, steps=steps, lr=1e-3, random_state=seed)
    return Adapted(find(key)(), LogisticRegression(max_iter=2000))


def run(folder: Path, name: str, wanted: list[tuple[str, int]], net: str, steps: int) -> Iterator[dict[str, object]]:
    """Records of those methods and seeds on one task."""
    began = time.time()
    task, truth = load(folder, name, net)
    _, data = encode(task, 0)
    looking = time.time() - began
    X, rows = np.concatenate([data.Xs, data.Xt]).astype(np.float32), (len(data.Xs), len(data.Xt))
    y = np.concatenate([data.ys, np.full(rows[1], data.ys[0], dtype=data.ys.dtype)])
    domain = np.repeat([0, -1], rows)
    for key, seed in wanted:
        began = time.time()
        model = model_for(key, seed, X.shape[1], len(data.classes), steps)
        predicted = model.fit(X, y, sample_domain=domain).predict(X[rows[0] :])
        record = {"task": name, "method": key, "seed": seed, "backbone": net, "steps": steps}
        record |= {"accuracy": round(float(np.mean(predicted == truth)), 4), "rows": rows}
        record |= {"seconds": round(time.time() - began, 1), "looking": round(looking, 1)}
        print(record, flush=True)
        yield record


def show(records: list[dict[str, object]]) -> None:
    """A line for each task and method: mean, standard deviation, gain over source-only, minutes."""
    for task in dict.fromkeys(r["task"] for r in records):
        mine = [r for r in records if r["task"] == task]
        scores = {k: [100 * r["accuracy"] for r in mine if r["method"] == k] for k in {r["method"] for r in mine}}
        base = np.mean(scores.get("sourceonly", [np.nan]))
        print(f"{task}   looking {max(r['looking'] for r in mine) / 60:.1f} min")
        for key, values in sorted(scores.items(), key=lambda item: np.mean(item[1])):
            minutes = np.mean([r["seconds"] for r in mine if r["method"] == key]) / 60
            spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
            gain = np.mean(values) - base
            print(f"  {key:12}{np.mean(values):6.1f} +- {spread:.1f}  {gain:+5.1f}  {minutes:6.2f} min ({len(values)})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tasks", nargs="+", default=all_tasks())
    parser.add_argument("--methods", nargs="+", default=["sourceonly", *SHALLOW, "erm", *DEEP])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--backbone", default="efficientnet-lite0")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("-o", "--output", type=Path, default=Path("folders.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    done = [json.loads(x) for x in arguments.output.read_text("utf8").splitlines()] if arguments.output.exists() else []
    known = {(r["task"], r["method"], r["seed"], r["backbone"], r["steps"]) for r in done}
    for name in arguments.tasks:
        random = {"erm", *DEEP}
        pairs = [(k, s) for k in arguments.methods for s in (arguments.seeds if k in random else [0])]
        wanted = [p for p in pairs if (name, *p, arguments.backbone, arguments.steps) not in known]
        for record in run(arguments.data, name, wanted, arguments.backbone, arguments.steps) if wanted else ():
            with arguments.output.open("a", encoding="utf8") as file:
                file.write(json.dumps(record) + "\n")
            done.append(record)
    show([r for r in done if (r["backbone"], r["steps"]) == (arguments.backbone, arguments.steps)])


if __name__ == "__main__":
    main()
