"""The table of a study of layers over its seeds, and what it answers (:mod:`transfermap.studies.layer_transfer`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from transfermap.measure.scores import mean_interval
from transfermap.messages import Note
from transfermap.studies.layer_transfer import WITH_GLOVE, Choice


def summary(records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A row a choice, over the seeds.

    Returns
    -------
    DataFrame
        ``mean`` accuracy with its 95 % interval ``low`` to ``high``; ``gain`` over nothing carried over (from the same
        word vectors), paired by seed, with its interval ``gain_low`` to ``gain_high``; and how many ``seeds``.
    """
    scores = _scores(records)
    rows = {}
    for name in dict.fromkeys(r["choice"] for r in records):
        without = Choice(glove=name.endswith(WITH_GLOVE)).name
        pairs = [(scores[name, s], scores[without, s]) for c, s in scores if c == name and (without, s) in scores]
        mean = mean_interval([value for (c, _), value in scores.items() if c == name])
        gain = mean_interval([ours - theirs for ours, theirs in pairs]) if pairs else (np.nan,) * 3
        rows[name] = [*mean, *gain, sum(c == name for c, _ in scores)]
    columns = ["mean", "low", "high", "gain", "gain_low", "gain_high", "seeds"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def answer(records: Sequence[dict[str, Any]]) -> list[Note]:
    """Whether transferring and fine-tuning wins: all that can be transferred, trainable, against none and frozen.

    It wins where both gains, paired by seed, lie above 0 with their 95 % intervals; it loses where one lies below. The
    row with the highest mean is named too, and that it was picked afterwards.
    """
    scores = _scores(records)
    names = {c for c, _ in scores}
    most = "E+H+O" if "E+H+O trainable" in names else "E+H"
    gains = {}
    for against in ("none", f"{most} frozen"):
        pairs = [(scores[f"{most} trainable", s], scores[c, s]) for c, s in scores if c == against]
        if not pairs:
            return []
        gains[against] = mean_interval([100 * (ours - theirs) for ours, theirs in pairs])
    over, lock = gains.values()
    predicted = "wins" if min(over.low, lock.low) > 0 else "loses" if min(over.high, lock.high) < 0 else "unclear"
    values = {"layers": most, "seeds": len({s for _, s in scores})}
    values |= {f"over_{key}": f"{value:+z.1f}" for key, value in zip(("mean", "low", "high"), over, strict=True)}
    values |= {f"lock_{key}": f"{value:+z.1f}" for key, value in zip(("mean", "low", "high"), lock, strict=True)}
    table = summary(records)["mean"]
    first = {"choice": table.idxmax(), "mean": f"{table.max():.1%}", "count": len(table)}
    return [Note(f"layers.{predicted}", "info", values), Note("layers.highest", "info", first)]


def _scores(records: Sequence[dict[str, Any]]) -> dict[tuple[str, int], float]:
    return {(r["choice"], r["seed"]): r["accuracy"] for r in records}
