"""The verdict anew, from what was foreseen without labels and what the labels say.

The rule, in words. A method's gain over source-only has a posterior: the labels' own, drawn towards what was foreseen
as far as that was sure. The method with the largest expected gain is used among those that are better than source-only
with a chance of ``SURE``; one that was not the first before there were labels is one of many that could have looked
good by luck, and must be surer: its chance of being worse is 1 - ``SURE`` over their number (Bonferroni). If there is
none, stay with source-only where no leading candidate has a chance above 1 - ``SURE`` of being better by more than
``POINT``, or where source-only is the best of all with a chance of ``SURE``. Otherwise the labels cannot tell yet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import norm

from transfermap.messages import Note
from transfermap.verdict.encoded import Array

SURE = 0.95
POINT = 0.01
# foreseen gains come with a 90 % interval, and so do those that are told here
LEVEL = 0.90
# differences below this are of rounding
_EQUAL = 1e-12
REACH = float(norm.ppf((1 + LEVEL) / 2))


class Normal(NamedTuple):
    """A normal distribution of a gain."""

    mean: float
    sd: float

    @classmethod
    def of(cls, drawn: Array) -> Normal:
        """The one with the mean and spread of draws."""
        return cls(float(drawn.mean()), float(drawn.std()))


def foreseen(row: Mapping[str, Any]) -> Normal | None:
    """What a line of the leaderboard says was foreseen of the gain; None where it says nothing that can be used."""
    predicted = row.get("foreseen") or {}
    ends = [predicted.get(part) for part in ("gain", "gain_low", "gain_high")]
    if not all(isinstance(x, (int, float)) and math.isfinite(x) for x in ends):
        return None
    gain, low, high = np.array(ends, dtype=float).tolist()
    return Normal(gain, (high - low) / (2 * REACH)) if low < high else None


def combined(drawn: Array, prior: Normal | None) -> Array:
    """Draws of a gain from the labels alone, moved and scaled to the mean and spread that the prior leaves them.

    Both are taken as normal: precisions add. A prior that the labels contradict beyond its 90 % interval was too sure
    of itself; it is widened until they do not.

    Parameters
    ----------
    drawn : ndarray of shape (draws,)
    prior : Normal or None
        None: nothing was foreseen.

    Returns
    -------
    ndarray of shape (draws,)
    """
    mean, sd = Normal.of(drawn)
    if prior is None or sd == 0:
        return drawn
    wide = max(prior.sd**2, ((mean - prior.mean) / REACH) ** 2 - sd**2)
    precision = 1 / sd**2 + 1 / wide
    centre = (mean / sd**2 + prior.mean / wide) / precision
    return np.asarray(centre + (drawn - mean) / (sd * math.sqrt(precision)))


def beliefs(gains: Array) -> tuple[list[dict[str, float]], float]:
    """What joint draws of the gains (draws, methods) say of each method, and of source-only.

    Returns
    -------
    list of dict
        A method's ``gain`` with its 90 % interval ``gain_low`` and ``gain_high``, and chances: ``better`` than
        source-only, ``matters`` (by more than ``POINT``), ``even`` (at most ``POINT`` apart), ``best`` of all.
    float
        The chance that source-only is the best of all. Equals share it.
    """
    field = np.column_stack([np.zeros(len(gains)), gains])
    first = field >= field.max(axis=1, keepdims=True) - _EQUAL
    best = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    low, high = np.quantile(gains, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    columns = {
        "gain": gains.mean(axis=0),
        "gain_low": low,
        "gain_high": high,
        "better": (gains > _EQUAL).mean(axis=0),
        "matters": (gains > POINT).mean(axis=0),
        "even": (np.abs(gains) <= POINT).mean(axis=0),
        "best": best[1:],
    }
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, map(float, row), strict=True)) for row in rows], float(best[0])


def updated(
    rows: Sequence[Mapping[str, Any]], leaders: Sequence[str], base_best: float, left: float = math.inf
) -> dict[str, Any]:
    """The verdict that the posterior supports.

    Parameters
    ----------
    rows : sequence of mapping
        ``method``, ``name`` and ``posterior`` of every method that could be used: what :func:`beliefs` says and
        ``needs``, the labels that are still to come before it is sure.
    leaders : sequence of str
        Those of them that led before there were labels; at least one.
    base_best : float
        The chance that source-only is the best.
    left : float
        Target rows that have no label yet.

    Returns
    -------
    dict
        ``answer`` ("use", "stay", "unknown"), ``method``, ``base_best``, ``more`` (about how many labels are still
        needed; 0 where the answer stands, None where there are not so many rows) and ``notes``.
    """
    sure = [r for r in rows if r["posterior"]["better"] >= _needed(r["method"], leaders, len(rows))]
    leading = [r for r in rows if r["method"] in leaders]
    top = max(sure or leading, key=lambda r: r["posterior"]["gain"])
    found = top["posterior"]
    more: int | None = 0
    if sure:
        answer, why = "use", "verify.now_use"
    elif max(r["posterior"]["matters"] for r in leading) <= 1 - SURE:
        answer, why = "stay", "verify.now_stay"
    elif base_best >= SURE:
        answer, why = "stay", "verify.now_best"
    else:
        more = found["needs"] if found["needs"] <= left else None
        answer, why = "unknown", "verify.now_never" if more is None else "verify.now_open"
    values = {"method": top["name"], "more": more} | {key: found[key] for key in ("gain", "gain_low", "gain_high")}
    chances = {"base": base_best, **{key: found[key] for key in ("better", "matters", "even")}}
    # in words, nothing is surer than 99 %
    values |= {key: min(max(value, 0.01), 0.99) for key, value in chances.items()}
    notes = [Note(why, "info" if answer == "use" else "warn", values)]
    if answer != "stay" and found["even"] >= 1 - 2 * (1 - SURE):
        notes.append(Note("verify.even", "info", values))
    return {
        "answer": answer,
        "method": top["method"] if answer == "use" else "sourceonly",
        "base_best": base_best,
        "more": more,
        "notes": [note.to_dict() for note in notes],
    }


def _needed(key: str, leaders: Sequence[str], methods: int) -> float:
    """The chance that a method needs: the first was named before there were labels, any other is picked from many."""
    many = 1 if key == leaders[0] else len(leaders) if key in leaders else methods
    return 1 - (1 - SURE) / many


def labels_needed(now: Normal, labels: Normal, n: int) -> int:
    """About how many more labels make it sure that a gain is above 0, or that it is at most ``POINT``.

    If the expected gain stays what it is ``now``, whichever of the two is nearer must come to lie as many standard
    deviations away as ``SURE`` asks for; labels add to the precision in proportion to their number.

    Parameters
    ----------
    now : Normal
        The posterior.
    labels : Normal
        The posterior by the labels alone.
    n : int
        Labels so far.

    Returns
    -------
    int
        Rounded to two digits, up.

    Examples
    --------
    >>> labels_needed(Normal(0.05, 0.05), Normal(0.05, 0.05), 100)  # (0.05 * 1.645 / 0.05)^2 = 2.71 times as many
    180
    """
    if labels.sd == 0:
        return 0
    distance = max(now.mean, POINT - now.mean)
    lacking = (float(norm.ppf(SURE)) / distance) ** 2 - 1 / now.sd**2
    more = max(math.ceil(lacking * n * labels.sd**2), 0)
    unit = 10 ** max(len(str(more)) - 2, 0)
    return -(-more // unit) * unit
