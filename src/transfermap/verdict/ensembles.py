"""Candidates that are made of the others: they have no fit of their own before the others have theirs."""

from __future__ import annotations

from typing import Any

from transfermap.card import Card, TaskKind, find
from transfermap.verdict.pseudo_labelling import CARD as PSEUDO_LABELLING_CARD
from transfermap.verdict.pseudo_labelling import KEY as PSEUDO_LABELLING
from transfermap.verdict.pseudo_labelling import PseudoLabelling
from transfermap.verdict.voting import CARD as VOTING_CARD
from transfermap.verdict.voting import KEY as VOTING
from transfermap.verdict.voting import SoftVoting

ENSEMBLES: dict[str, tuple[Card, type[Any]]] = {
    VOTING: (VOTING_CARD, SoftVoting),
    PSEUDO_LABELLING: (PSEUDO_LABELLING_CARD, PseudoLabelling),
}


def ensembles_for(kind: TaskKind) -> list[tuple[str, Card, Any]]:
    """Key, card and maker of each that suits a kind of task."""
    return [(key, card, make()) for key, (card, make) in ENSEMBLES.items() if kind in card.tasks]


def card_of(key: str) -> Card:
    """The card of a method, or of a candidate that is made of all."""
    return ENSEMBLES[key][0] if key in ENSEMBLES else find(key).card
