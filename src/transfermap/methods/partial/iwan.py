"""IWAN: one discriminator says which source rows look like the target, a second plays against the target's features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from transfermap.card import Card, method, param
from transfermap.deep.lazy import nn, torch
from transfermap.deep.learner import DeepLearner
from transfermap.deep.nets.small import code_size, discriminator
from transfermap.deep.training.batch import Batches, Stage, Terms, Turn
from transfermap.deep.training.objective import entropy, ramp, reverse, source_loss
from transfermap.methods.adversarial._shared import told_apart
from transfermap.methods.partial._shared import blend, likeness, row_memory, row_weights
from transfermap.split import Array, known_columns

if TYPE_CHECKING:
    from torch import Tensor

    from transfermap.deep.training.engine import Engine
    from transfermap.deep.training.objective import InputSpec

LEARN, WEIGH = 0.5, 0.1  # shares of the run; a weigher that knows nothing yet would weigh all rows alike


@method(
    Card(
        name="Importance-weighted adversarial nets",
        year=2018,
        setting="transductive",
        transfers="instances",
        label_sets="partial",
        tasks=("classification",),
        objective="min_{f_t} max_{d_0}  w [ a H(g(f_t(x^t))) + u lambda_p ( mean v(x^s) log d_0(f_s(x^s)) "
        "+ mean log(1 - d_0(f_t(x^t))) ) ],  v = (1 - d(f_s(x^s))) / mean,  f_s and g trained on the source before",
        steps=(
            "Train features and classifier on the source; then hold both still. The target's features start as a copy.",
            "Train a first discriminator to tell the domains apart; a source row counts the more the less it is sure.",
            "Train a second discriminator on the weighted source, and the target's features against it.",
            "Predict the target with its own features and the source's classifier.",
        ),
        solver="stochastic gradient steps in three stages, with gradient reversal",
        cost="about that of the source alone for half of the run, three times as much for the other half",
        assumes=(
            "the target's classes are among the source's",
            "rows of absent classes are easier to tell from the target's than rows of the others",
        ),
        fails_when=(
            "the domains lie so far apart that the first discriminator is sure of all rows: then all count the same",
            "nothing ties the target's features to the classes, so classes can be swapped",
        ),
        reference="Zhang, Ding, Li and Ogunbona, Importance Weighted Adversarial Nets for Partial Domain Adaptation, "
        "IEEE CVPR 2018",
        doi="10.48550/arXiv.1803.09210",
        needs=("torch",),
        neutral={"weight": 0.0},
        toy="partial_labels",
    )
)
class IWAN(DeepLearner):
    r"""Align the target with those source rows that a discriminator cannot tell from target rows.

    .. math:: v(x) = \frac{1 - d(f_s(x))}{\frac{1}{n_s}\sum_i (1 - d(f_s(x^s_i)))},\qquad
              \min_{f_t}\max_{d_0}\ w\Bigl[\frac{\alpha}{n_t}\sum_j H(g(f_t(x^t_j)))
              + u\,\lambda_p\Bigl(\frac{1}{n_s}\sum_i v(x^s_i)\log d_0(f_s(x^s_i))
              + \frac{1}{n_t}\sum_j\log(1 - d_0(f_t(x^t_j)))\Bigr)\Bigr]

    in three stages: half of the run trains :math:`f_s` and g on the source; then both stand still, :math:`f_t` starts
    as a copy of :math:`f_s`, and a tenth of the run trains only the discriminator d, on :math:`f_s(x^s)` and
    :math:`f_t(x^t)`, which get no gradient of it (in the paper d has no such start); in the rest d, :math:`d_0` and
    :math:`f_t` train together. d is held inside [.05, .95], and its mean over the source is a moving average over
    batches. Terms: "source" at first, then "weigher" (of d), "domain" (of :math:`d_0`), "entropy"; the history also has
    the spread of v, and how often each discriminator is right.

    Fails when the first discriminator is sure of all rows, so that all count the same. Nothing keeps the classes in
    place.

    Parameters
    ----------
    weight : float, default=1.0
        Size w of what moves the target's features; 0 is source only, in one stage.
    domain_weight : float, default=0.1
        Size u of the reversed gradient.
    entropy_weight : float, default=0.1
        Size :math:`\alpha` of the target's entropy.
    rowwise : float, default=1.0
        How far the rows' weights go: :math:`1 - r (1 - v)`; at 0 all count the same.
    memory : float, default=0.95
        How much of the weights' mean stays from one batch to the next.
    width : int, default=256
        Of both discriminators' two hidden layers; the paper's for images is 1024.
    rate : float, default=10.0
        How fast :math:`\lambda_p = 2 / (1 + e^{-rate\,p}) - 1` rises over the last stage.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.r_[np.tile([0, 1, 2], 50), np.tile([0, 1], 75)]
    >>> X = rng.normal(size=(300, 2)) + 4 * y[:, None] + np.repeat([[0, 0], [1, -1]], 150, axis=0)
    >>> model = IWAN().fit(X, y, sample_domain=np.repeat([1, -1], 150))
    >>> model.score(X[150:], y[150:]) > 0.9
    True
    >>> v = model.source_weights(X[:150])
    >>> bool(v[y[:150] < 2].mean() > 2 * v[y[:150] == 2].mean())
    True

    References
    ----------
    Zhang, Ding, Li and Ogunbona, Importance Weighted Adversarial Nets for Partial Domain Adaptation, IEEE CVPR 2018,
    doi:10.48550/arXiv.1803.09210.
    """

    stages: ClassVar[tuple[Stage, ...]] = (
        Stage(LEARN, (Turn("learn"),)),
        Stage(WEIGH, (Turn("weigh", ("weigher",)),), begin="part_ways"),
        Stage(1 - LEARN - WEIGH, (Turn("adapt", ("features", "weigher", "discriminator")),)),
    )

    domain_weight: float = param(default=0.1, low=0)
    entropy_weight: float = param(default=0.1, low=0)
    rowwise: float = param(default=1.0, low=0, high=1)
    memory: float = param(default=0.95, low=0, high=0.9999)
    width: int = param(default=256, low=1)
    rate: float = param(default=10.0, above=0)

    def parts(self, spec: InputSpec) -> dict[str, nn.Module]:
        from transfermap.deep.nets.modules import Frozen

        weigher, opponent = (discriminator(code_size(spec.net), width=self.width) for _ in range(2))
        still = Frozen(spec.net["features"])
        return {"still": still, "weigher": weigher, "discriminator": opponent, "rows": row_memory()}

    def part_ways(self, m: Engine) -> None:
        """Keep the source's features as they are now; the target's go on from there."""
        m["still"].body.load_state_dict(m["features"].state_dict())

    def learn(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """The first stage: the source alone."""
        s = batches["source"]
        return {"source": source_loss(m.forward(s.x).z, s.y)}

    def weigh(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """The second: the discriminator that weighs, while the features stand still."""
        s, t = batches["source"], batches["target"]
        with torch.no_grad():
            fs, ft = _still(m, s.x), m.forward(t.x).f
        return {"weigher": self._weighed(m, fs, ft)[0]}

    def adapt(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """The third: both discriminators, and the target's features against the second."""
        s, t = batches["source"], batches["target"]
        fs, b = _still(m, s.x), m.forward(t.x)
        # the features work against the second discriminator only: the first is to keep telling
        weigher, v = self._weighed(m, fs, b.f.detach())
        # from 0 when this stage begins
        risen = ramp((progress - LEARN - WEIGH) / (1 - LEARN - WEIGH), self.rate)
        d = m["discriminator"](torch.cat([fs, reverse(b.f, self.weight * self.domain_weight * risen)]))[:, 0]
        return {
            "weigher": weigher,
            # the paper adds the two means, where told_apart halves their sum
            "domain": 2 * told_apart(m, d[: len(fs)], d[len(fs) :], v),
            "entropy": self.weight * self.entropy_weight * entropy(b.p).mean(),
        }

    def _weighed(self, m: Engine, fs: Tensor, ft: Tensor) -> tuple[Tensor, Tensor]:
        """The weighing discriminator's loss, and what the source rows count by it."""
        d = m["weigher"](torch.cat([fs, ft]))[:, 0]
        ds, dt = d[: len(fs)], d[len(fs) :]
        return 2 * told_apart(m, ds, dt, note="weigher accuracy"), blend(row_weights(m, ds, self.memory), self.rowwise)

    def source_weights(self, X: Any, fitted: Any = None) -> Array:
        """What each of the source rows ``X`` (n, d) counts, (n,) of mean 1; the largest look most like the target.

        ``fitted`` is the DeepClassifier around this objective, if it was not fitted by itself.
        """
        model, trained = (self, self.estimator_) if fitted is None else (fitted, fitted)
        d = trained.outputs(known_columns(model, X), "still", "weigher")
        v = likeness(torch.from_numpy(d)).numpy()[:, 0]
        weights: Array = 1 + self.rowwise * (v / v.mean() - 1) if self.weight else np.ones(len(v))
        return weights


def _still(m: Engine, x: Tensor) -> Tensor:
    """The source's own features (n, k), which nothing moves any more."""
    with torch.no_grad():
        return m.forward(x, features=m["still"]).f
