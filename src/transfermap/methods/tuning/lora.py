"""LoRA: fine-tuning by corrections of low rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.methods.tuning._shared import TwoStage

if TYPE_CHECKING:
    from torch import nn

    from transfermap.finetuning.training import Job


@method(
    Card(
        name="Low-rank adaptation",
        year=2022,
        setting="inductive",
        transfers="parameters",
        objective="min_{A,B,g}  mean_j loss(g(f_{W + 2 B A}(x_j^t)), y_j^t),  B A of rank r, W from the source",
        steps=(
            "Train a net on the source; its weights W stay.",
            "Give each layer of the features a correction of rank r, 0 at first.",
            "Train the corrections and the head on the target's labelled rows; add them to W in the end.",
        ),
        solver="stochastic gradient steps, twice",
        cost="at most twice that of the net on the source; r (d + k) numbers move in a layer of d x k",
        assumes=("what the target needs differs from the source in few directions of each layer",),
        fails_when=(
            "the target needs a change of full rank",
            "the rate is as small as that of fine-tuning: corrections need a larger one",
        ),
        reference="Hu, Shen, Wallis, Allen-Zhu, Li, Wang, Wang and Chen, LoRA: Low-Rank Adaptation of Large "
        "Language Models, "
        "ICLR 2022",
        doi="10.48550/arXiv.2106.09685",
        needs=("target labels", "torch"),
        neutral={"weight": 0.0},
        toy="contrary_majority",
    )
)
class LoRA(TwoStage):
    r"""Keep the weights that the source has taught, and learn a correction of low rank to each layer.

    .. math:: \min_{A,B,g} \frac{1}{m}\sum_j \ell\bigl(g(f_{W+2BA}(x^t_j)), y^t_j\bigr), \qquad
              B \in \mathbb{R}^{d \times r},\ A \in \mathbb{R}^{r \times k},\ B = 0 \ \text{at first}

    The head moves as well. In the end the corrections are added to the weights, so the net is as quick as before.

    Fails when the target needs a change of full rank.

    Parameters
    ----------
    weight : float, default=1.0
        Steps on the target as a share of those on the source; 0 is source only.
    frozen : int, default=0
        How many of the net's first stages stay as the source made them.
    lr : float, default=0.003
        Rate of the steps on the target, > 0.
    rank : int, default=4
        r, >= 1.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 150)
    >>> X = rng.normal(size=(300, 2)) + 3 * y[:, None]
    >>> X[200:, 0] *= -1  # in the target the first column says the opposite
    >>> seen = np.where(np.arange(300) < 230, y, -1)  # 30 rows of it have labels
    >>> tuned = LoRA().fit(X, seen, sample_domain=np.repeat([1, -1], [200, 100]))
    >>> tuned.score(X[230:], y[230:]) > 0.9
    True

    References
    ----------
    Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022. doi:10.48550/arXiv.2106.09685
    """

    lr: float = param(default=3e-3, above=0)  # corrections start at 0 and are few: faster than the whole net
    rank: int = param(default=4, low=1)

    def recipe(self, job: Job) -> nn.ModuleDict:
        from transfermap.finetuning.recipes import lora

        return lora(job, int(self.rank)).net
