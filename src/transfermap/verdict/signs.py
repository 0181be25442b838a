"""What can be said of a net that was adapted without the source: signs, from the target's rows alone.

With no labelled row there is nothing to weigh, to reverse or to hold out. How much of the predictions changed, how
clear and varied they are, and which classes they use is all that is known; a net that drifts to the wrong classes may
look well in each of them. So the answer is "can't tell", unless the adapted nets predict as the net did.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import entr
from sklearn.base import clone

from transfermap.card import Card, cards, find
from transfermap.measure.validators.label_free import infomax
from transfermap.messages import Note
from transfermap.verdict.encoded import Array
from transfermap.verdict.final_verdict import unmeasured
from transfermap.verdict.record import Assumption, Evidence, FinalVerdict, Row

FAMILY = "source_free"
BASE = "sourceonly"
# share of changed predictions below which there is nothing to choose between; rows below which statistics are chance
SAME, FEW = 0.01, 100
# a class that at least one row in a hundred had, and less than a tenth of them still has, is lost
RARE, LEFT = 0.01, 0.1


@dataclass
class Tried:
    """A method on the net of a run: the adapted model with its class probabilities (n, C), or why there is none."""

    card: Card
    model: Any = None
    P: Array | None = None
    seconds: float = 0.0
    fault: str = ""


def methods_for(method: str | Sequence[str]) -> list[str]:
    """Keys of the methods to be tried; "auto": all that need no source.

    Raises
    ------
    ValueError
        If one of them is not known, or needs the source.
    """
    known = [card.key for card in cards() if card.family == FAMILY]
    wanted = [method] if isinstance(method, str) else list(method)
    chosen = known if "auto" in wanted else [find(key).card.key for key in wanted]
    for key in chosen:
        if key not in known:
            raise ValueError(f"{find(key).card.name} ({key}) needs the source's rows; without: {', '.join(known)}")
    return list(dict.fromkeys(chosen))


def net_of(model: Any, name: str) -> Any:
    """The deep method with its trained net that a run's model consists of.

    Raises
    ------
    ValueError
        If the model is no net, or predicts numbers.
    """
    from transfermap.deep.learner import DeepLearner

    method: Any = getattr(model, "adapter_", None)
    if not isinstance(method, DeepLearner):
        raise ValueError(
            f"the run predicts by {name}, which is no net, and only nets are adapted without the source; "
            "make a run whose model is one, such as: transfermap adapt SOURCE TARGET --method erm"
        )
    if not hasattr(method.estimator_, "classes_"):
        raise ValueError("the run predicts numbers; methods that adapt without the source need classes")
    return method


def adapted_model(model: Any, key: str, Z: Array, seed: int) -> Any:
    """A run's model with its net adapted to rows Z, as the net reads them; the model itself stays as it is."""
    from transfermap.deep.source_free import adapted

    old = model.adapter_
    method = find(key)(net=old.net)
    after = adapted(old.estimator_, method, Z, seed)
    learner = clone(method)
    vars(learner).update({k: v for k, v in vars(old).items() if k not in old.get_params()})
    learner.estimator_ = after
    new = copy.copy(model)
    new.adapter, new.adapter_, new.estimator_ = method, learner, learner
    return new


def line(tried: Tried, P: Array, classes: Sequence[str]) -> Row:
    """A method's row on the leaderboard; P (n, C) are the probabilities of the net as it was."""
    card, seconds = tried.card, round(tried.seconds, 3)
    if tried.P is None:
        fault = Note("verdict.failed", "warn", {"method": card.name, "fault": tried.fault})
        return Row(card.key, card.name, "candidate", "failed", seconds, fault)
    row = _measured(Row(card.key, card.name, "candidate", "ok", seconds), tried.P, P, classes)
    score = row.evidence["infomax"]
    gain = replace(score, gain=score.value - infomax(P, normalised=True))
    return replace(row, evidence={"infomax": gain}, supported=False, risk=True)


