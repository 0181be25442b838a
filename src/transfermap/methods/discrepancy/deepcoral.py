"""Deep CORAL: outputs whose covariances agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.deep.lazy import torch
from transfermap.deep.learner import DeepLearner
from transfermap.deep.losses.discrepancy import coral2
from transfermap.deep.training.batch import Batch, Outputs, Terms
from transfermap.methods.discrepancy._shared import Layers, inner, pairs

if TYPE_CHECKING:
    from transfermap.deep.training.engine import Engine


@method(
    Card(
        name="Deep correlation alignment",
        year=2016,
        setting="transductive",
        transfers="features",
        objective="min_{f,g}  L(g(f(x^s)), y^s) + w || C_s - C_t ||_F^2 / (4 d^2),  C the covariances of d outputs",
        steps=(
            "Train a net on the source.",
            "Add the distance between the covariances of the two domains' outputs to its loss.",
            "Predict the target with the net.",
        ),
        solver="stochastic gradient steps",
        cost="about twice a step on the source alone",
        assumes=(
            "one rule on common features holds in both domains",
            "the classes are about equally common in both",
        ),
        fails_when=(
            "the domains differ in their means only: covariances do not see that",
            "class shares differ: a rarer class has less spread even where nothing else has changed",
        ),
        reference="Sun and Saenko, Deep CORAL: Correlation Alignment for Deep Domain Adaptation, ECCV Workshops 2016",
        doi="10.1007/978-3-319-49409-8_35",
        needs=("torch",),
        by_default=True,
        neutral={"weight": 0.0},
        toy="mean_shift_nuisance",
    )
)
class DeepCORAL(DeepLearner):
    r"""Train a net on the source under a penalty on how much its outputs' covariances differ between the domains.

    .. math:: \min_{f,g} \frac{1}{n_s}\sum_i \ell\bigl(g(f(x^s_i)), y^s_i\bigr) + \frac{w}{4d^2}\|C_s-C_t\|_F^2

    with :math:`C` the covariances (over n - 1) of a layer's d outputs in a batch. Multiplying them by c multiplies the
    penalty by :math:`c^4`.

    Fails when the domains differ in their means only, or when class shares differ.

    Parameters
    ----------
    weight : float, default=1.0
        Size w of the penalty; 0 is source only. The paper picks it such that both losses end about equal, which the
        run's history shows.
    layers : str or tuple of str, default="head"
        Where covariances are to agree: "head" are the logits, as in the paper, "features" the last features, others
        have their names in the net, such as "features.1"; of several the penalties add up.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 2)) + 3 * y[:, None]
    >>> X[100:] = 2 * X[100:] - 3
    >>> DeepCORAL().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Sun and Saenko, Deep CORAL: Correlation Alignment for Deep Domain Adaptation, ECCV Workshops 2016.
    doi:10.1007/978-3-319-49409-8_35
    """

    layers: Layers = param(default="head")

    def watched(self) -> tuple[str, ...]:
        return inner(self.layers)

    def terms(self, m: Engine, a: Outputs, b: Outputs, s: Batch, t: Batch, progress: float) -> Terms:
        gaps = [coral2(x, y) for x, y in pairs(a, b, self.layers)]
        return {"coral": self.weight * torch.stack(gaps).sum()}
