"""PADA: source classes that the target seems to lack count less, for the classifier and for the discriminator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.deep.lazy import torch
from transfermap.deep.learner import DeepLearner
from transfermap.deep.nets.small import code_size, discriminator
from transfermap.deep.training.batch import Batch, Outputs, Terms
from transfermap.deep.training.objective import ramp, reverse, source_loss
from transfermap.methods.adversarial._shared import told_apart
from transfermap.methods.partial._shared import blend, class_memory, target_shares

if TYPE_CHECKING:
    from torch import nn

    from transfermap.deep.training.engine import Engine
    from transfermap.deep.training.objective import InputSpec


@method(
    Card(
        name="Partial adversarial domain adaptation",
        year=2018,
        setting="transductive",
        transfers="features",
        label_sets="partial",
        tasks=("classification",),
        objective="min_{f,g} max_d  mean gamma_{y^s} L(g(f(x^s)), y^s) + w lambda_p [ mean gamma_{y^s} log d(f(x^s)) "
        "+ mean log(1 - d(f(x^t))) ],  gamma = mean_t softmax(g(f(x^t))) / max",
        steps=(
            "Take the mean class probabilities of the target; divide by the largest.",
            "Weigh each source row by its class's, in the classifier's loss and in the discriminator's.",
            "Send its gradient into the features with its sign reversed, more and more of it over the run.",
            "Predict the target with the net.",
        ),
        solver="stochastic gradient steps with gradient reversal",
        cost="about three times a step on the source alone",
        assumes=(
            "the target's classes are among the source's",
            "the source's net is right about most target rows from the start",
        ),
        fails_when=(
            "the shift sends a class's rows to a class that is absent: the wrong classes then count",
            "one target class is rare: it counts as little as an absent one",
            "the discriminator moves the features faster than the classifier holds them: a class that the rows left "
            "counts little, and is then left the more",
        ),
        reference="Cao, Ma, Long and Wang, Partial Adversarial Domain Adaptation, ECCV 2018",
        doi="10.48550/arXiv.1808.04205",
        needs=("torch",),
        neutral={"weight": 0.0},
        toy="partial_labels",
    )
)
class PADA(DeepLearner):
    r"""Align the target with those source classes that it seems to have, and learn those best.

    .. math:: \min_{f,g}\max_d\ \frac{1}{n_s}\sum_i \gamma_{y_i}\,\ell\bigl(g(f(x^s_i)), y^s_i\bigr)
              + w\lambda_p\Bigl[\frac{1}{n_s}\sum_i \gamma_{y_i}\log d(f(x^s_i))
              + \frac{1}{n_t}\sum_j \log(1 - d(f(x^t_j)))\Bigr],\qquad
              \gamma = \frac{\bar p}{\max_k \bar p_k},\quad \bar p = \frac{1}{n_t}\sum_j \mathrm{softmax}(z^t_j / T)

    with :math:`\bar p` a moving average over batches (the paper computes it anew every 500 steps). In the domain loss
    each domain's mean counts one half. Terms: "source", "domain"; the history also has each class's share.

    Fails when the shift sends a class's rows to an absent class, or a class of the target is rare; and where the
    discriminator moves the features fast, as in a net of several layers that starts from nothing at a high rate: a
    class that target rows have left counts little, and is then left the more. The shares in the history then jump.

    Parameters
    ----------
    weight : float, default=1.0
        Size w of the reversed gradient; 0 is source only, without class weights too.
    domain_weight : float, default=1.0
        Multiplies the reversed gradient alone; at 0 only the classifier is weighted by classes.
    classwise : float, default=1.0
        How far class weights go in the classifier's loss: :math:`1 - c (1 - \gamma)`; at 0 all classes count the same.
    discriminator_classwise : float, default=1.0
        The same in the discriminator's; with both at 0 it is ``dann``.
    temperature : float, default=1.0
        T; below 1 the probabilities are sharpened before they are averaged (the authors' program: 0.1).
    memory : float, default=0.95
        How much of the average stays from one batch to the next: about the last 1 / (1 - memory) batches count.
    width : int, default=256
        Of the discriminator's two hidden layers; the paper's for images is 1024.
    rate : float, default=10.0
        How fast :math:`\lambda_p = 2 / (1 + e^{-rate\,p}) - 1` rises over the run.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.r_[np.tile([0, 1, 2], 50), np.tile([0, 1], 75)]
    >>> X = rng.normal(size=(300, 2)) + 4 * y[:, None] + np.repeat([[0, 0], [1, -1]], 150, axis=0)
    >>> model = PADA().fit(X, y, sample_domain=np.repeat([1, -1], 150))
    >>> model.score(X[150:], y[150:]) > 0.9
    True
    >>> model.estimator_.modules_["classes"].share.numpy().round(1).tolist()
    [0.5, 0.5, 0.0]

    References
    ----------
    Cao, Ma, Long and Wang, Partial Adversarial Domain Adaptation, ECCV 2018, doi:10.48550/arXiv.1808.04205.
    """

    domain_weight: float = param(default=1.0, low=0)
    classwise: float = param(default=1.0, low=0, high=1)
    discriminator_classwise: float = param(default=1.0, low=0, high=1)
    temperature: float = param(default=1.0, above=0)
    memory: float = param(default=0.95, low=0, high=0.9999)
    width: int = param(default=256, low=1)
    rate: float = param(default=10.0, above=0)

    def parts(self, spec: InputSpec) -> dict[str, nn.Module]:
        against = discriminator(code_size(spec.net), width=self.width)
        return {"discriminator": against, "classes": class_memory(spec.outputs)}

    def terms(self, m: Engine, a: Outputs, b: Outputs, s: Batch, t: Batch, progress: float) -> Terms:
        share = target_shares(m, b.z, self.temperature, self.memory)
        # by the largest, as printed; the release divides by the mean, and some rows count several times
        gamma = (share / share.max())[s.y]
        f = reverse(torch.cat([a.f, b.f]), self.weight * self.domain_weight * ramp(progress, self.rate))
        d = m["discriminator"](f)[:, 0]
        return {
            "source": source_loss(a.z, s.y, blend(gamma, self.classwise)),
            # target rows count in full: which class they are of is what nobody knows
            "domain": told_apart(m, d[: len(a.f)], d[len(a.f) :], blend(gamma, self.discriminator_classwise)),
        }
