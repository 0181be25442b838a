"""Activation maximisation on MNIST: do the images that drive a net's logits mean anything to another net?

    python benchmarks/look.py DATA_FOLDER -o look.jsonl

Two nets of different seeds learn MNIST (28 x 28). For each, images are made that drive its ten logits, with what
holds them back ("held") and without ("free"); each net then says what they show. Told are how many of ten each net
gets right, and how many logits rise above the 99th percentile of real test images. Asked for: at least 9 by the net
itself; by the other at least 6 held, and fewer free. Records are appended; what is there already is not run again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from transfermap.studies.activation import Ascent, maximise, still

SIDE = 28
WAYS = {"held": Ascent(steps=200), "free": Ascent.bare(steps=200)}


def trained(X: torch.Tensor, y: torch.Tensor, seed: int, steps: int) -> nn.Sequential:
    """Two convolutions and a layer of 64, the logits last."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        *(nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10)),
    )
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(steps):
        at = torch.randint(len(X), (64,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(X[at]), y[at]).backward()
        optimizer.step()
    return net


def images(folder: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    with np.load(folder / "digits" / f"mnist_{part}.npz") as file:
        X, y = (file[key] for key in sorted(file, key=lambda k: -file[k].ndim))
    return torch.from_numpy(X.reshape(-1, 1, SIDE, SIDE) / 255).float(), torch.from_numpy(y.astype(int))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("-o", "--output", type=Path, default=Path("look.jsonl"))
    predicted = parser.parse_args()
    done = [json.loads(x) for x in predicted.output.read_text("utf8").splitlines()] if predicted.output.exists() else []
    known = {(r["seed"], r["way"], r["steps"]) for r in done}
    left = [seed for seed in predicted.seeds if any((seed, way, predicted.steps) not in known for way in WAYS)]
    (X, y), (Xt, yt) = images(predicted.data, "train"), images(predicted.data, "test")
    for seed in left:
        own, other = (trained(X, y, s, predicted.steps) for s in (2 * seed, 2 * seed + 1))
        for way, how in WAYS.items():
            with still(own), still(other):
                score = float((own(Xt).argmax(1) == yt).float().mean())
                made = maximise(own, range(10), (1, SIDE, SIDE), how)
                right = [int((net(made.x).argmax(1) == torch.arange(10)).sum()) for net in (own, other)]
                above = int((made.curve[-1] > torch.quantile(own(Xt), 0.99, dim=0)).sum())
            record = {"seed": seed, "way": way, "steps": predicted.steps, "test": round(score, 4)}
            record |= {"own": right[0], "other": right[1], "above": above}
            with predicted.output.open("a", encoding="utf8") as file:
                file.write(json.dumps(record) + "\n")
            print(record, flush=True)


if __name__ == "__main__":
    main()
