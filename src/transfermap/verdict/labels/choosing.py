"""Which target rows not to trust, and which to label: rows, not methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from transfermap.verdict.encoded import Array, Encoded
from transfermap.verdict.record import DoubtfulRow, LabelDesign, ProposedRow, Untrusted

SHOWN = 20
UNSURE = 0.6
PROPOSED = 100
# the candidates that labels are to decide between, and the strata in which none of them differs from source-only or,
# for numbers, by how much they do: each of the three holds a third of all disagreement
LEADING = 3
REST = "rest"
SIZES = ("large", "middle", "slight")


def disagreement(predicted: Mapping[str, Array], kind: str) -> Array:
    """How far the methods differ row by row, (n,): share outside the majority, or their spread over the target's."""
    votes = [predicted[key] for key in sorted(predicted)]
    if kind == "regression":
        table = np.column_stack(votes).astype(float)
        return table.std(axis=1) / max(float(table.std()), np.finfo(float).tiny)
    same = sum((np.column_stack(votes) == v[:, None]).astype(float) for v in votes)
    return 1.0 - same.max(axis=1) / len(votes)


def confidence(model: Any, rows: Encoded) -> Array | None:
    """Probability of each row's predicted class, (n,); None where the model has no probabilities."""
    return model.predict_proba(rows.read_by(model)).max(axis=1) if hasattr(model, "predict_proba") else None


def untrusted(distance: Array, threshold: float, sure: Array | None) -> Untrusted:
    """Rows far from anything seen (value: distance in units of the threshold), then rows the model is unsure of."""
    reach = distance / max(threshold, np.finfo(float).tiny)
    far = np.flatnonzero(reach > 1)
    found = [DoubtfulRow(int(i), "far", float(reach[i])) for i in far[np.argsort(-reach[far], kind="stable")]]
    if sure is not None:
        unsure = np.setdiff1d(np.flatnonzero(sure < UNSURE), far)
        order = unsure[np.argsort(sure[unsure], kind="stable")]
        found += [DoubtfulRow(int(i), "unsure", float(sure[i])) for i in order]
    return Untrusted(len(found), tuple(found[:SHOWN]))


def strata(
    predicted: Mapping[str, Array], leaders: Sequence[str], kind: str, among: Mapping[str, Array] | None = None
) -> Array:
    """To which stratum each row belongs, (n,): who there disagrees with source-only.

    For classes: the first of the leading candidates that predicts another class than source-only; "rest" where none
    does. For numbers: "large", "middle" or "slight" by the summed distance of the leading candidates from source-only,
    cut so that each holds a third of its total; "rest" where it is zero.

    Parameters
    ----------
    predicted : mapping of method key to array of shape (n,)
        Predictions for the rows.
    leaders : sequence of str
        The leading candidates, best first.
    kind : {"classification", "regression"}
    among : mapping of method key to array of shape (N,), default=None
        Predictions for the rows whose thirds are meant; None: the rows themselves.

    Examples
    --------
    >>> predicted = {"sourceonly": np.array(list("aaa")), "coral": np.array(list("aba")), "tca": np.array(list("abb"))}
    >>> strata(predicted, ["coral", "tca"], "classification").tolist()
    ['rest', 'coral', 'tca']
    """
    where = np.full(len(predicted["sourceonly"]), REST, dtype=object)
    if kind == "classification":
        for key in reversed(leaders):
            where[predicted[key] != predicted["sourceonly"]] = key
        return where
    size = _distance(predicted, leaders)
    falling = np.sort(_distance(predicted if among is None else among, leaders))[::-1]
    before = np.cumsum(falling) - falling
    for third, name in reversed(list(enumerate(SIZES, 1))):
        inside = falling[before < falling.sum() * third / len(SIZES)]
        where[(size > 0) & (size >= (inside[-1] if third < len(SIZES) and len(inside) else 0))] = name
    return where


def _distance(predicted: Mapping[str, Array], leaders: Sequence[str]) -> Array:
    """How far the leading candidates together are from source-only, (n,)."""
    base = predicted["sourceonly"].astype(float)
    return sum((np.abs(predicted[key] - base) for key in leaders), np.zeros(len(base)))


def worth_labelling(
    predicted: Mapping[str, Array], leaders: Sequence[str], kind: str, seed: int, most: int = PROPOSED
) -> tuple[tuple[ProposedRow, ...], LabelDesign]:
    """Rows whose labels decide between the leading candidates and source-only, in the order to label them in.

    Only rows on which two methods differ tell which of them is better. Three of four rows are therefore drawn from the
    strata where the leading candidates disagree with source-only (for classes every other row from the first
    candidate's), and one of four from all rows, so that scores can be estimated too. Each is drawn at random within
    its stratum: whoever labels the first 10, 30 or 100 has a stratified sample, from which
    :func:`transfermap.verdict.labels.verify.verify` estimates gains without bias (Neyman, J. Royal Statistical Society
    97, 1934, doi:10.2307/2342192).

    Parameters
    ----------
    predicted : mapping of method key to array of shape (n,)
        Predictions for all target rows.
    leaders : sequence of str
        The leading candidates, best first; may be empty.
    kind : {"classification", "regression"}
    seed : int
    most : int

    Returns
    -------
    tuple of ProposedRow
        ``why`` is "disagree" or "random", ``value`` as :func:`disagreement` has it.
    LabelDesign
        How they were drawn.
    """
    where, differ = strata(predicted, leaders, kind), disagreement(predicted, kind)
    names, counts = np.unique(where.astype(str), return_counts=True)
    drawn = _draw(where, _turns(leaders, kind), np.random.default_rng([seed, 3]))
    chosen = tuple(
        ProposedRow(i, why, float(differ[i]), str(where[i])) for (i, why), _ in zip(drawn, range(most), strict=False)
    )
    sizes = dict(zip(names.tolist(), counts.tolist(), strict=True))
    return chosen, LabelDesign(tuple(leaders), sizes)


def _turns(leaders: Sequence[str], kind: str) -> list[str | None]:
    """From which strata rows are drawn in turn; None: from all."""
    if not leaders:
        return [None]
    if kind == "regression":
        return [*SIZES, None]
    first, *others = leaders
    return [name for other in others or [first] for name in (first, other, first, None)]


def _draw(where: Array, turns: Sequence[str | None], rng: np.random.Generator) -> Iterator[tuple[int, str]]:
    """All rows, each with why it was drawn; a stratum that is used up leaves its turn to the next that is not."""
    left = {name: rng.permutation(np.flatnonzero(where == name)).tolist() for name in dict.fromkeys([*turns, REST])}
    left.pop(None, None)
    for turn in cycle(turns):
        open_ = [name for name in left if left[name]]
        if not open_:
            return
        disagreeing = [name for name in (turn, *left) if name in open_ and name != REST]
        if turn is not None and disagreeing:
            yield left[disagreeing[0]].pop(), "disagree"
        else:
            sizes = np.array([len(left[name]) for name in open_])
            yield left[open_[rng.choice(len(open_), p=sizes / sizes.sum())]].pop(), "random"
