"""DANN: features that a discriminator cannot tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.deep.lazy import torch
from transfermap.deep.learner import DeepLearner
from transfermap.deep.nets.small import code_size, discriminator
from transfermap.deep.training.batch import Batch, Outputs, Terms
from transfermap.deep.training.objective import ramp, reverse
from transfermap.methods.adversarial._shared import told_apart

if TYPE_CHECKING:
    from torch import nn

    from transfermap.deep.training.engine import Engine
    from transfermap.deep.training.objective import InputSpec


@method(
    Card(
        name="Domain-adversarial neural network",
        year=2016,
        setting="transductive",
        transfers="features",
        objective="min_{f,g} max_d  L(g(f(x^s)), y^s) - w lambda_p [ -mean log d(f(x^s)) - mean log(1 - d(f(x^t))) ]",
        steps=(
            "Train a net on the source, and a discriminator that tells the two domains apart by the net's features.",
            "Send its gradient into the features with its sign reversed, more and more of it over the run.",
            "Predict the target with the net.",
        ),
        solver="stochastic gradient steps with gradient reversal",
        cost="about three times a step on the source alone",
        assumes=(
            "one rule on common features holds in both domains",
            "the classes are about equally common in both",
        ),
        fails_when=(
            "class shares differ: classes are then aligned with the wrong ones",
            "the discriminator wins outright: its gradient says nothing then",
        ),
        reference="Ganin, Ustinova, Ajakan, Germain, Larochelle, Laviolette, Marchand and Lempitsky, "
        "Domain-Adversarial Training of Neural Networks, JMLR 17, 2016",
        doi="https://jmlr.org/papers/v17/15-239.html",
        needs=("torch",),
        by_default=True,
        neutral={"weight": 0.0},
        toy="mean_shift_nuisance",
    )
)
class DANN(DeepLearner):
    r"""Train features on which a net is right about the source and a discriminator cannot tell the domains apart.

    .. math:: \min_{f,g}\max_d\ \frac{1}{n_s}\sum_i \ell\bigl(g(f(x^s_i)), y^s_i\bigr)
              + w\,\lambda_p\Bigl[\frac{1}{n_s}\sum_i \log d(f(x^s_i)) + \frac{1}{n_t}\sum_j \log(1 - d(f(x^t_j)))\Bigr]

    by one step for all: the discriminator d minimises its own loss, unweighted by :math:`\lambda_p`, whose gradient
    reaches f times :math:`-w\lambda_p`, with :math:`\lambda_p` from 0 to 1 over the run.

    Fails when class shares differ between the domains, or when the discriminator wins outright.

    Parameters
    ----------
    weight : float, default=1.0
        Size w of the reversed gradient; 0 is source only.
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
    >>> DANN().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Ganin et al., Domain-Adversarial Training of Neural Networks, JMLR 17, 2016.
    https://jmlr.org/papers/v17/15-239.html
    """

    width: int = param(default=256, low=1)
    rate: float = param(default=10.0, above=0)

    def parts(self, spec: InputSpec) -> dict[str, nn.Module]:
        return {"discriminator": discriminator(code_size(spec.net), width=self.width)}

    def terms(self, m: Engine, a: Outputs, b: Outputs, s: Batch, t: Batch, progress: float) -> Terms:
        # reversed before the discriminator, which itself minimises its loss in full: lambda scales what reaches f alone
        f = reverse(torch.cat([a.f, b.f]), self.weight * ramp(progress, self.rate))
        return {"domain": told_apart(m, *m["discriminator"](f).squeeze(1).split_with_sizes([len(a.f), len(b.f)]))}