def base_line(name: str, P: Array, classes: Sequence[str]) -> Row:
    """The row of the net as it was."""
    return _measured(Row(BASE, name, "baseline", "ok"), P, P, classes)


def _measured(row: Row, P: Array, before: Array, classes: Sequence[str]) -> Row:
    """With what class probabilities (n, C) say, beside those of the net as it was."""
    shares, part = class_shares(P), 1 / P.shape[1]
    lost = [c for c, had, has in zip(classes, class_shares(before), shares, strict=True) if _lost(had, has, part)]
    return replace(
        row,
        evidence={"infomax": Evidence(infomax(P, normalised=True))},
        changed=changed(before, P),
        classes_in_use=in_use(P),
        shares=dict(zip(classes, shares.tolist(), strict=True)),
        dropped=tuple(lost),
    )


def changed(before: Array, after: Array) -> float:
    """Share of rows that are given another class."""
    return float(np.mean(before.argmax(axis=1) != after.argmax(axis=1)))


def in_use(P: Array) -> float:
    """The effective number of classes: exp of the entropy of the mean probabilities, 1 to C."""
    return float(np.exp(entr(P.mean(axis=0)).sum()))


def class_shares(P: Array) -> Array:
    """Share of rows that are given each class, (C,)."""
    shares: Array = np.bincount(P.argmax(axis=1), minlength=P.shape[1]) / len(P)
    return shares


def _lost(had: float, has: float, part: float) -> bool:
    """Whether a class is all but gone; one that had more than its part of the rows need not keep a tenth of them."""
    return had >= RARE and has < LEFT * min(had, part)


def verdict(board: Sequence[Row], tried: Sequence[Tried], named: bool, rows: int, classes: int) -> FinalVerdict:
    """The answer and its reasons, in the order of their weight.

    Parameters
    ----------
    board : sequence of Row
        The leaderboard: the net as it was, then the methods.
    tried : sequence of Tried
        The methods, in that order.
    named : bool
        Whether somebody asked for the one method that was tried: then its predictions are handed out.
    rows, classes : int
        How many target rows and classes there are.
    """
    base, *others = board
    fine = [row for row in others if row.status == "ok"]
    most = max((row.changed or 0.0 for row in fine), default=0.0)
    same = bool(fine) and most < SAME
    reasons = [Note("source_free.same", "info", {"share": most}) if same else Note("source_free.nothing", "warn")]
    reasons += [note for row in fine for note in _signs(row, base, classes)]
    reasons += [note for one in tried for note in _stopped(one)]
    if rows < FEW and fine:
        reasons.append(Note("source_free.few", "warn", {"rows": rows}))
    model = fine[0].method if named and fine else BASE
    if named and not same:
        reasons.append(Note("verdict.named", "warn", {"method": fine[0].name}))
    return FinalVerdict("stay" if same else "unknown", BASE, base.name, model, tuple(reasons), not same)


def _signs(row: Row, base: Row, classes: int) -> list[Note]:
    values = {
        "method": row.name,
        "changed": row.changed,
        "before": base.evidence["infomax"].value,
        "after": row.evidence["infomax"].value,
        "used": base.classes_in_use,
        "uses": row.classes_in_use,
        "classes": classes,
    }
    signs = [Note("source_free.signs", "info", values)]
    if row.dropped:
        signs.append(Note("source_free.lost", "warn", {"method": row.name, "lost": list(row.dropped)}))
    return signs


def _stopped(tried: Tried) -> list[Note]:
    """Whether the guard ended the run before its time."""
    if tried.model is None:
        return []
    method = tried.model.adapter_.estimator_.objective_
    kept = getattr(method, "stopped_", None)
    if kept is None:
        return []
    return [Note("source_free.stopped", "warn", {"method": tried.card.name, "kept": kept, "of": method.epochs})]


def assumptions(label: str, tried: Sequence[Tried]) -> tuple[Assumption, ...]:
    """What the predictions rest on, and nothing here can show."""
    return unmeasured(label, dict.fromkeys(claim for one in tried if one.P is not None for claim in one.card.assumes))
