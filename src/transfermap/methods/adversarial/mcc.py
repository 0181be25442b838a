"""MCC: classes that are not taken for one another on the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.deep.learner import DeepLearner
from transfermap.deep.training.batch import Batch, Outputs, Terms
from transfermap.methods.adversarial._shared import sureness

if TYPE_CHECKING:
    from torch import Tensor

    from transfermap.deep.training.engine import Engine


@method(
    Card(
        name="Minimum class confusion",
        year=2020,
        setting="transductive",
        transfers="features",
        tasks=("classification",),
        objective="min_{f,g}  L(g(f(x^s)), y^s) + w (1 - tr(N) / C),  N = P' V P with rows divided by their sums, "
        "P = softmax(z^t / T)",
        steps=(
            "Train a net on the source.",
            "Soften its target predictions, and sum up which classes it holds likely at once, sure rows more.",
            "Lower every class's share of confusion with the others.",
            "Predict the target with the net.",
        ),
        solver="stochastic gradient steps",
        cost="about twice a step on the source alone",
        assumes=("the net is right about most target rows at the start", "the target's batches hold most classes"),
        fails_when=(
            "the domains lie so far apart that whole classes are taken for others: it makes the net sure of them",
            "batches are so small, against the number of classes, that most classes are missing from each",
        ),
        reference="Jin, Wang, Long and Wang, Minimum Class Confusion for Versatile Domain Adaptation, ECCV 2020",
        doi="10.48550/arXiv.1912.03699",
        needs=("torch",),
        neutral={"weight": 0.0},
        toy="mean_shift_nuisance",
    )
)
class MCC(DeepLearner):
    r"""Train a net that does not take one class for another on the target.

    .. math:: \min_{f,g}\ \frac{1}{n_s}\sum_i \ell\bigl(g(f(x^s_i)), y^s_i\bigr)
              + w\,\Bigl(1 - \frac{1}{C}\sum_c \frac{N_{cc}}{\sum_{c'} N_{cc'}}\Bigr),\quad
              N = P^\top \mathrm{diag}(v) P,\ P = \mathrm{softmax}(z^t / T),\ v_j \propto 1 + e^{-H(P_j)}

    with v of mean 1 and without gradient. No discriminator, no ramp.

    Fails when the domains lie so far apart that whole classes are taken for others at the start.

    Parameters
    ----------
    weight : float, default=1.0
        Size w of the confusion's share; 0 is source only.
    temperature : float, default=2.5
        T, which softens the target's predictions.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 2)) + 3 * y[:, None] + np.repeat([[0, 0], [1, -1]], 100, axis=0)
    >>> MCC().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Jin, Wang, Long and Wang, Minimum Class Confusion for Versatile Domain Adaptation, ECCV 2020,
    doi:10.48550/arXiv.1912.03699.
    """

    temperature: float = param(default=2.5, above=0)

    def terms(self, m: Engine, a: Outputs, b: Outputs, s: Batch, t: Batch, progress: float) -> Terms:
        return {"confusion": self.weight * confusion(b.z / self.temperature)}


def confusion(z: Tensor) -> Tensor:
    """The classes' mean share of confusion with others, from 0 to 1 - 1/C, in predictions with logits (n, C).

    Rows of P add to 1, so row sums of N are sums of v P, and N over its row sums is Q' P, where each class's column of
    Q adds to 1. Q is taken in logarithms: so a class that no row is of has a value too, its limit, which is all
    confusion. A net that puts every row into one class is not held to be free of it.
    """
    # of the softened predictions, without gradient, as in the paper: rows must not gain by becoming unsure
    v = sureness(z.softmax(1)).detach()
    Q = (z.log_softmax(1) + v.log()[:, None]).softmax(0)
    return 1 - (Q * z.softmax(1)).sum() / z.shape[1]
