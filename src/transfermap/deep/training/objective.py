"""What a deep method minimises: hyper-parameters and losses. It holds no tensors, no optimiser, no loop.

What it answers is its role's: see :mod:`transfermap.deep.learner`, :mod:`transfermap.deep.adapter` and
:mod:`transfermap.deep.generator`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from transfermap.deep.lazy import F, require, torch
from transfermap.deep.training.batch import Batches, BatchSource, Stage, Terms, Turn
from transfermap.split import Side

if TYPE_CHECKING:
    from torch import Tensor, nn

    from transfermap.deep.training.batches import Domains
    from transfermap.deep.training.engine import Engine


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """The shape of what a method is fitted to, from which it makes its parts.

    Parameters
    ----------
    shape : tuple of int
        Of one row: ``(d,)`` for a table.
    outputs : int
        Classes, or 1 for a number; 0 where no label is read.
    sources, targets : int
        How many domains there are of each.
    side : Side, optional
        Side information, as the caller gave it; a saved model keeps the attributes, not the pairs.
    net : ModuleDict, optional
        ``features`` and ``head``, where the role trains a net of these two.
    """

    shape: tuple[int, ...]
    outputs: int = 0
    sources: int = 1
    targets: int = 1
    side: Side | None = None
    net: Any = None

    @property
    def columns(self) -> int:
        """Numbers in a row."""
        return math.prod(self.shape)


class Objective:
    """Losses over named batches, the parts that they train, and the stages of the run."""

    stages: ClassVar[tuple[Stage, ...]] = (Stage(1.0, (Turn(),)),)

    def parts(self, spec: InputSpec) -> dict[str, nn.Module]:
        """The modules to be trained, by name; beside a net of ``features`` and ``head`` where the role has one."""
        return {}

    def sources(self, domains: Domains) -> dict[str, BatchSource]:
        """What each named batch is drawn from: a stream of rows of either domain."""
        return {"source": domains.stream("source"), "target": domains.stream("target")}

    def loss(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """The terms whose sum is minimised; ``progress`` runs from 0 to 1 over the run."""
        raise NotImplementedError

    def course(self) -> tuple[Stage, ...]:
        """The stages that the run goes through."""
        return self.stages

    def signature(self) -> str:
        """What must be the same for a checkpoint to be of this method."""
        return repr(self)

    def lr_multiplier(self, name: str) -> float:
        """What multiplies the learning rate of the parameter called ``name``, such as "features.0.weight"."""
        return 1.0

    @classmethod
    def require(cls) -> None:
        """Raise ValueError, with what to install, where PyTorch is missing."""
        require()


def source_loss(z: Tensor, y: Tensor | None, weights: Tensor | None = None) -> Tensor:
    """Mean cross-entropy of logits (n, C) with class numbers, or mean squared error of (n, 1) with floats.

    ``weights`` (n,) of mean one count the rows.
    """
    if y is None:
        raise ValueError("a loss asked for labels of rows that have none; the method's `reads` must name their domain")
    each = (
        F.mse_loss(z[:, 0], y, reduction="none") if y.is_floating_point() else F.cross_entropy(z, y, reduction="none")
    )
    return each.mean() if weights is None else (weights * each).mean()


def ramp(progress: float, rate: float = 10.0) -> float:
    """From 0 to 1 over the run, steep at first: ``2 / (1 + exp(-rate p)) - 1`` (Ganin et al., JMLR 2016)."""
    return 2.0 / (1.0 + math.exp(-rate * progress)) - 1.0


def reverse(x: Tensor, weight: float | Tensor = 1.0) -> Tensor:
    """The same values; backwards, the gradient times ``-weight`` (a number, or one a row as (n, 1))."""
    y = x.view_as(x)
    if y.requires_grad:
        y.register_hook(lambda g: -weight * g)  # type: ignore[no-untyped-call]
    return y


def entropy(p: Tensor) -> Tensor:
    """Of each row of probabilities (n, C), in nats, (n,); its gradient is finite at p = 0 too."""
    return torch.special.entr(p.clamp(min=torch.finfo(p.dtype).tiny)).sum(1)
