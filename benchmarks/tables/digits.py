"""MNIST and USPS, both ways, with the papers' LeNet: ours at the last step, never chosen by target labels.

    python benchmarks/tables/digits.py DATA_FOLDER --tasks MU UM --methods erm dann dan --seeds 0 1 2 -o digits.jsonl

Full protocol, tasks in capitals: all labelled training rows of the source, all training rows of the target without
labels, scored on the target's test rows. Small protocol, "mu" and "um": the 2,000 rows of MNIST and 1,800 of USPS of
the JDA paper, scored on the target rows that were seen without labels. "MN" goes from MNIST, grey as three equal
colours, to MNIST-M, of which there are 3,000 test rows only: they are learned from without labels and scored on.
Images are brought to 28 x 28 points; values lie in [-1, 1]. The optimiser is ours (AdamW, rate 0.001 annealed over
the run), the same for all methods but MCD, which has its paper's (Adam, 0.0002, constant) and its paper's net;
"erm-mcd" is source-only trained that way. ``--batch`` rows of each domain and ``--steps`` are the same for all. The
peers' re-runs take 50,000 steps of 128 rows. Records are appended; what is there already is not run again. At the end:
mean and standard deviation over the seeds.

Published beside them are TLlib's re-runs (MNIST to USPS / USPS to MNIST), which keep the epoch that is best on target
test labels: source 82.1 / 74.6, DANN 91.7 / 95.2, DAN 86.0 / 89.5, JAN 84.0 / 86.8, ADDA 94.5 / 98.3, CDAN 96.0 / 97.7,
MCD 94.1 / 97.6, MDD 94.8 / 97.8, MCC 95.1 / 94.6.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import h5py
import numpy as np
import torch

from transfermap.card import find
from transfermap.deep.estimators import DeepClassifier
from transfermap.deep.nets.small import build

METHODS = ("erm", "dann", "dan", "jan", "deepcoral", "adda", "cdan", "daan", "mcd", "mdd", "mcc")
# at the rate of the others MCD's heads never agree on the target
_MCD: dict[str, object] = {"optimizer": "adam", "lr": 2e-4, "weight_decay": 5e-4, "schedule": "constant"}
RECIPES = {"mcd": _MCD, "erm-mcd": _MCD}
Rows = tuple[torch.Tensor, torch.Tensor]


def images(X: np.ndarray) -> torch.Tensor:
    """Rows of 784 grey values, or 3 x 784 colours, in [-1, 1], from images of any size with values from 0 to 1."""
    x = torch.as_tensor(X, dtype=torch.float32)
    x = x.permute(0, 3, 1, 2) if x.ndim == 4 else x[:, None]
    if x.shape[-1] != 28:
        x = torch.nn.functional.interpolate(x, size=(28, 28), mode="bilinear", align_corners=False)
    return x.flatten(1) * 2 - 1


def load(folder: Path, domain: str, part: str) -> Rows:
    """Images and labels of "M" or "U", "train" or "test"."""
    if domain == "M":
        with np.load(folder / "digits" / f"mnist_{part}.npz") as file:
            X, y = (file[key] for key in sorted(file, key=lambda k: -file[k].ndim))
        return images(X / 255.0), torch.as_tensor(y, dtype=torch.int64)
    with h5py.File(folder / "digits" / "usps.h5") as file:
        X, y = file[part]["data"][:], file[part]["target"][:]
    return images(X.reshape(-1, 16, 16)), torch.as_tensor(y, dtype=torch.int64)


def small(folder: Path, domain: str) -> Rows:
    """The JDA paper's 2,000 rows of MNIST ("m") or 1,800 of USPS ("u"), 16 x 16 points."""
    with h5py.File(folder / "digits" / "MNIST_vs_USPS.mat") as file:
        side = "s" if domain == "m" else "t"
        X, y = np.array(file[f"X{side}"]), np.array(file[f"Y{side}"]).ravel()
    return images(X.reshape(-1, 16, 16) / X.max()), torch.as_tensor(y - y.min(), dtype=torch.int64)


