"""JAN-A: JAN, with the kernels' inputs turned until the domains differ most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.deep.learner import DeepLearner
from transfermap.deep.losses.discrepancy import joint_mmd2
from transfermap.deep.nets.small import code_size
from transfermap.deep.training.batch import Batch, Outputs, Terms
from transfermap.deep.training.objective import ramp, reverse

if TYPE_CHECKING:
    from torch import Tensor, nn

    from transfermap.deep.training.engine import Engine
    from transfermap.deep.training.objective import InputSpec


@method(
    Card(
        name="Adversarial joint adaptation network",
        year=2017,
        setting="transductive",
        transfers="features",
        tasks=("classification",),
        objective="min_{f,g} max_theta  L(g(f(x^s)), y^s) + w lambda_p MMD_k^2(theta_l z_l),  k = prod_l k_l",
        steps=(
            "Train a net on the source, and a linear map behind its features and another behind its probabilities.",
            "Multiply the kernels of what the two maps make of a row, pair of rows by pair of rows.",
            "Let the maps raise the discrepancy of the two domains under that product, and the net lower it.",
            "Predict the target with the net.",
        ),
        solver="stochastic gradient steps with gradient reversal",
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
class JANA(DeepLearner):
    r"""Train a net on the source against the joint discrepancy of JAN as linear maps that seek it out see it.

    .. math:: \min_{f,g}\max_\theta\ \frac{1}{n_s}\sum_i \ell\bigl(g(f(x^s_i)), y^s_i\bigr)
              + w\,\lambda_p\,\mathrm{MMD}_k^2,\quad k(x,x') = e^{-\|\theta_p p-\theta_p p'\|^2/1.68}
              \sum_{u=-2}^{2}\exp\Bigl(-\frac{\|\theta_f z-\theta_f z'\|^2}{2^u\,b}\Bigr)

    with z the features and p the class probabilities of a row (not its logits), b the mean squared distance between
    mapped rows of both domains' batches, a constant to the gradient, and :math:`\lambda_p` from 0 to 1 over the run.
    The maps start as the identity, where this is JAN, and rise on the discrepancy itself, unweighted.

    The unbiased estimate has mean 0 between equal distributions: the term *may be negative*, and there is no error in
    that.

    Fails when class shares differ between the domains, or when first predictions of the target are mostly wrong.

    Parameters
    ----------
    weight : float, default=0.3
        Size w of the penalty; 0 is source only.
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
    >>> JANA().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Long et al., Deep Transfer Learning with Joint Adaptation Networks, ICML 2017. doi:10.48550/arXiv.1605.06636
    """

    weight: float = param(default=0.3, low=0)  # the paper's for JAN
    estimate: str = param(default="unbiased", choices=("unbiased", "biased"))
    rate: float = param(default=10.0, above=0)

    def parts(self, spec: InputSpec) -> dict[str, nn.Module]:
        from transfermap.deep.nets.modules import same

        # the identity: there it is JAN, so the start is no worse than that
        return {"code map": same(code_size(spec.net)), "class map": same(spec.outputs)}

    def terms(self, m: Engine, a: Outputs, b: Outputs, s: Batch, t: Batch, progress: float) -> Terms:
        down = self.weight * ramp(progress, self.rate)

        def seen(part: str, z: Tensor) -> Tensor:
            # reversed twice: the map climbs by the gradient as it is, what is below it descends by its weighted one
            out: Tensor = reverse(m[part](reverse(z, down)))
            return out

        codes = (seen("code map", a.f), seen("code map", b.f))
        gap = joint_mmd2([codes], seen("class map", a.p), seen("class map", b.p), self.estimate == "unbiased")
        return {"joint mmd": gap}
