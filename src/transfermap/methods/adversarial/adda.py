"""ADDA: the target gets features of its own, which a discriminator takes for the source's."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from transfermap.card import Card, method, param
from transfermap.deep.lazy import F
from transfermap.deep.learner import DeepLearner
from transfermap.deep.nets.small import code_size, discriminator
from transfermap.deep.training.batch import Batches, Stage, Terms, Turn
from transfermap.deep.training.objective import source_loss
from transfermap.methods.adversarial._shared import told_apart

if TYPE_CHECKING:
    from torch import Tensor, nn

    from transfermap.deep.training.engine import Engine
    from transfermap.deep.training.objective import InputSpec


@method(
    Card(
        name="Adversarial discriminative domain adaptation",
        year=2017,
        setting="transductive",
        transfers="features",
        tasks=("classification",),
        objective="min_{f_s,g}  L(g(f_s(x^s)), y^s);  then, from f_t = f_s:  min_d  -mean log d(f_s(x^s)) "
        "- mean log(1 - d(f_t(x^t))),  min_{f_t}  -w mean log d(f_t(x^t))",
        steps=(
            "Train features and classifier on the source; then hold both still. The target's features start as a copy.",
            "Train a discriminator to tell source features from target features, and the target's features so that "
            "it takes them for the source's.",
            "Predict the target with its own features and the source's classifier.",
        ),
        solver="stochastic gradient steps in two stages, two turns on each batch in the second",
        cost="as the source alone for half of the run, about three times as much for the other half",
        assumes=(
            "the target's rows can be moved onto the source's by small changes of the features",
            "the classes are about equally common in both",
        ),
        fails_when=(
            "nothing ties the target's features to the classes, so classes can be swapped",
            "class shares differ: classes are then aligned with the wrong ones",
        ),
        reference="Tzeng, Hoffman, Saenko and Darrell, Adversarial Discriminative Domain Adaptation, IEEE CVPR 2017",
        doi="10.48550/arXiv.1702.05464",
        needs=("torch",),
        neutral={"weight": 0.0},
        toy="mean_shift_nuisance",
    )
)
class ADDA(DeepLearner):
    r"""Train features for the target that a discriminator takes for the source's, and keep the source's classifier.

    .. math:: \min_{f_s,g}\frac{1}{n_s}\sum_i \ell\bigl(g(f_s(x^s_i)), y^s_i\bigr),\qquad
              \min_d -\frac{1}{2n_s}\sum_i\log d(f_s(x^s_i)) - \frac{1}{2n_t}\sum_j\log(1 - d(f_t(x^t_j))),\qquad
              \min_{f_t} -\frac{w}{n_t}\sum_j\log d(f_t(x^t_j))

    in two stages: half of the run solves the first; then :math:`f_s` and g stand still, :math:`f_t` starts as a copy of
    :math:`f_s`, and the discriminator's and the features' steps take turns on each batch. The labels are inverted, not
    the gradient: so it does not fade where the discriminator is sure.

    Fails when classes can be swapped at no cost to the discriminator's confusion, or when class shares differ.

    Parameters
    ----------
    weight : float, default=1.0
        Size w of the loss that moves the target's features; 0 is source only, in one stage. Under Adam, which takes
        steps of one size, it hardly matters otherwise.
    width : int, default=500
        Of the discriminator's two hidden layers.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 2)) + 3 * y[:, None] + np.repeat([[0, 0], [1, -1]], 100, axis=0)
    >>> ADDA().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Tzeng, Hoffman, Saenko and Darrell, Adversarial Discriminative Domain Adaptation, IEEE CVPR 2017,
    doi:10.48550/arXiv.1702.05464.
    """

    stages: ClassVar[tuple[Stage, ...]] = (
        # half each: the paper trains each stage to its end, a run here has one length
        Stage(0.5, (Turn("learn"),)),
        Stage(0.5, (Turn("tell", trains=("discriminator",)), Turn("fool", trains=("features",))), begin="part_ways"),
    )

    width: int = param(default=500, low=1)

    def parts(self, spec: InputSpec) -> dict[str, nn.Module]:
        from transfermap.deep.nets.modules import Frozen

        against = discriminator(code_size(spec.net), width=self.width)
        # room for the source's features, made here so that checkpoints hold it; it is filled in part_ways
        return {"discriminator": against, "frozen": Frozen(spec.net["features"])}

    def part_ways(self, m: Engine) -> None:
        """Keep the source's features as they are now; the target's go on from there."""
        m["frozen"].body.load_state_dict(m["features"].state_dict())

    def learn(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """First stage: the source alone."""
        s = batches["source"]
        return {"source": source_loss(m.forward(s.x).z, s.y)}

    def tell(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """Second stage: the discriminator on the source's features and the target's."""
        s, t = batches["source"], batches["target"]
        # not detached: what a turn does not train gets no gradient
        ds, dt = self._logits(m, m.forward(s.x, features=m["frozen"]).f), self._logits(m, m.forward(t.x).f)
        return {"domain": told_apart(m, ds, dt)}

    def fool(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """Second stage: the target's features, so that the discriminator calls them source."""
        t = batches["target"]
        # -log d, not log(1 - d) with its sign reversed: that one's gradient fades where the discriminator is sure
        return {"fool": self.weight * F.softplus(-self._logits(m, m.forward(t.x).f)).mean()}

    def _logits(self, m: Engine, f: Tensor) -> Tensor:
        logits: Tensor = m["discriminator"](f)[:, 0]
        return logits
