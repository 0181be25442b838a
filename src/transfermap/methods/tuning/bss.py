"""BSS: fine-tuning that holds the smallest singular values of the features down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.methods.tuning._shared import TwoStage

if TYPE_CHECKING:
    from torch import nn

    from transfermap.finetuning.training import Job


@method(
    Card(
        name="Batch spectral shrinkage",
        year=2019,
        setting="inductive",
        transfers="parameters",
        objective="min  mean_j loss(g(f(x_j^t)), y_j^t) + eta sum_{i<=k} sigma_{-i}^2(F),  F the features of a batch",
        steps=(
            "Train a net on the source.",
            "Go on with the target's labelled rows; to the loss of a batch add the k smallest squared singular "
            "values of its features.",
        ),
        solver="stochastic gradient steps, twice; eigenvalues of the smaller Gram matrix of a batch",
        cost="at most twice that of the net on the source, and b^3 a step for b rows of a batch",
        assumes=("what hinders lies in the directions in which features hardly vary",),
        fails_when=("there are fewer features than matter: then the smallest direction is of use, too",),
        reference="Chen, Wang, Fu, Long and Wang, Catastrophic Forgetting Meets Negative Transfer: Batch "
        "Spectral Shrinkage for "
        "Safe Transfer Learning, NeurIPS 2019",
        doi="https://papers.nips.cc/paper/2019/hash/c6bff625bdb0393992c9d4db0c6bbe45-Abstract.html",
        needs=("target labels", "torch"),
        neutral={"weight": 0.0},
        toy="contrary_majority",
    )
)
class BSS(TwoStage):
    r"""Fine-tune on the labelled target rows while the features' smallest singular values are held down.

    .. math:: \min_\theta \frac{1}{m}\sum_j \ell\bigl(g(f(x^t_j)), y^t_j\bigr) + \eta \sum_{i \le k} \sigma_{-i}^2(F)

    with :math:`F` the features of a batch, not centred, and :math:`\sigma_{-i}` its i-th smallest singular value.

    Fails when there are so few features that the smallest direction is of use, too.

    Parameters
    ----------
    weight : float, default=1.0
        Steps on the target as a share of those on the source; 0 is source only.
    frozen : int, default=0
        How many of the net's first stages stay as the source made them.
    lr : float, default=0.001
        Rate of the steps on the target, > 0.
    eta : float, default=0.001
        Size of the penalty.
    k : int, default=1
        How many of the smallest values, >= 1.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 150)
    >>> X = rng.normal(size=(300, 2)) + 3 * y[:, None]
    >>> X[200:, 0] *= -1  # in the target the first column says the opposite
    >>> seen = np.where(np.arange(300) < 230, y, -1)  # 30 rows of it have labels
    >>> tuned = BSS().fit(X, seen, sample_domain=np.repeat([1, -1], [200, 100]))
    >>> tuned.score(X[230:], y[230:]) > 0.9
    True

    References
    ----------
    Chen et al., Catastrophic Forgetting Meets Negative Transfer: Batch Spectral Shrinkage for Safe Transfer Learning,
    NeurIPS 2019. https://papers.nips.cc/paper/2019/hash/c6bff625bdb0393992c9d4db0c6bbe45-Abstract.html
    """

    eta: float = param(default=1e-3, low=0)
    k: int = param(default=1, low=1)

    def recipe(self, job: Job) -> nn.ModuleDict:
        from transfermap.finetuning.recipes import bss

        return bss(job, float(self.eta), int(self.k)).net
