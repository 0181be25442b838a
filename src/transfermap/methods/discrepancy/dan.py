"""DAN: layers on which many kernels see no difference between the domains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.deep.learner import DeepLearner
from transfermap.deep.losses.discrepancy import gram, mmd2
from transfermap.deep.training.batch import Batch, Outputs, Terms
from transfermap.methods.discrepancy._shared import Layers, inner, names, pairs

if TYPE_CHECKING:
    from transfermap.deep.training.engine import Engine


@method(
    Card(
        name="Deep adaptation network",
        year=2015,
        setting="transductive",
        transfers="features",
        objective="min_{f,g}  L(g(f(x^s)), y^s) + w sum_l MMD_k^2(z_l^s, z_l^t),  k = sum_u exp(-||.||^2 / (2^u b_l))",
        steps=(
            "Train a net on the source.",
            "Add, for each of some layers, the discrepancy of the two domains under a sum of five Gaussian kernels.",
            "Predict the target with the net.",
        ),
        solver="stochastic gradient steps",
        cost="about twice a step on the source alone, and O(b^2) a layer in rows b of a batch",
        assumes=(
            "one rule on common features holds in both domains",
            "the classes are about equally common in both",
        ),
        fails_when=(
            "class shares differ: classes are then aligned with the wrong ones",
            "each layer's distribution agrees but not how layers and labels go together",
        ),
        reference="Long, Cao, Wang and Jordan, Learning Transferable Features with Deep Adaptation Networks, ICML 2015",
        doi="10.48550/arXiv.1502.02791",
        needs=("torch",),
        neutral={"weight": 0.0},
        toy="mean_shift_nuisance",
    )
)
class DAN(DeepLearner):
    r"""Train a net on the source under a penalty on how far the domains' layers lie apart, by several kernels at once.

    .. math:: \min_{f,g} \frac{1}{n_s}\sum_i \ell\bigl(g(f(x^s_i)), y^s_i\bigr)
              + w\sum_{l}\mathrm{MMD}_{k_l}^2(Z_l^s, Z_l^t),\quad
              k_l(z,z') = \sum_{u=-2}^{2}\exp\Bigl(-\frac{\|z-z'\|^2}{2^u\,b_l}\Bigr)

    with :math:`b_l` the mean squared distance between rows of both domains' batches, a constant to the gradient. The
    kernels weigh the same and sum up, as in the authors' program; w / 5 is the weight of their mean, the paper's scale.

    The unbiased estimate has mean 0 between equal distributions: the term *may be negative*, and there is no error in
    that. It uses all pairs of a batch; the paper's own, linear in the batch, is noisier and no faster at usual sizes.

    Fails when class shares differ between the domains, or when layers agree one by one but not together.

    Parameters
    ----------
    weight : float, default=1.0
        Size w of the penalty; 0 is source only.
    layers : str or tuple of str, default="features,head"
        Where the domains are to agree: "features" are the last, "head" the logits (or predicted numbers), others have
        their names in the net, such as "features.1".
    estimate : {"unbiased", "biased"}, default="unbiased"
        Whether the discrepancy leaves out each row's kernel with itself; the biased one is never negative.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 2)) + 3 * y[:, None] + np.repeat([[0, 0], [1, -1]], 100, axis=0)
    >>> DAN().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Long et al., Learning Transferable Features with Deep Adaptation Networks, ICML 2015. doi:10.48550/arXiv.1502.02791
    """

    layers: Layers = param(default="features,head")
    estimate: str = param(default="unbiased", choices=("unbiased", "biased"))

    def watched(self) -> tuple[str, ...]:
        return inner(self.layers)

    def terms(self, m: Engine, a: Outputs, b: Outputs, s: Batch, t: Batch, progress: float) -> Terms:
        unbiased = self.estimate == "unbiased"
        return {
            # one term a layer, so that the history shows which one resists
            f"mmd {name}": self.weight * mmd2(gram(x, y), len(x), unbiased)
            for name, (x, y) in zip(names(self.layers), pairs(a, b, self.layers), strict=True)
        }
