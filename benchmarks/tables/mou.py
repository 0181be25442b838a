"""Transfer by layers in text nets, after Mou et al. (EMNLP 2016): films to customers' reviews, and films to questions.

    python benchmarks/tables/mou.py DATA_FOLDER --seeds 0 1 2 3 4 -o mou.jsonl [--plot mou.svg]

Source: the 10,662 sentences of MR. Targets: 200 labelled sentences of CR (the same task; scored on its other 3,575
sentences), and 300 labelled questions of TREC-QC (another task, six classes; scored on its 500 test questions). The
rows, the nets' starts and the batches are drawn by the seed, the same for all choices. E of 50 columns, an LSTM of 64
whose states are averaged, softmax; 3 epochs on the source, 25 on the target, Adam, rate 0.002, for all choices; nothing
is chosen by test rows. SST is left out: its sentences are MR's.

Records are appended; what is there already is not run again. At the end: the table and the bars.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from transfermap.studies.layer_table import answer, summary
from transfermap.studies.layer_transfer import Pair, Recipe, Texts, choices, drawn, layer_transfer
from transfermap.studies.word_nets import glove_there

SOURCE, TASKS = "rt-polarity.all", {"CR": ("custrev.all", 200), "QC": ("TREC.train.all", 300)}


def sentences(path: Path) -> Texts:
    """The sentences of a file of "label text" lines, and their labels."""
    # not splitlines: in Latin-1 it takes further characters for ends of lines
    lines = [line for line in path.read_bytes().decode("latin-1").split("\n") if line.strip()]
    labels, texts = zip(*(line.split(" ", 1) for line in lines), strict=True)
    return Texts(texts, np.array(labels))


def pair(folder: Path, task: str, seed: int) -> Pair:
    """Source, labelled target rows and test rows of one seed."""
    name, labelled = TASKS[task]
    target, rest = drawn(sentences(folder / name), labelled, seed)
    return Pair(sentences(folder / SOURCE), target, sentences(folder / "TREC.test.all") if task == "QC" else rest)


def bars(table: dict[str, Any]) -> list[tuple[str, float, bool]]:
    """What was asked of the table before it was made, in points; ``table``: each task's mean by choice."""
    mean = {task: {name: 100 * value for name, value in rows["mean"].items()} for task, rows in table.items()}
    cr, qc = mean["CR"], mean["QC"]
    found = [
        ("CR: E+H+O trainable above none, at least 1", cr["E+H+O trainable"] - cr["none"], 1.0, np.inf),
        ("QC: E+H frozen above none, at most -15", qc["E+H frozen"] - qc["none"], -np.inf, -15.0),
        ("QC: E+H trainable above none, within 4", qc["E+H trainable"] - qc["none"], -4.0, 4.0),
    ]
    if "none (GloVe)" in cr:
        gains = [cr[f"E trainable{with_}"] - cr[f"none{with_}"] for with_ in ("", " (GloVe)")]
        found.append(("CR: what GloVe takes off E's gain, above 0", gains[0] - gains[1], 0.0, np.inf))
    return [(name, value, bool(low <= value <= high)) for name, value, low, high in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--plot", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("mou.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    done = [json.loads(x) for x in arguments.output.read_text("utf8").splitlines()] if arguments.output.exists() else []
    known = {(r["task"], r["choice"], r["seed"]) for r in done}
    nets: dict[tuple[str, int], dict[bool, Any]] = {}
    # the paper's main rows of all seeds come first
    for plain, seed, task in product((True, False), arguments.seeds, arguments.tasks):
        rows = pair(arguments.data / "sentences", task, seed)
        wanted = [c for c in choices(task == "CR", with_glove=glove_there()) if c.plain == plain]
        left = [c for c in wanted if (task, c.name, seed) not in known]
        for record in layer_transfer(rows, left, Recipe(), seed, nets=nets.setdefault((task, seed), {})):
            done.append({"task": task} | record)
            with arguments.output.open("a", encoding="utf8") as file:
                file.write(json.dumps(done[-1]) + "\n")
            print(task, seed, record["choice"], round(record["accuracy"], 4), record["seconds"], flush=True)
    show([r for r in done if r["seed"] in arguments.seeds and r["task"] in arguments.tasks], arguments.plot)


def show(records: list[dict[str, Any]], plot: Path | None) -> None:
    """The table of each task, what it answers, and the bars."""
    tables = {task: summary([r for r in records if r["task"] == task]) for task in TASKS}
    tables = {task: table for task, table in tables.items() if len(table)}
    for task, table in tables.items():
        print(f"\n{task}\n{(100 * table.drop(columns='seeds')).round(1).to_string()}")
        for note in answer([r for r in records if r["task"] == task]):
            print(f"- {note.say()}")
    if len(tables) == len(TASKS):
        for name, value, met in bars(tables):
            print(f"{name}: {value:+.1f} {'met' if met else 'MISSED'}")
    if plot is not None:
        from transfermap.report.console.layer_study import layer_study_plot
        from transfermap.report.plots.bench_plot import save_figure

        save_figure(layer_study_plot(tables), plot)


if __name__ == "__main__":
    main()
