"""JAN: layers and predictions that agree between the domains together, not one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.deep.learner import DeepLearner
from transfermap.deep.losses.discrepancy import joint_mmd2
from transfermap.deep.training.batch import Batch, Outputs, Terms
from transfermap.deep.training.objective import ramp
from transfermap.methods.discrepancy._shared import Layers, inner, pairs

if TYPE_CHECKING:
    from transfermap.deep.training.engine import Engine


@method(
    Card(
        name="Joint adaptation network",
        year=2017,
        setting="transductive",
        transfers="features",
        tasks=("classification",),
        objective="min_{f,g}  L(g(f(x^s)), y^s) + w lambda_p MMD_k^2,  k = prod_l k_l(z_l, z_l') of layers and softmax",
        steps=(
            "Train a net on the source.",
            "Multiply the kernels of its features and of its class probabilities, pair of rows by pair of rows.",
            "Add the discrepancy of the two domains under that product, more and more of it over the run.",
            "Predict the target with the net.",
        ),
        solver="stochastic gradient steps",
        cost="about twice a step on the source alone, and O(b^2) a layer in rows b of a batch",
        assumes=(
            "one rule on common features holds in both domains",
            "the classes are about equally common in both",
            "the net's first predictions of the target are better than chance",
        ),
        fails_when=(
            "class shares differ: classes are then aligned with the wrong ones",
            "predictions of the target are mostly wrong at first: features follow them",
        ),
        reference="Long, Zhu, Wang and Jordan, Deep Transfer Learning with Joint Adaptation Networks, ICML 2017",
        doi="10.48550/arXiv.1605.06636",
        needs=("torch",),
        neutral={"weight": 0.0},
        toy="mean_shift_nuisance",
    )
)
class JAN(DeepLearner):
    r"""Train a net on the source under a penalty on how features *and* predictions, together, differ from the target's.

    .. math:: \min_{f,g} \frac{1}{n_s}\sum_i \ell\bigl(g(f(x^s_i)), y^s_i\bigr) + w\,\lambda_p\,\mathrm{MMD}_k^2,\quad
              k(x,x') = e^{-\|p-p'\|^2/1.68}\prod_l \sum_{u=-2}^{2}\exp\Bigl(-\frac{\|z_l-z_l'\|^2}{2^u\,b_l}\Bigr)

    with p the class probabilities of a row (not its logits), :math:`b_l` the mean squared distance between rows of both
    domains' batches, a constant to the gradient, and :math:`\lambda_p` from 0 to 1 over the run. Two domains in which
    features and predictions agree, each by itself, still differ here where they go together in another way.

    The unbiased estimate has mean 0 between equal distributions: the term *may be negative*, and there is no error in
    that. It uses all pairs of a batch; the paper's own, linear in the batch, is noisier and no faster at usual sizes.

    Fails when class shares differ between the domains, or when first predictions of the target are mostly wrong.

    Parameters
    ----------
    weight : float, default=0.3
        Size w of the penalty; 0 is source only.
    layers : str or tuple of str, default="features"
        Layers that are joined with the probabilities: "features" are the last, others have their names in the net,
        such as "features.1".
    estimate : {"unbiased", "biased"}, default="unbiased"
        Whether the discrepancy leaves out each row's kernel with itself; the biased one is never negative.
    rate : float, default=10.0
        How fast :math:`\lambda_p = 2 / (1 + e^{-rate\,p}) - 1` rises over the run.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 2)) + 3 * y[:, None] + np.repeat([[0, 0], [1, -1]], 100, axis=0)
    >>> JAN().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Long et al., Deep Transfer Learning with Joint Adaptation Networks, ICML 2017. doi:10.48550/arXiv.1605.06636
    """

    weight: float = param(default=0.3, low=0)  # the paper's
    layers: Layers = param(default="features")
    estimate: str = param(default="unbiased", choices=("unbiased", "biased"))
    rate: float = param(default=10.0, above=0)

    def watched(self) -> tuple[str, ...]:
        return inner(self.layers)

    def terms(self, m: Engine, a: Outputs, b: Outputs, s: Batch, t: Batch, progress: float) -> Terms:
        # a.p, not a.z: logits have no bound, and the fixed width 1.68 suits probabilities only
        gap = joint_mmd2(pairs(a, b, self.layers), a.p, b.p, self.estimate == "unbiased")
        return {"joint mmd": self.weight * ramp(progress, self.rate) * gap}
