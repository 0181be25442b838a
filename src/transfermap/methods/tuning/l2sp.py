"""L2-SP: fine-tuning with a pull back to where the source left the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.methods.tuning._shared import TwoStage

if TYPE_CHECKING:
    from torch import nn

    from transfermap.finetuning.training import Job


@method(
    Card(
        name="Penalty on the distance from the start (L2-SP)",
        year=2018,
        setting="inductive",
        transfers="parameters",
        objective="min  mean_j loss(g(f(x_j^t)), y_j^t) + alpha/2 |w - w_0|^2 + beta/2 |v|^2,  w of f, v of g",
        steps=(
            "Train a net on the source; its weights are w_0.",
            "Go on with the target's labelled rows, with a penalty on the features' distance from w_0 and on the "
            "head's size.",
            "No other decay of weights is at work, and running statistics are not penalised.",
        ),
        solver="stochastic gradient steps, twice",
        cost="at most twice that of the net on the source",
        assumes=("the right weights lie near those of the source",),
        fails_when=("the target needs other features than the source: the pull then holds it back",),
        reference="Li, Grandvalet and Davoine, Explicit Inductive Bias for Transfer Learning with Convolutional "
        "Networks, "
        "ICML 2018",
        doi="10.48550/arXiv.1802.01483",
        needs=("target labels", "torch"),
        neutral={"weight": 0.0},
        toy="contrary_majority",
    )
)
class L2SP(TwoStage):
    r"""Fine-tune on the labelled target rows under a penalty on how far the weights move from the source's.

    .. math:: \min_{w,v} \frac{1}{m}\sum_j \ell\bigl(g_v(f_w(x^t_j)), y^t_j\bigr)
              + \frac{\alpha}{2}\|w - w_0\|^2 + \frac{\beta}{2}\|v\|^2

    from the source's :math:`w_0`. With :math:`\alpha \to \infty` the features stay as they were.

    Fails when the target needs other features than the source.

    Parameters
    ----------
    weight : float, default=1.0
        Steps on the target as a share of those on the source; 0 is source only.
    frozen : int, default=0
        How many of the net's first stages stay as the source made them.
    lr : float, default=0.001
        Rate of the steps on the target, > 0.
    alpha : float, default=0.01
        Pull of the features to where they started.
    beta : float, default=0.01
        Pull of the head to 0.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 150)
    >>> X = rng.normal(size=(300, 2)) + 3 * y[:, None]
    >>> X[200:, 0] *= -1  # in the target the first column says the opposite
    >>> seen = np.where(np.arange(300) < 230, y, -1)  # 30 rows of it have labels
    >>> tuned = L2SP().fit(X, seen, sample_domain=np.repeat([1, -1], [200, 100]))
    >>> tuned.score(X[230:], y[230:]) > 0.9
    True

    References
    ----------
    Li et al., Explicit Inductive Bias for Transfer Learning with Convolutional Networks, ICML 2018.
    doi:10.48550/arXiv.1802.01483
    """

    alpha: float = param(default=0.01, low=0)
    beta: float = param(default=0.01, low=0)

    def recipe(self, job: Job) -> nn.ModuleDict:
        from transfermap.finetuning.recipes import l2sp

        return l2sp(job, float(self.alpha), float(self.beta)).net
