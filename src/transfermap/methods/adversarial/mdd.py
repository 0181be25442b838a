"""MDD: a second head that agrees with the first on the source and contradicts it on the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.deep.lazy import F
from transfermap.deep.learner import DeepLearner
from transfermap.deep.training.batch import Batch, Outputs, Terms
from transfermap.deep.training.objective import ramp, reverse
from transfermap.methods.adversarial._shared import second_head

if TYPE_CHECKING:
    from torch import Tensor, nn

    from transfermap.deep.training.engine import Engine
    from transfermap.deep.training.objective import InputSpec


@method(
    Card(
        name="Margin disparity discrepancy",
        year=2019,
        setting="transductive",
        transfers="features",
        tasks=("classification",),
        objective="min_{f,g} max_h  L(g(f(x^s)), y^s) + w lambda_p [ gamma mean log p_h(k^s | f(x^s)) "
        "+ mean log(1 - p_h(k^t | f(x^t))) ],  k = argmax g(f(x))",
        steps=(
            "Train a net on the source, and a second head that says what the first says of source rows, but anything "
            "else of target rows.",
            "Send the second head's gradient into the features with its sign reversed, more and more of it over the "
            "run: where the two domains look alike, it cannot do both.",
            "Predict the target with the first head.",
        ),
        solver="stochastic gradient steps with gradient reversal",
        cost="about two and a half times a step on the source alone",
        assumes=("some rule on common features is right in both domains",),
        fails_when=(
            "most target rows start on one class's side: all may end there, where no second head contradicts",
            "class shares differ: the second head contradicts where a class is more common",
        ),
        reference="Zhang, Liu, Long and Jordan, Bridging Theory and Algorithm for Domain Adaptation, ICML 2019",
        doi="10.48550/arXiv.1904.05801",
        needs=("torch",),
        neutral={"weight": 0.0},
        toy="contrary_witness",
    )
)
class MDD(DeepLearner):
    r"""Train features on which no second head can agree with the first on the source and contradict it on the target.

    .. math:: \min_{f,g}\max_h\ \frac{1}{n_s}\sum_i \ell\bigl(g(f(x^s_i)), y^s_i\bigr)
              + w\,\lambda_p\Bigl[\frac{\gamma}{n_s}\sum_i \log p_h(k^s_i \mid f(x^s_i))
              + \frac{1}{n_t}\sum_j \log\bigl(1 - p_h(k^t_j \mid f(x^t_j))\bigr)\Bigr],\quad k = \arg\max g(f(x))

    by one step for all: the second head h minimises its own loss, unweighted by w and :math:`\lambda_p`; f gets its
    gradient reversed. The classes k are the first head's, on source rows too, and carry no gradient to it.

    Fails when most target rows start on one class's side, where all may end, or when class shares differ.

    Parameters
    ----------
    weight : float, default=0.1
        Size w of the reversed gradient; 0 is source only.
    margin : float, default=4.0
        :math:`\gamma`, how much more the second head's agreement on the source counts.
    rate : float, default=10.0
        How fast :math:`\lambda_p = 2 / (1 + e^{-rate\,p}) - 1` rises over the run.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 2)) + 3 * y[:, None] + np.repeat([[0, 0], [1, -1]], 100, axis=0)
    >>> MDD().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Zhang, Liu, Long and Jordan, Bridging Theory and Algorithm for Domain Adaptation, ICML 2019,
    doi:10.48550/arXiv.1904.05801.
    """

    weight: float = param(default=0.1, low=0)  # where the authors' ramp ends, too
    margin: float = param(default=4.0, above=0)
    rate: float = param(default=10.0, above=0)

    def parts(self, spec: InputSpec) -> dict[str, nn.Module]:
        return {"second": second_head(spec.net)}

    def terms(self, m: Engine, a: Outputs, b: Outputs, s: Batch, t: Batch, progress: float) -> Terms:
        size = self.weight * ramp(progress, self.rate)
        zs, zt = (m["second"](reverse(view.f, size)) for view in (a, b))
        # argmax: so no gradient of the second head's loss reaches the first
        ks, kt = a.z.argmax(1), b.z.argmax(1)
        m.note("disagreement", lambda: (zt.argmax(1) != kt).float().mean() - (zs.argmax(1) != ks).float().mean())
        return {"agree": self.margin * F.cross_entropy(zs, ks), "contradict": -log_others(zt, kt).mean()}


def log_others(z: Tensor, k: Tensor) -> Tensor:
    """The logarithm of the probability of all classes but ``k`` (n,), by logits (n, C); exact where that is tiny."""
    return z.scatter(1, k[:, None], float("-inf")).logsumexp(1) - z.logsumexp(1)
