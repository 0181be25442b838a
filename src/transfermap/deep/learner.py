"""A deep method that predicts: losses of a net with features and head, and the role of a learner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sklearn.base import is_classifier
from sklearn.linear_model import Ridge
from sklearn.utils import Tags

from transfermap.card import param
from transfermap.deep.estimators import estimator_for
from transfermap.deep.nets.small import NAMES, is_image_net
from transfermap.deep.training.batch import Batch, Batches, Outputs, Stage, Terms
from transfermap.deep.training.objective import Objective, source_loss
from transfermap.roles import Learner
from transfermap.split import Array, Split

if TYPE_CHECKING:
    from transfermap.deep.training.engine import Engine

# stands in the docstring of every deep method, behind its own parameters
_NET = """    net : {{"mlp", "normed", "dense", "lenet", "resnet"}}, default="{}"
        What is trained: "mlp" for tables, whose columns it scales one by one, "normed" the same with batch
        normalisation; "dense" for rows on one scale; the others for rows that are square grey images, "lenet" from
        16 x 16. The name of a backbone for images, such as "efficientnet-lite0": that net, on rows that are paths of
        images, X of shape (n,) or (n, 1).
"""


@dataclass(eq=False, repr=False, kw_only=True)
class DeepLearner(Objective, Learner):
    """A deep method that predicts. Fitted by itself it trains the net ``net`` at default settings.

    :class:`~transfermap.deep.estimators.DeepClassifier` and ``DeepRegressor`` give it nets of yours and other settings.
    A method writes :meth:`terms`, which gets the features and logits of both domains; one that takes several steps in
    turn (MCD, ADDA) writes losses of its own and names them in ``stages``.

    ``weight`` is the size of what the method adds to the loss of source rows; at 0 no target row is looked at, and the
    result equals that of the method ``erm`` to the last bit.
    """

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

    def watched(self) -> Sequence[str]:
        """Names of layers whose outputs :meth:`terms` needs beside features and logits, such as "features.1"."""
        return ()

    def course(self) -> tuple[Stage, ...]:
        """The stages; at weight 0 a method of many stages is source-only like any other."""
        return self.stages if self.weight else Objective.stages

    def loss(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """The source's loss and the method's terms."""
        s, t = batches["source"], batches["target"]
        if not self.weight:
            return {"source": source_loss(m.forward(s.x).z, s.y)}
        a, b = m.forward_both(s.x, t.x, self.watched())
        return {"source": source_loss(a.z, s.y)} | self.terms(m, a, b, s, t, progress)

    def terms(self, m: Engine, a: Outputs, b: Outputs, s: Batch, t: Batch, progress: float) -> Terms:
        """What the method adds, weighted; ``a`` and ``b`` are what the net makes of the two domains' batches."""
        return {}

    def after_fit(self, estimator: Any, target: Any) -> None:
        """What the method does with an estimator's trained net, and with the target's rows; mostly nothing."""

    def _teach(self, rows: Split, estimator: Any = None) -> Self:
        self._numbers = estimator is not None and not is_classifier(estimator)
        return super()._teach(rows, estimator)

    def _taught(self) -> Any:
        """What stands for the net's kind: it predicts classes, unless the caller's estimator predicts numbers."""
        return Ridge() if getattr(self, "_numbers", False) else super()._taught()

    def _fit(self, rows: Split) -> None:
        self.require()
        self.estimator_ = estimator_for(self)._train(rows)

    @property
    def history_(self) -> list[dict[str, float]]:
        """The terms of the loss, and what else was noted, over the run's steps."""
        history: list[dict[str, float]] = self.estimator_.history_
        return history

    def features(self, X: Any) -> Array:
        """The features that the net makes of rows (n, d); (n, k)."""
        F: Array = self.estimator_.features(X)
        return F

    def _scores(self, X: Array) -> Array:
        scores: Array = self.estimator_._scores(X)
        return scores
