"""DDC: features whose means agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.deep.lazy import torch
from transfermap.deep.learner import DeepLearner
from transfermap.deep.losses.discrepancy import mean_gap2
from transfermap.deep.training.batch import Batch, Outputs, Terms
from transfermap.methods.discrepancy._shared import Layers, inner, pairs

if TYPE_CHECKING:
    from transfermap.deep.training.engine import Engine


@method(
    Card(
        name="Deep domain confusion",
        year=2014,
        setting="transductive",
        transfers="features",
        objective="min_{f,g}  L(g(f(x^s)), y^s) + w || mean f(x^s) - mean f(x^t) ||^2",
        steps=(
            "Train a net on the source.",
            "Add the squared distance between the two domains' mean features to its loss.",
            "Predict the target with the net.",
        ),
        solver="stochastic gradient steps",
        cost="about twice a step on the source alone",
        assumes=(
            "one rule on common features holds in both domains",
            "the classes are about equally common in both",
            "the domains differ in their mean features above all",
        ),
        fails_when=(
            "class shares differ: classes are then aligned with the wrong ones",
            "the mean features agree already, and the domains differ in spread or shape",
        ),
        reference="Tzeng, Hoffman, Zhang, Saenko and Darrell, Deep Domain Confusion: Maximizing for Domain Invariance, "
        "2014",
        doi="10.48550/arXiv.1412.3474",
        needs=("torch",),
        neutral={"weight": 0.0},
        toy="mean_shift_nuisance",
    )
)
class DDC(DeepLearner):
    r"""Train a net on the source under a penalty on how far the domains' mean features lie apart.

    .. math:: \min_{f,g} \frac{1}{n_s}\sum_i \ell\bigl(g(f(x^s_i)), y^s_i\bigr)
              + w\,\Bigl\|\frac{1}{n_s}\sum_i f(x^s_i) - \frac{1}{n_t}\sum_j f(x^t_j)\Bigr\|^2

    The penalty is the squared maximum mean discrepancy with the linear kernel; it sums over the features.

    Fails when class shares differ between the domains, or when the domains differ in other things than their means.

    Parameters
    ----------
    weight : float, default=0.25
        Size w of the penalty; 0 is source only.
    layers : str or tuple of str, default="features"
        Where the means are to agree: "features" are the last, others have their names in the net, such as
        "features.1"; of several the penalties add up. The paper takes the layer whose discrepancy is least in the
        net that it starts from.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 2)) + 3 * y[:, None] + np.repeat([[0, 0], [1, -1]], 100, axis=0)
    >>> DDC().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Tzeng et al., Deep Domain Confusion: Maximizing for Domain Invariance, 2014. doi:10.48550/arXiv.1412.3474
    """

    weight: float = param(default=0.25, low=0)  # the paper's
    layers: Layers = param(default="features")

    def watched(self) -> tuple[str, ...]:
        return inner(self.layers)

    def terms(self, m: Engine, a: Outputs, b: Outputs, s: Batch, t: Batch, progress: float) -> Terms:
        gaps = [mean_gap2(x, y) for x, y in pairs(a, b, self.layers)]
        return {"mean gap": self.weight * torch.stack(gaps).sum()}