def tables(folder: Path, task: str) -> tuple[Rows, torch.Tensor, Rows]:
    """Labelled source rows, target rows to learn from, labelled target rows to be scored on."""
    if task == "MN":
        X, y = load(folder, "M", "train")
        with np.load(folder / "digits" / "mnistm_test_first3000.npz") as file:
            Xt, yt = (file[key] for key in sorted(file, key=lambda k: -file[k].ndim)[:2])
        target = images(Xt / 255.0), torch.as_tensor(yt, dtype=torch.int64)
        return (X.repeat(1, 3), y), target[0], target
    if task.islower():
        target = small(folder, task[1])
        return small(folder, task[0]), target[0], target
    return load(folder, task[0], "train"), load(folder, task[1], "train")[0], load(folder, task[1], "test")


def net_for(key: str, columns: int) -> str | torch.nn.Module:
    """The LeNet, for three colours too; for MCD its paper's net."""
    colours = columns // 784
    if key in RECIPES:
        return own_of_mcd(colours)
    if colours == 1:
        return "lenet"
    net = build("lenet", 784, 10)
    layers = list(net["features"])
    layers[:2] = [torch.nn.Unflatten(1, (colours, 28, 28)), torch.nn.Conv2d(colours, 20, 5)]
    return torch.nn.ModuleDict({"features": torch.nn.Sequential(*layers), "head": net["head"]})


def own_of_mcd(colours: int) -> torch.nn.Module:
    """MCD's paper's net: normalised convolutions are the features, three fully connected layers with dropout a head.

    Two heads of one layer each soon agree everywhere, and then nothing is left to move the features by.
    """
    n = torch.nn
    features: list[torch.nn.Module] = [n.Unflatten(1, (colours, 28, 28))]
    for before, after in ((colours, 32), (32, 48)):
        features += [n.Conv2d(before, after, 5), n.BatchNorm2d(after), n.ReLU(), n.MaxPool2d(2)]
    head: list[torch.nn.Module] = []
    for before, after in ((768, 100), (100, 100)):
        head += [n.Dropout(0.5), n.Linear(before, after), n.BatchNorm1d(after), n.ReLU()]
    head += [n.Dropout(0.5), n.Linear(100, 10)]
    return n.ModuleDict({"features": n.Sequential(*features, n.Flatten()), "head": n.Sequential(*head)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tasks", nargs="+", default=["MU", "UM"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="auto")
    parser.add_argument("-o", "--output", type=Path, default=Path("digits.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    done = [json.loads(x) for x in arguments.output.read_text("utf8").splitlines()] if arguments.output.exists() else []
    known = {(r["task"], r["method"], r["seed"], r["steps"], r["batch"]) for r in done}
    for task in arguments.tasks:
        source, Xt, (X, y) = tables(arguments.data, task)
        for seed in arguments.seeds:
            for key in arguments.methods:
                if (task, key, seed, arguments.steps, arguments.batch) in known:
                    continue
                began = time.time()
                model = DeepClassifier(
                    find(key.split("-")[0])(),
                    net=net_for(key, Xt.shape[1]),
                    steps=arguments.steps,
                    batch_size=arguments.batch,
                    device=arguments.device,
                    random_state=seed,
                    **RECIPES.get(key, {}),
                ).fit_datasets(source, (Xt,))
                right = float(np.mean(model.predict(X.numpy()) == y.numpy()))
                record = {"task": task, "method": key, "seed": seed, "steps": arguments.steps, "batch": arguments.batch}
                record |= {"accuracy": round(right, 4), "seconds": round(time.time() - began, 1)}
                record |= {"last": {name: round(value, 4) for name, value in model.history_[-1].items()}}
                with arguments.output.open("a", encoding="utf8") as file:
                    file.write(json.dumps(record) + "\n")
                done.append(record)
                print(record, flush=True)
    show([r for r in done if (r["steps"], r["batch"]) == (arguments.steps, arguments.batch)])


def show(records: list[dict[str, object]]) -> None:
    """A line for each task and method: mean, standard deviation, seeds."""
    for task, key in dict.fromkeys((r["task"], r["method"]) for r in records):
        values = [100 * float(r["accuracy"]) for r in records if (r["task"], r["method"]) == (task, key)]
        spread = np.std(values, ddof=1) if len(values) > 1 else float("nan")
        print(f"{task}  {key:10}{np.mean(values):6.1f} +- {spread:.1f}  ({len(values)} seeds)")


if __name__ == "__main__":
    main()
