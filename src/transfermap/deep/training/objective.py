"""What a deep method is: hyper-parameters and losses. It holds no tensors, no optimiser, no loop.

A method writes :meth:`Objective.terms`, which sees the features and logits of both domains; one that needs several
steps in turn (MCD, ADDA) writes its own losses and names them in ``stages``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from sklearn.base import is_classifier
from sklearn.linear_model import Ridge
from sklearn.utils import Tags

from transfermap.card import param
from transfermap.deep.lazy import F, require, torch
from transfermap.deep.nets.small import NAMES, is_image_net
from transfermap.roles import Learner
from transfermap.split import Array, Split

if TYPE_CHECKING:
    from torch import Tensor, nn

    from transfermap.deep.training.engine import Engine

Terms = dict[str, "Tensor"]
# stands in the docstring of every deep method, behind its own parameters
_NET = """    net : {{"mlp", "normed", "dense", "lenet", "resnet"}}, default="{}"
        What is trained: "mlp" for tables, whose columns it scales one by one, "normed" the same with batch
        normalisation; "dense" for rows on one scale; the others for rows that are square grey images, "lenet" from
        16 x 16. The name of a backbone for images, such as "efficientnet-lite0": that net, on rows that are paths of
        images, X of shape (n,) or (n, 1).
"""


class Batch(NamedTuple):
    """Some rows ``x``; for the source their labels ``y`` (class numbers, or floats); and which rows of their domain."""

    x: Tensor
    y: Tensor | None
    rows: Tensor


class Outputs(NamedTuple):
    """What the net makes of rows: ``f`` (n, k) features, ``z`` (n, C) logits, and further layers by name."""

    f: Tensor
    z: Tensor
    layers: dict[str, Tensor]

    @property
    def p(self) -> Tensor:
        """Class probabilities (n, C)."""
        return self.z.softmax(1)


class Turn(NamedTuple):
    """One step of the optimiser: the method that gives its loss, and which parts it trains (None: all)."""

    loss: str = "loss"
    trains: tuple[str, ...] | None = None
    repeat: int = 1


class Stage(NamedTuple):
    """A ``share`` of the run with its turns; ``begin`` names a method that is called once, when it starts."""

    share: float
    turns: tuple[Turn, ...]
    begin: str = ""


@dataclass(eq=False, repr=False, kw_only=True)
class Objective(Learner):
    """A deep method. Fitted by itself it trains the net ``net``; a shell gives it nets of yours and other settings.

    ``weight`` is the size of what the method adds to the loss of source rows; at 0 no target row is looked at, and the
    result equals that of the method ``erm`` to the last bit.
    """

    stages: ClassVar[tuple[Stage, ...]] = (Stage(1.0, (Turn(),)),)

    weight: float = param(default=1.0, low=0)
    net: str = param(default="mlp", choices=NAMES)

    def __init_subclass__(cls, **more: Any) -> None:
        """Every method says what ``net`` is, though it is written once."""
        super().__init_subclass__(**more)
        own, examples, rest = (cls.__doc__ or "").partition("\n    Examples\n")
        usual = getattr(cls.net, "default", cls.net)
        cls.__doc__ = f"{own.rstrip()}\n{_NET.format(usual)}{examples}{rest}" if examples else cls.__doc__

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = is_image_net(self.net)
        return tags

    def parts(self, net: nn.ModuleDict, outputs: int) -> dict[str, nn.Module]:
        """Further modules to be trained, made for a net with ``features`` and ``head`` and a number of outputs."""
        return {}

    def watched(self) -> Sequence[str]:
        """Names of layers whose outputs :meth:`terms` needs beside features and logits, such as "features.1"."""
        return ()

    def lr_multiplier(self, name: str) -> float:
        """The rate of the parameter called ``name``, such as "features.0.weight", as a part of the others'."""
        return 1.0

    def loss(self, m: Engine, s: Batch, t: Batch, progress: float) -> Terms:
        """The terms whose sum is minimised; ``progress`` runs from 0 to 1 over the run."""
        if not self.weight:
            return {"source": source_loss(m.forward(s.x).z, s.y)}
        a, b = m.forward_both(s.x, t.x, self.watched())
        return {"source": source_loss(a.z, s.y)} | self.terms(m, a, b, s, t, progress)

    def terms(self, m: Engine, a: Outputs, b: Outputs, s: Batch, t: Batch, progress: float) -> Terms:
        """What the method adds, weighted; ``a`` and ``b`` are what the net makes of the two domains' batches."""
        return {}

    def after_fit(self, shell: Any, target: Any) -> None:
        """What the method does with a shell's net once it is trained, and with the target's rows; mostly nothing."""

    def _teach(self, rows: Split, estimator: Any = None) -> Self:
        self._numbers = estimator is not None and not is_classifier(estimator)
        return super()._teach(rows, estimator)

    def _taught(self) -> Any:
        """What stands for the net's kind: it predicts classes, unless the caller's estimator predicts numbers."""
        return Ridge() if getattr(self, "_numbers", False) else super()._taught()

    @classmethod
    def require(cls) -> None:
        require()

    def _fit(self, rows: Split) -> None:
        self.require()
        from transfermap.deep.estimators import shell

        self.shell_ = shell(self, rows.ys)._train(rows)

    @property
    def history_(self) -> list[dict[str, float]]:
        """The terms of the loss, and what else was noted, over the run's steps."""
        history: list[dict[str, float]] = self.shell_.history_
        return history

    def features(self, X: Any) -> Array:
        """The features that the net makes of rows (n, d); (n, k)."""
        F: Array = self.shell_.features(X)
        return F

    def _scores(self, X: Array) -> Array:
        scores: Array = self.shell_._scores(X)
        return scores


def source_loss(z: Tensor, y: Tensor | None, weights: Tensor | None = None) -> Tensor:
    """Mean cross-entropy of logits (n, C) with class numbers, or mean squared error of (n, 1) with floats.

    ``weights`` (n,) of mean one count the rows.
    """
    assert y is not None
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
