"""Candidates that are made of the others: they have no fit of their own before the others have theirs."""

from __future__ import annotations

from typing import Any

from transfermap.card import Card, TaskKind, find
from transfermap.verdict.pseudo_labelling import CARD as TAUGHT_CARD
from transfermap.verdict.pseudo_labelling import KEY as TAUGHT
from transfermap.verdict.pseudo_labelling import Taught
from transfermap.verdict.voting import CARD as TOGETHER_CARD
from transfermap.verdict.voting import KEY as TOGETHER
from transfermap.verdict.voting import Together

JOINED: dict[str, tuple[Card, type[Any]]] = {TOGETHER: (TOGETHER_CARD, Together), TAUGHT: (TAUGHT_CARD, Taught)}


def joined_for(kind: TaskKind) -> list[tuple[str, Card, Any]]:
    """Key, card and maker of each that suits a kind of task."""
    return [(key, card, make()) for key, (card, make) in JOINED.items() if kind in card.tasks]


def card_of(key: str) -> Card:
    """The card of a method, or of a candidate that is made of all."""
    return JOINED[key][0] if key in JOINED else find(key).card
