"""WiSE-FT: the mean of a net before and after fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.methods.tuning._shared import TwoStage

if TYPE_CHECKING:
    from torch import nn

    from transfermap.finetuning.training import Job


@method(
    Card(
        name="Fine-tuned weights averaged with the start (WiSE-FT)",
        year=2022,
        setting="inductive",
        transfers="parameters",
        objective="theta = (1 - alpha) theta_0 + alpha theta_1,  theta_1 fine-tuned from the probe theta_0",
        steps=(
            "Train a net on the source.",
            "Fit a linear probe on its features of the target's labelled rows.",
            "Fine-tune from there, and take a mean of all weights before and after, the head's too.",
        ),
        solver="logistic regression, stochastic gradient steps, one mean",
        cost="at most twice that of the net on the source",
        assumes=("between the two nets the loss has no hill: one was fine-tuned from the other with the same head",),
        fails_when=("the two lie far apart: then their mean may be worse than both",),
        reference="Wortsman, Ilharco, Kim, Li, Kornblith, Roelofs, Gontijo-Lopes, Hajishirzi, Farhadi, Namkoong "
        "and Schmidt, "
        "Robust Fine-Tuning of Zero-Shot Models, IEEE CVPR 2022",
        doi="10.1109/CVPR52688.2022.00780",
        needs=("target labels", "torch"),
        neutral={"weight": 0.0},
        toy="contrary_majority",
    )
)
class WiSEFT(TwoStage):
    r"""Fine-tune from a linear probe, and take the mean of the net before and after.

    .. math:: \theta = (1-\alpha)\,\theta_0 + \alpha\,\theta_1

    The start :math:`\theta_0` is the source's net with a head fitted to the labelled target rows (the paper's start
    needs no label; a net that was trained on other classes has no such head). Running statistics are taken anew.

    Fails when the two nets lie so far apart that their mean is worse than both.

    Parameters
    ----------
    weight : float, default=1.0
        Steps on the target as a share of those on the source; 0 is source only.
    frozen : int, default=0
        How many of the net's first stages stay as the source made them.
    lr : float, default=0.001
        Rate of the steps on the target, > 0, of which a fifth is taken.
    alpha : float, default=0.5
        Share of the net after fine-tuning, in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 150)
    >>> X = rng.normal(size=(300, 2)) + 3 * y[:, None]
    >>> X[200:, 0] *= -1  # in the target the first column says the opposite
    >>> seen = np.where(np.arange(300) < 230, y, -1)  # 30 rows of it have labels
    >>> tuned = WiSEFT().fit(X, seen, sample_domain=np.repeat([1, -1], [200, 100]))
    >>> tuned.score(X[230:], y[230:]) > 0.9
    True

    References
    ----------
    Wortsman et al., Robust Fine-Tuning of Zero-Shot Models, IEEE CVPR 2022. doi:10.1109/CVPR52688.2022.00780
    """

    alpha: float = param(default=0.5, low=0, high=1)

    def recipe(self, job: Job) -> nn.ModuleDict:
        from transfermap.finetuning.recipes import wise

        return wise(job, float(self.alpha)).net
