"""Fine-tuning by few labels: random weights, probe, freezing, all, LoRA, LP-FT on images and sentences.

    python benchmarks/tables/finetune.py DATA_FOLDER --sets caltech10 MR --counts 5 10 --seeds 0 1 2 -o finetune.jsonl

Images: Office+Caltech10, 10 classes, EfficientNet-Lite0. Sentences: movie reviews (MR, 2 classes) and questions
(QC, 6 classes), all-MiniLM-L6-v2. ``--counts`` labels a class are drawn by the seed, smaller draws being parts of
larger ones; all are scored on the same rows, kept aside by the seed 0 (QC: its own test rows). Nothing is chosen by
those rows: every recipe runs at its usual settings for ``--steps`` steps, and its last state is scored. Records are
appended; what is there already is not run again. At the end: mean and standard deviation over the seeds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from transfermap.deep.pretrained.backbones import backbone
from transfermap.deep.pretrained.provider import Backbone
from transfermap.finetuning.curves import first_of_each, scores_of
from transfermap.finetuning.finetune import at_side, finetune, rows_of
from transfermap.tasks.items import read_items

# how a way is called in the records: what it is for finetune
WAYS: dict[str, dict[str, Any]] = {
    "scratch": {"scratch": True},
    "probe": {"recipe": "probe"},
    "upper": {"recipe": "full", "freeze": "upper"},
    "full": {"recipe": "full"},
    "lora": {"recipe": "lora"},
    "lpft": {"recipe": "lpft"},
    "lpft-upper": {"recipe": "lpft", "freeze": "upper"},
    "l2sp": {"recipe": "l2sp"},
    "bss": {"recipe": "bss"},
    "gradual": {"recipe": "gradual"},
    "wise": {"recipe": "wise"},
    "soup": {"recipe": "soup"},
}
IMAGES = ("amazon", "caltech10", "webcam")
_SENTENCES = {"MR": "rt-polarity.all", "CR": "custrev.all", "QC": "TREC.train.all"}
# of the stages that have weights, the last so many are open where the upper ones are
_OPEN = 2
Rows = tuple[np.ndarray, np.ndarray]


def sentences(path: Path) -> Rows:
    """Sentences and their labels from lines of "label text"."""
    # splitlines would tear sentences at characters that end lines elsewhere
    pairs = [line.split(" ", 1) for line in path.read_text("latin-1").split("\n") if " " in line]
    return np.array([text.strip() for _, text in pairs], dtype=object), np.array([label for label, _ in pairs])


def load(folder: Path, name: str, held: int) -> tuple[Rows, Rows]:
    """Rows to learn from and rows to be scored on: at most ``held`` of these, spread over the classes."""
    if name in IMAGES:
        found = read_items(folder / "office_caltech10" / "images_160" / name)
        assert found.labels is not None
        items, y = found.items, found.labels
    else:
        items, y = sentences(folder / "sentences" / _SENTENCES[name])
    if name == "QC":
        return (items, y), sentences(folder / "sentences" / "TREC.test.all")
    aside = first_of_each(y, max(1, held // len(np.unique(y))), seed=0)
    kept = np.setdiff1d(np.arange(len(y)), aside)
    return (items[kept], y[kept]), (items[aside], y[aside])


def net_for(name: str, side: int) -> Backbone:
    """The backbone of a data set."""
    if name in IMAGES:
        return at_side(backbone("efficientnet-lite0"), side)
    return backbone("all-minilm-l6-v2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=["caltech10", "amazon", "MR", "QC"])
    parser.add_argument("--ways", nargs="+", default=["scratch", "probe", "upper", "full", "lora", "lpft"])
    parser.add_argument("--counts", type=int, nargs="+", help="5 10 20 50 for images, 10 50 200 for sentences")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--side", type=int, default=160)
    parser.add_argument("--held", type=int, default=400)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("-o", "--output", type=Path, default=Path("finetune.jsonl"))
    arguments = parser.parse_args()
    done = [json.loads(x) for x in arguments.output.read_text("utf8").splitlines()] if arguments.output.exists() else []
    for name in arguments.sets:
        run_set(name, arguments, done)
    show(done)


def run_set(name: str, arguments: argparse.Namespace, done: list[dict[str, Any]]) -> None:
    """All ways, counts and seeds on one data set that the records lack."""
    learnt, held = load(arguments.data, name, arguments.held)
    net = net_for(name, arguments.side)
    plan = {"set": name, "steps": arguments.steps, "batch": arguments.batch, "side": net.side, "held": len(held[1])}
    known = {key_of(record) for record in done}
    for seed in arguments.seeds:
        for count in arguments.counts or ([5, 10, 20, 50] if name in IMAGES else [10, 50, 200]):
            some = first_of_each(learnt[1], count, seed)
            part = (learnt[0][some], learnt[1][some])
            rows = rows_of(net, part[0].tolist())
            for way in arguments.ways:
                record = {**plan, "way": way, "n": count, "seed": seed}
                if key_of(record) in known:
                    continue
                record |= one(net, part, held, way, seed, arguments, None if way == "scratch" else rows)
                with arguments.output.open("a", encoding="utf8") as file:
                    file.write(json.dumps(record) + "\n")
                done.append(record)
                print(record, flush=True)


def one(
    net: Backbone, part: Rows, held: Rows, way: str, seed: int, arguments: argparse.Namespace, rows: Any
) -> dict[str, Any]:
    """Scores and seconds of one way."""
    how = dict(WAYS[way])
    if how.get("freeze") == "upper":
        how["freeze"] = len(net.stages) - _OPEN
    plan = {"steps": arguments.steps, "batch": arguments.batch, "device": arguments.device}
    tuned = finetune(net, part[0].tolist(), part[1], seed=seed, rows=rows, **plan, **how)
    scores = {name: round(value, 4) for name, value in scores_of(tuned, part, held).items()}
    moving = int(tuned.moved["moving"]["all"])
    return scores | {"moving": moving, "seconds": round(tuned.facts["seconds"], 1), "threads": torch.get_num_threads()}


def key_of(record: dict[str, Any]) -> tuple[Any, ...]:
    """What tells a record from others."""
    return tuple(record[name] for name in ("set", "steps", "batch", "side", "held", "way", "n", "seed"))


def show(records: Sequence[dict[str, Any]]) -> None:
    """A line for each set, way and count: mean, standard deviation, seconds."""
    for name, way, n in dict.fromkeys((r["set"], r["way"], r["n"]) for r in records):
        own = [r for r in records if (r["set"], r["way"], r["n"]) == (name, way, n)]
        values = [100 * r["score"] for r in own]
        spread = np.std(values, ddof=1) if len(values) > 1 else float("nan")
        seconds = np.mean([r["seconds"] for r in own])
        print(
            f"{name:10}{n:4} a class  {way:10}{np.mean(values):6.1f} +- {spread:4.1f}  {seconds:7.1f} s  ({len(own)})"
        )


if __name__ == "__main__":
    main()
