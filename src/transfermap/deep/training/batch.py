"""What passes between the loop and an objective: batches by name, what a net makes of them, terms, turns and stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from torch import Tensor

Terms = dict[str, "Tensor"]


class Batch(NamedTuple):
    """Some rows.

    Attributes
    ----------
    x : tensor of shape (n, ...)
    y : tensor of shape (n,), or None
        Class numbers, or floats; None where the method does not read labels of these rows.
    rows : tensor of int of shape (n,)
        Which rows of their domain they are.
    domain : tensor of int of shape (n,), or None
        The number of each row's domain, where it is known: >= 0 a source, < 0 a target.
    """

    x: Tensor
    y: Tensor | None
    rows: Tensor
    domain: Tensor | None = None


# by name: "source", "target", or what else an objective draws
Batches = Mapping[str, Batch]


class BatchSource(Protocol):
    """What the loop draws one of its named batches from; it owns its order and its random numbers."""

    def next(self) -> Batch:
        """The next batch; its rows are on the run's device."""

    def state(self) -> dict[str, Tensor]:
        """All that is needed to go on from here."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from what :meth:`state` gave."""


class Outputs(NamedTuple):
    """What the net makes of rows: ``f`` (n, k) features, ``z`` (n, C) logits, and further layers by name."""

    f: Tensor
    z: Tensor
    layers: dict[str, Tensor]

    @property
    def p(self) -> Tensor:
        """Class probabilities (n, C)."""
        return self.z.softmax(1)


class Own(NamedTuple):
    """An optimiser of a turn's own, with a state that no other turn touches; ``lr`` None is the run's."""

    name: str = "adam"
    lr: float | None = None


class Turn(NamedTuple):
    """Steps of an optimiser on one loss.

    Attributes
    ----------
    loss : str
        The method of the objective that gives the terms.
    trains : tuple of str, or None
        Which parts it trains; None: all.
    repeat : int
        How many steps are taken.
    fresh : bool
        Whether every one of them is on a new batch; otherwise all are on the batch of the turn before, and the first
        turn of a step draws one.
    optimizer : Own, or None
        None: the one that all such turns share.
    """

    loss: str = "loss"
    trains: tuple[str, ...] | None = None
    repeat: int = 1
    fresh: bool = False
    optimizer: Own | None = None


class Stage(NamedTuple):
    """A ``share`` of the run with its turns; ``begin`` names a method that is called once, when it starts."""

    share: float
    turns: tuple[Turn, ...]
    begin: str = ""
