"""SAN: a discriminator for each class, which counts as much as the target seems to have of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.deep.lazy import F, torch
from transfermap.deep.learner import DeepLearner
from transfermap.deep.nets.small import code_size, discriminator
from transfermap.deep.training.batch import Batch, Outputs, Terms
from transfermap.deep.training.objective import entropy, ramp, reverse
from transfermap.methods.partial._shared import blend, class_memory, target_shares

if TYPE_CHECKING:
    from torch import Tensor, nn

    from transfermap.deep.training.engine import Engine
    from transfermap.deep.training.objective import InputSpec


@method(
    Card(
        name="Selective adversarial networks",
        year=2018,
        setting="transductive",
        transfers="features",
        label_sets="partial",
        tasks=("classification",),
        objective="min_{f,g} max_d  L(g(f(x^s)), y^s) + w [ a H(g(f(x^t))) - lambda_p sum_k pbar_k "
        "mean_{s,t} p_k(x) L_d(d_k(f(x)), domain) ],  pbar = mean_t p(x^t)",
        steps=(
            "Train a net on the source, and for each class a discriminator that tells the domains apart.",
            "Each row counts for a class's discriminator as much as the net takes it for that class; each counts as "
            "much as its class's share of the target.",
            "Send their gradient into the features with its sign reversed; make the target's predictions sure.",
            "Predict the target with the net.",
        ),
        solver="stochastic gradient steps with gradient reversal",
        cost="about three times a step on the source alone; the discriminators share all but their last layer",
        assumes=(
            "the target's classes are among the source's",
            "the source's net is right about most target rows from the start",
        ),
        fails_when=(
            "the shift sends a class's rows to a class that is absent: the entropy then makes the error sure",
            "there are many classes: each discriminator then counts little",
        ),
        reference="Cao, Long, Wang and Jordan, Partial Transfer Learning with Selective Adversarial Networks, "
        "IEEE CVPR 2018",
        doi="10.48550/arXiv.1707.07901",
        needs=("torch",),
        neutral={"weight": 0.0},
        toy="partial_labels",
    )
)
class SAN(DeepLearner):
    r"""Align class by class, by discriminators that count as much as the target has of their classes.

    .. math:: \min_{f,g}\max_{d}\ \frac{1}{n_s}\sum_i \ell\bigl(g(f(x^s_i)), y^s_i\bigr)
              + w\Bigl[\frac{\alpha}{n_t}\sum_j H(p(x^t_j)) - \frac{\lambda_p}{n_s + n_t}\sum_k \bar p_k
              \sum_{x \in s, t} p_k(x)\,\ell_d\bigl(d_k(f(x))\bigr)\Bigr],\qquad
              \bar p_k = \frac{1}{n_t}\sum_j p_k(x^t_j)

    p are the net's probabilities, without gradient where they are weights; :math:`\bar p` is a moving average over
    batches, of target rows alone; :math:`\ell_d` is the cross-entropy of discriminator k with the row's domain. The
    weights stand before the losses; the authors' program multiplies the features instead, which is another method. The
    discriminators are the outputs of one net rather than nets of their own. Terms: "source", "domain", "entropy"; the
    history also has each class's share.

    Fails when the shift sends a class's rows to an absent class, or there are so many classes that each counts little.

    Parameters
    ----------
    weight : float, default=1.0
        Size w of all that is added; 0 is source only.
    domain_weight : float, default=1.0
        Multiplies the reversed gradient alone; 0 leaves the entropy.
    entropy_weight : float, default=0.2
        Size :math:`\alpha` of the target's entropy. The equation has 1, the authors' program 0.1 to 1 (0.2 on
        Office-31); at 1 a net that starts from nothing may call all target rows the same.
    classwise : float, default=1.0
        How far class weights go: :math:`(1 - c)/C + c\,\bar p`; at 0 all discriminators count the same.
    rowwise : float, default=1.0
        How far rows' weights go: :math:`(1 - r)/C + r\,p_k(x)`; at 0 all rows count the same for each discriminator.
    memory : float, default=0.95
        How much of the average stays from one batch to the next: about the last 1 / (1 - memory) batches count.
    width : int, default=256
        Of the discriminators' two hidden layers; the paper's for images is 1024.
    rate : float, default=10.0
        How fast :math:`\lambda_p = 2 / (1 + e^{-rate\,p}) - 1` rises over the run.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.r_[np.tile([0, 1, 2], 50), np.tile([0, 1], 75)]
    >>> X = rng.normal(size=(300, 2)) + 4 * y[:, None] + np.repeat([[0, 0], [1, -1]], 150, axis=0)
    >>> SAN().fit(X, y, sample_domain=np.repeat([1, -1], 150)).score(X[150:], y[150:]) > 0.9
    True

    References
    ----------
    Cao, Long, Wang and Jordan, Partial Transfer Learning with Selective Adversarial Networks, IEEE CVPR 2018,
    doi:10.48550/arXiv.1707.07901.
    """

    domain_weight: float = param(default=1.0, low=0)
    entropy_weight: float = param(default=0.2, low=0)
    classwise: float = param(default=1.0, low=0, high=1)
    rowwise: float = param(default=1.0, low=0, high=1)
    memory: float = param(default=0.95, low=0, high=0.9999)
    width: int = param(default=256, low=1)
    rate: float = param(default=10.0, above=0)

    def parts(self, spec: InputSpec) -> dict[str, nn.Module]:
        against = discriminator(code_size(spec.net), spec.outputs, self.width)
        return {"discriminator": against, "classes": class_memory(spec.outputs)}

    def terms(self, m: Engine, a: Outputs, b: Outputs, s: Batch, t: Batch, progress: float) -> Terms:
        alike = 1 / a.z.shape[1]
        share = blend(target_shares(m, b.z, 1.0, self.memory), self.classwise, alike)
        f = reverse(torch.cat([a.f, b.f]), self.weight * self.domain_weight * ramp(progress, self.rate))
        # weights, not something to learn: otherwise rows escape a discriminator by changing their class
        p = blend(torch.cat([a.p, b.p]).detach(), self.rowwise, alike)
        return {
            "domain": told_apart_by_class(m, m["discriminator"](f), p, share, len(a.f)),
            "entropy": self.weight * self.entropy_weight * entropy(b.p).mean(),
        }


def told_apart_by_class(m: Engine, d: Tensor, p: Tensor, share: Tensor, sources: int) -> Tensor:
    """The loss of C discriminators: logits ``d`` (n, C) of rows, the first ``sources`` the source's, weighted by row,
    class ``p`` (n, C) and by class ``share`` (C,). How often they are right, voting by ``p``, is noted.
    """
    source = (torch.arange(len(d), device=d.device) < sources).to(d.dtype)[:, None].expand_as(d)
    right = ((p * d.sigmoid()).sum(1) > 0.5) == (source[:, 0] > 0.5)
    m.note("discriminator accuracy", (right[:sources].float().mean() + right[sources:].float().mean()) / 2)
    losses = F.binary_cross_entropy_with_logits(d, source, reduction="none")
    # weights before the losses, as printed; multiplied into the features they would change what is told apart
    return (share * p * losses).sum(1).mean()
