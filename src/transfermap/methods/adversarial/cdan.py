"""CDAN: a discriminator that sees features and predictions together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.deep.lazy import torch
from transfermap.deep.learner import DeepLearner
from transfermap.deep.nets.small import code_size, discriminator
from transfermap.deep.training.batch import Batch, Outputs, Terms
from transfermap.deep.training.objective import ramp, reverse
from transfermap.methods.adversarial._shared import sureness, told_apart

if TYPE_CHECKING:
    from torch import Tensor, nn

    from transfermap.deep.training.engine import Engine
    from transfermap.deep.training.objective import InputSpec

LARGEST = 4096  # products up to which all are taken: the paper's limit


@method(
    Card(
        name="Conditional adversarial network",
        year=2018,
        setting="transductive",
        transfers="features",
        tasks=("classification",),
        objective="min_{f,g} max_d  L(g(f(x^s)), y^s) + w lambda_p [ mean v log d(f(x^s) (x) p^s) "
        "+ mean v log(1 - d(f(x^t) (x) p^t)) ],  v = 1 + exp(-H(p)) over its mean in the domain",
        steps=(
            "Train a net on the source, and a discriminator of the two domains that sees the products of features and "
            "class probabilities.",
            "Let rows of which the net is sure count more.",
            "Send the discriminator's gradient into the net with its sign reversed, more and more of it over the run.",
            "Predict the target with the net.",
        ),
        solver="stochastic gradient steps with gradient reversal",
        cost="about four times a step on the source alone; the discriminator sees k C numbers a row, at most 4096",
        assumes=(
            "one rule on common features holds in both domains",
            "the net is right about most target rows of which it is sure",
        ),
        fails_when=(
            "the net is sure and wrong about many target rows: they are aligned with the wrong class",
            "the discriminator wins outright: its gradient says nothing then",
        ),
        reference="Long, Cao, Wang and Jordan, Conditional Adversarial Domain Adaptation, NeurIPS 2018",
        doi="10.48550/arXiv.1705.10667",
        needs=("torch",),
        neutral={"weight": 0.0},
        toy="mean_shift_nuisance",
    )
)
class CDAN(DeepLearner):
    r"""Train features that a discriminator cannot tell apart even where it knows what the net makes of them.

    .. math:: \min_{f,g}\max_d\ \frac{1}{n_s}\sum_i \ell\bigl(g(f(x^s_i)), y^s_i\bigr)
              + w\,\lambda_p\Bigl[\frac{1}{n_s}\sum_i v^s_i\log d(f(x^s_i)\otimes p^s_i)
              + \frac{1}{n_t}\sum_j v^t_j\log(1 - d(f(x^t_j)\otimes p^t_j))\Bigr],\quad
              v = \frac{1 + e^{-H(p)}}{\text{mean}(1 + e^{-H(p)})}

    where p are the net's class probabilities. No gradient runs through the p in the product, nor through the means of
    v, which are of each domain by itself; through H(p) it does, reversed. Of more than 4096 products, ``random_dim``
    random ones stand for all: :math:`(R_f f)\odot(R_p p)/\sqrt{d}`, whose inner products are right in the mean.

    Fails when the net is sure and wrong about many target rows, or when the discriminator wins outright.

    Parameters
    ----------
    weight : float, default=1.0
        Size w of the reversed gradient; 0 is source only.
    entropy : bool, default=True
        Weigh rows by v (the paper's CDAN+E); otherwise all count the same.
    random_dim : int, default=1024
        How many random products d are taken, where all would be more than 4096.
    width : int, default=256
        Of the discriminator's two hidden layers; the paper's for images is 1024.
    rate : float, default=10.0
        How fast :math:`\lambda_p = 2 / (1 + e^{-rate\,p}) - 1` rises over the run.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 2)) + 3 * y[:, None] + np.repeat([[0, 0], [1, -1]], 100, axis=0)
    >>> CDAN().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Long, Cao, Wang and Jordan, Conditional Adversarial Domain Adaptation, NeurIPS 2018, doi:10.48550/arXiv.1705.10667.
    """

    entropy: bool = param(default=True, choices=(True, False))
    random_dim: int = param(default=1024, low=1)
    width: int = param(default=256, low=1)
    rate: float = param(default=10.0, above=0)

    def parts(self, spec: InputSpec) -> dict[str, nn.Module]:
        from transfermap.deep.nets.modules import Memory

        k = code_size(spec.net)
        if k * spec.outputs <= LARGEST:
            return {"discriminator": discriminator(k * spec.outputs, width=self.width)}
        d = self.random_dim
        # of variance one and never trained, so that their inner products are right in the mean
        maps = Memory(features=torch.randn(k, d), classes=torch.randn(spec.outputs, d))
        return {"discriminator": discriminator(d, width=self.width), "maps": maps}

    def terms(self, m: Engine, a: Outputs, b: Outputs, s: Batch, t: Batch, progress: float) -> Terms:
        size, sizes = self.weight * ramp(progress, self.rate), [len(a.f), len(b.f)]
        f, z = (reverse(torch.cat(both), size) for both in ((a.f, b.f), (a.z, b.z)))
        p = z.softmax(1)
        # as in the authors' program: otherwise predictions could hide the domain instead of the features
        d = m["discriminator"](joint(m, f, p.detach())).squeeze(1)
        # each domain by itself, so that the surer one, mostly the source, does not get all of the weight
        weights = [sureness(rows) for rows in p.split_with_sizes(sizes)] if self.entropy else []
        return {"domain": told_apart(m, *d.split_with_sizes(sizes), *weights)}


def joint(m: Engine, f: Tensor, p: Tensor) -> Tensor:
    """All products of features (n, k) and probabilities (n, C), (n, k C); or random ones, where the run has maps."""
    if "maps" not in m.modules:
        return (f[:, :, None] * p[:, None]).flatten(1)
    R, d = m["maps"], m["maps"].features.shape[1]
    return (f @ R.features) * (p @ R.classes) / d**0.5
