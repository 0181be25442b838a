"""Do scores of frozen features put pretrained nets in the order of what comes of them? Weighted Kendall's tau.

    python benchmarks/tables/rank.py DATA_FOLDER --sets caltech10 amazon MR -o rank.jsonl

Models of a set of images: each backbone at hand, on images of several sizes, and the same nets with random
weights; of a set of sentences: the encoder cut after each of its layers, and with random weights. Scores are taken on
``--count`` labels a class; the truth is the accuracy on rows kept aside of a probe on the same labels and, with
``--steps`` above 0, of LP-FT with the upper stages open. Records (one a set and model) are appended; what is there is
not computed again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import weightedtau

from transfermap.deep.pretrained.backbones import at_hand, backbone
from transfermap.deep.pretrained.provider import Backbone, chain
from transfermap.finetuning.curves import first_of_each, scores_of
from transfermap.finetuning.finetune import at_side, finetune, forgotten
from transfermap.finetuning.ranking import rank_models

sys.path.insert(0, str(Path(__file__).parent))
from finetune import IMAGES, load

SIDES = (224, 128, 96, 64, 40)
SCORES = ("log_me", "h_score", "trans_rate", "neighbours", "probe")


def models(name: str) -> Iterator[Backbone]:
    """The candidates for a data set, each called by what sets it apart."""
    for key in at_hand("images" if name in IMAGES else "text"):
        net = backbone(key)
        for one in (net, forgotten(net)):
            yield from _sizes(one) if name in IMAGES else _depths(one)


def _sizes(net: Backbone) -> Iterator[Backbone]:
    for side in SIDES if "random" not in net.name else SIDES[1:4:2]:
        yield replace(at_side(net, side), name=f"{net.name} @ {side}")


def _depths(net: Backbone) -> Iterator[Backbone]:
    stages = dict(net.net.named_children())
    pool = stages.pop("pool")
    names = list(stages)
    for depth in range(1, len(names) + 1) if "random" not in net.name else (2, len(names)):
        cut = chain(**{k: stages[k] for k in names[:depth]}, pool=pool)
        yield replace(net, name=f"{net.name} to {names[depth - 1]}", net=cut, digest=f"{net.digest}/{depth}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=["caltech10", "amazon", "MR", "QC"])
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--held", type=int, default=300)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path("rank.jsonl"))
    arguments = parser.parse_args()
    done = [json.loads(x) for x in arguments.output.read_text("utf8").splitlines()] if arguments.output.exists() else []
    for name in arguments.sets:
        plan = {"set": name, "count": arguments.count, "steps": arguments.steps, "seed": arguments.seed}
        for net in models(name):
            if any(plan.items() <= record.items() and record["model"] == net.name for record in done):
                continue
            record = plan | {"model": net.name} | one(net, name, arguments)
            with arguments.output.open("a", encoding="utf8") as file:
                file.write(json.dumps(record) + "\n")
            done.append(record)
            print(record, flush=True)
    show(pd.DataFrame(done))


def one(net: Backbone, name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """A model's scores and what comes of it."""
    learnt, held = load(arguments.data, name, arguments.held)
    some = first_of_each(learnt[1], arguments.count, arguments.seed)
    part = (learnt[0][some], learnt[1][some])
    table = rank_models([net], part[0].tolist(), part[1])
    found = {score: round(float(table[score].iloc[0]), 5) for score in SCORES}
    tuned = finetune(net, part[0].tolist(), part[1], recipe="probe", seed=arguments.seed)
    found["probed"] = round(scores_of(tuned, part, held)["score"], 4)
    if arguments.steps:
        upper = max(len(net.stages) - 2, 0)
        plan = {"recipe": "lpft", "freeze": upper, "steps": arguments.steps, "seed": arguments.seed}
        tuned = finetune(net, part[0].tolist(), part[1], **plan)
        found["tuned"] = round(scores_of(tuned, part, held)["score"], 4)
    return found


def show(records: pd.DataFrame) -> None:
    """Weighted tau between each score and each truth, set by set, over the models."""
    for truth in [t for t in ("probed", "tuned") if t in records]:
        for name, own in records.dropna(subset=[truth]).groupby("set"):
            taus = {score: weightedtau(own[score], own[truth]).statistic for score in SCORES}
            shown = "  ".join(f"{score} {tau:5.2f}" for score, tau in taus.items())
            spread = f"{own[truth].min():.2f} to {own[truth].max():.2f}"
            print(f"{name:10} {truth:7} ({spread}, {len(own)} models)  {shown}")
    assert np.isfinite(records["log_me"]).all()


if __name__ == "__main__":
    main()
