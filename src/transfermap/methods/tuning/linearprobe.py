"""Linear probe: a new head on features that stay as the source made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.methods.tuning._shared import TwoStage

if TYPE_CHECKING:
    from torch import nn

    from transfermap.finetuning.training import Job


@method(
    Card(
        name="Linear probe on frozen features",
        year=2014,
        setting="inductive",
        transfers="parameters",
        objective="min_{W,b}  mean_j log-loss(W f(x_j^t) + b, y_j^t) + |W|^2 / (2 C m),  f trained on the source",
        steps=(
            "Train a net on the source.",
            "Compute its features of the target's labelled rows, once.",
            "Fit a logistic regression (ridge for numbers) on them; it is the new head.",
        ),
        solver="convex: logistic regression, its penalty by cross-validation",
        cost="that of the net on the source; the probe itself takes a moment",
        assumes=("a line through the source's features parts the target's classes",),
        fails_when=("what the target needs is not in the features any more",),
        reference="Donahue, Jia, Vinyals, Hoffman, Zhang, Tzeng and Darrell, DeCAF: A Deep Convolutional "
        "Activation Feature for "
        "Generic Visual Recognition, ICML 2014",
        doi="10.48550/arXiv.1310.1531",
        needs=("target labels", "torch"),
        neutral={"weight": 0.0},
        toy="contrary_majority",
    )
)
class LinearProbe(TwoStage):
    r"""Keep the features that the source has taught, and learn a new head from the labelled target rows.

    .. math:: \min_{W,b} \frac{1}{m}\sum_j \ell\bigl(W f(x^t_j) + b,\, y^t_j\bigr) + \frac{1}{2Cm}\|W\|^2

    with :math:`f` trained on the source, the features centred and brought to a mean squared length of 1, and C chosen
    by cross-validation over the labelled rows. It takes no gradient step, and can hardly overfit.

    Fails when what the target needs is not in the features any more.

    Parameters
    ----------
    weight : float, default=1.0
        In [0, 1]: the share of the new head in the mean of it and the source's; 0 is source only.
    frozen : int, default=0
        Of no consequence: all stages stay.
    lr : float, default=0.001
        Of no consequence: no step is taken.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 150)
    >>> X = rng.normal(size=(300, 2)) + 3 * y[:, None]
    >>> X[200:, 0] *= -1  # in the target the first column says the opposite
    >>> seen = np.where(np.arange(300) < 230, y, -1)  # 30 rows of it have labels
    >>> tuned = LinearProbe().fit(X, seen, sample_domain=np.repeat([1, -1], [200, 100]))
    >>> tuned.score(X[230:], y[230:]) > 0.9
    True

    References
    ----------
    Donahue et al., DeCAF: A Deep Convolutional Activation Feature for Generic Visual Recognition, ICML 2014.
    doi:10.48550/arXiv.1310.1531
    """

    weight: float = param(default=1.0, low=0, high=1)

    def recipe(self, job: Job) -> nn.ModuleDict:
        from transfermap.finetuning.averaging import between
        from transfermap.finetuning.recipes import probe

        net = probe(job).net
        # features are the same in both nets: the mean is one of heads alone
        net.load_state_dict(between(job.net.state_dict(), net.state_dict(), float(self.weight)))
        return net
