"""LP-FT: a linear probe first, then fine-tuning from it at a small rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method
from transfermap.methods.tuning._shared import TwoStage

if TYPE_CHECKING:
    from torch import nn

    from transfermap.finetuning.training import Job


@method(
    Card(
        name="Linear probe, then fine-tuning",
        year=2022,
        setting="inductive",
        transfers="parameters",
        objective="v_0 = argmin_v mean_j loss(g_v(f_0(x_j^t)), y_j^t);  from (f_0, v_0) on, min mean_j "
        "loss(g(f(x_j^t)), y_j^t)",
        steps=(
            "Train a net on the source.",
            "Fit a linear probe on its features of the target's labelled rows.",
            "From there on fine-tune all of it, at a fifth of the rate.",
        ),
        solver="logistic regression, then stochastic gradient steps",
        cost="at most twice that of the net on the source",
        assumes=("the source's features are good, and a head that is wrong at first would spoil them",),
        fails_when=("the features are poor: then they have to be changed more than this does",),
        reference="Kumar, Raghunathan, Jones, Ma and Liang, Fine-Tuning Can Distort Pretrained Features and "
        "Underperform "
        "Out-of-Distribution, ICLR 2022",
        doi="10.48550/arXiv.2202.10054",
        needs=("target labels", "torch"),
        neutral={"weight": 0.0},
        toy="contrary_majority",
    )
)
class LPFT(TwoStage):
    r"""Give the net a head that suits the target, and only then let its features move.

    .. math:: v_0 = \arg\min_v \frac{1}{m}\sum_j \ell\bigl(g_v(f_0(x^t_j)), y^t_j\bigr), \qquad
              \min_{f,v} \frac{1}{m}\sum_j \ell\bigl(g_v(f(x^t_j)), y^t_j\bigr)\ \text{from}\ (f_0, v_0)

    At its start it predicts what the probe does. With a head that is wrong at first, fine-tuning bends the features to
    that head where there are rows, and leaves them as they were elsewhere.

    Fails when the source's features are poor.

    Parameters
    ----------
    weight : float, default=1.0
        Steps on the target as a share of those on the source; 0 is source only.
    frozen : int, default=0
        How many of the net's first stages stay as the source made them.
    lr : float, default=0.001
        Rate of the steps on the target, > 0, of which a fifth is taken.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 150)
    >>> X = rng.normal(size=(300, 2)) + 3 * y[:, None]
    >>> X[200:, 0] *= -1  # in the target the first column says the opposite
    >>> seen = np.where(np.arange(300) < 230, y, -1)  # 30 rows of it have labels
    >>> tuned = LPFT().fit(X, seen, sample_domain=np.repeat([1, -1], [200, 100]))
    >>> tuned.score(X[230:], y[230:]) > 0.9
    True

    References
    ----------
    Kumar et al., Fine-Tuning Can Distort Pretrained Features and Underperform Out-of-Distribution, ICLR 2022.
    doi:10.48550/arXiv.2202.10054
    """

    def recipe(self, job: Job) -> nn.ModuleDict:
        from transfermap.finetuning.recipes import lpft

        return lpft(job).net
