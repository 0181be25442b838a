"""How far to freeze, and from how many labels on nothing is gained by it: fine-tuning many times, held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from transfermap.deep.nets.freezing import Freeze
from transfermap.deep.pretrained.provider import Backbone
from transfermap.finetuning.finetune import Tuned, finetune, rows_of
from transfermap.measure.scores import accuracy_interval

Array = np.ndarray[Any, np.dtype[Any]]
SCRATCH, PROBE = "scratch", "probe"
_DEPTHS = 7


def scores_of(tuned: Tuned, learnt: tuple[Array, Array], held: tuple[Array, Array]) -> dict[str, float]:
    """Accuracy on held-out rows with its 95 % interval, on the rows learnt from, and the gap between the two."""
    right = int((tuned.predict(held[0].tolist()) == held[1]).sum())
    own = float((tuned.predict(learnt[0].tolist()) == learnt[1]).mean())
    score = accuracy_interval(right, len(held[1]))
    return {"score": score.value, "low": score.low, "high": score.high, "learnt": own, "gap": own - score.value}


def freeze_sweep(
    backbone: Backbone,
    learnt: tuple[Array, Array],
    held: tuple[Array, Array],
    *,
    depths: Sequence[int] | None = None,
    tick: Callable[[str], None] = lambda _: None,
    **how: Any,
) -> pd.DataFrame:
    """Fine-tune once for each number of frozen stages.

    Parameters
    ----------
    backbone : Backbone
    learnt, held : (items, labels)
        Rows to learn from, and rows to be scored on.
    depths : sequence of int, default=None
        How many of the first stages are frozen; None: seven numbers from 0 to all of them.
    tick : callable
        Told what is being done.
    **how
        As for :func:`~transfermap.finetuning.finetune.finetune`.

    Returns
    -------
    DataFrame
        A row a depth: ``frozen``, ``above`` (the last frozen stage), ``moving`` (weights), ``share`` of all weights,
        and the scores and seconds.
    """
    names = backbone.stages
    chosen = (
        np.unique(np.linspace(0, len(names), _DEPTHS).round()).astype(int) if depths is None else np.asarray(depths)
    )
    rows, found = rows_of(backbone, learnt[0].tolist()), []
    for depth in map(int, chosen):
        tick(f"{depth} of {len(names)} stages frozen")
        tuned = finetune(backbone, learnt[0].tolist(), learnt[1], freeze=depth, rows=rows, **how)
        moved: Any = tuned.moved.loc["all"]
        found.append(
            {
                "frozen": depth,
                "above": names[depth - 1] if depth else "",
                "moving": int(moved["moving"]),
                "share": float(moved["share"]),
                **scores_of(tuned, learnt, held),
                "seconds": tuned.facts["seconds"],
            }
        )
    return pd.DataFrame(found)


def learning_curve(
    backbone: Backbone,
    learnt: tuple[Array, Array],
    held: tuple[Array, Array],
    counts: Sequence[int],
    *,
    recipe: str = "full",
    freeze: Freeze = "none",
    repeats: int = 1,
    seed: int = 0,
    tick: Callable[[str], None] = lambda _: None,
    **how: Any,
) -> pd.DataFrame:
    """Random weights, the probe and a recipe on ever more labels a class; smaller draws are parts of larger ones.

    Returns
    -------
    DataFrame
        A row for each number of labels ``n`` a class, ``recipe`` ("scratch", "probe" and the one asked for) and
        ``draw``, with scores and seconds.

    Raises
    ------
    ValueError
        If a class has fewer rows than the smallest draw.
    """
    most = int(np.unique(learnt[1], return_counts=True)[1].min())
    wanted = sorted({int(n) for n in counts if 1 <= n <= most})
    if not wanted:
        raise ValueError(
            f"expected numbers of labels a class from 1 to {most}, which the rarest has; got {list(counts)}"
        )
    ways: dict[str, dict[str, Any]] = {SCRATCH: {"scratch": True}, PROBE: {"recipe": "probe"}}
    ways[recipe] = {"recipe": recipe, "freeze": freeze}
    found = []
    for draw in range(seed, seed + repeats):
        for n in wanted:
            some = first_of_each(learnt[1], n, draw)
            part = (learnt[0][some], learnt[1][some])
            rows = rows_of(backbone, part[0].tolist())
            for name, way in ways.items():
                tick(f"{n} a class: {name}")
                mine = None if name == SCRATCH else rows
                tuned = finetune(backbone, part[0].tolist(), part[1], rows=mine, seed=draw, **(how | way))
                scores = scores_of(tuned, part, held)
                found.append({"n": n, "recipe": name, "draw": draw, **scores, "seconds": tuned.facts["seconds"]})
    return pd.DataFrame(found)


def crossover(curve: pd.DataFrame, recipe: str) -> int | None:
    """The least number of labels a class from which random weights are as good as the recipe; None: not in sight."""
    mean = curve.groupby(["recipe", "n"])["score"].mean()
    behind = mean[recipe] > mean[SCRATCH]
    # from here on, not just once
    late = [n for n in behind.index if not behind.loc[n:].any()]
    return int(late[0]) if late else None


def first_of_each(labels: Array, n: int, seed: int) -> Array:
    """Numbers of the first n rows of each class in an order that the seed gives."""
    order = np.random.default_rng(seed).permutation(len(labels))
    own: Array = np.concatenate([order[labels[order] == c][:n] for c in np.unique(labels)])
    return np.sort(own)
