"""The verdict anew, from what was predicted without labels and what the labels say.

The rule, in words. A method's gain over source-only has a posterior: the labels' own, drawn towards what was predicted
as far as that was sure. The method with the largest expected gain is used among those that are better than source-only
with a chance of ``SURE``; one that was not the first before there were labels is one of many that could have looked
good by luck, and must be surer: its chance of being worse is 1 - ``SURE`` over their number (Bonferroni). If there is
none, stay with source-only where no leading candidate has a chance above 1 - ``SURE`` of being better by more than
``POINT``, or where source-only is the best of all with a chance of ``SURE``. Otherwise the labels cannot tell yet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from transfermap.messages import Note
from transfermap.verdict.encoded import Array
from transfermap.verdict.record import Answer, Posterior, PredictedGain, TruthRow, UpdatedVerdict

SURE = 0.95
POINT = 0.01
# predicted gains come with a 90 % interval, and so do those that are told here
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


def prior(predicted: PredictedGain | None) -> Normal | None:
    """What was predicted of the gain without labels; None where that says nothing."""
    if predicted is None or not predicted.gain_low < predicted.gain_high:
        return None
    found = Normal(predicted.gain, (predicted.gain_high - predicted.gain_low) / (2 * REACH))
    return found if all(map(math.isfinite, found)) else None


def combined(drawn: Array, prior: Normal | None) -> Array:
    """Draws of a gain from the labels alone, moved and scaled to the mean and spread that the prior leaves them.

    Both are taken as normal: precisions add. A prior that the labels contradict beyond its 90 % interval was too sure
    of itself; it is widened until they do not.

    Parameters
    ----------
    drawn : ndarray of shape (draws,)
    prior : Normal or None
        None: nothing was predicted.

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
    rows: Sequence[TruthRow], leaders: Sequence[str], base_best: float, left: float = math.inf
) -> UpdatedVerdict:
    """The verdict that the posterior supports.

    Parameters
    ----------
    rows : sequence of TruthRow
        Every method that could be used, with its posterior.
    leaders : sequence of str
        Those of them that led before there were labels; at least one.
    base_best : float
        The chance that source-only is the best.
    left : float
        Target rows that have no label yet.
    """
    found = {row.method: row.posterior for row in rows if row.posterior is not None}
    sure = [key for key, belief in found.items() if belief.better >= _needed(key, leaders, len(rows))]
    leading = [key for key in found if key in leaders]
    top = max(sure or leading, key=lambda key: found[key].gain)
    more: int | None = 0
    answer: Answer
    if sure:
        answer, why = "use", "verify.now_use"
    elif max(found[key].matters for key in leading) <= 1 - SURE:
        answer, why = "stay", "verify.now_stay"
    elif base_best >= SURE:
        answer, why = "stay", "verify.now_best"
    else:
        more = found[top].needs if found[top].needs <= left else None
        answer, why = "unknown", "verify.now_never" if more is None else "verify.now_open"
    name = next(row.name for row in rows if row.method == top)
    notes = _words(answer, why, {"method": name, "more": more}, found[top], base_best)
    return UpdatedVerdict(answer, top if answer == "use" else "sourceonly", base_best, more, notes)


def _words(
    answer: Answer, why: str, values: Mapping[str, object], found: Posterior, base_best: float
) -> tuple[Note, ...]:
    """Why, and whether the two are even; in words, nothing is surer than 99 %."""
    chances = {"base": base_best, "better": found.better, "matters": found.matters, "even": found.even}
    told = {
        **values,
        "gain": found.gain,
        "gain_low": found.gain_low,
        "gain_high": found.gain_high,
        **{key: min(max(value, 0.01), 0.99) for key, value in chances.items()},
    }
    notes = [Note(why, "info" if answer == "use" else "warn", told)]
    if answer != "stay" and found.even >= 1 - 2 * (1 - SURE):
        notes.append(Note("verify.even", "info", told))
    return tuple(notes)


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
