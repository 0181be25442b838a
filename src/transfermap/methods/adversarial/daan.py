"""DAAN: one discriminator for all rows and one a class, and how much each is worth is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transfermap.card import Card, method, param
from transfermap.deep.lazy import torch
from transfermap.deep.learner import DeepLearner
from transfermap.deep.nets.small import code_size, discriminator
from transfermap.deep.training.batch import Batch, Outputs, Terms
from transfermap.deep.training.objective import ramp, reverse
from transfermap.methods.adversarial._shared import domain_loss, errors, told_apart

if TYPE_CHECKING:
    from torch import Tensor, nn

    from transfermap.deep.training.engine import Engine
    from transfermap.deep.training.objective import InputSpec

    Halves = tuple[Tensor, ...]


@method(
    Card(
        name="Dynamic adversarial adaptation network",
        year=2019,
        setting="transductive",
        transfers="features",
        tasks=("classification",),
        objective="min_{f,g} max_d  L(g(f(x^s)), y^s) - w lambda_p [ (1 - o) L_d(f(x)) + o sum_c L_{d_c}(p_c(x) f(x)) "
        "],  o = A_c / (A + A_c)",
        steps=(
            "Train a net on the source, a discriminator that tells the domains apart by its features, and another a "
            "class that sees the features times that class's probability.",
            "Measure by the discriminators' errors how far apart the domains are as wholes and class by class.",
            "Send the discriminators' gradients into the net with their sign reversed, in these proportions.",
            "Predict the target with the net.",
        ),
        solver="stochastic gradient steps with gradient reversal",
        cost="as DANN with C + 1 discriminators",
        assumes=(
            "one rule on common features holds in both domains",
            "the net is right about most target rows",
        ),
        fails_when=(
            "the net is wrong about many target rows: they are aligned with the wrong class",
            "there are many classes: each discriminator sees few rows",
        ),
        reference="Yu, Wang, Chen and Huang, Transfer Learning with Dynamic Adversarial Adaptation Network, "
        "IEEE ICDM 2019",
        doi="10.48550/arXiv.1909.08184",
        needs=("torch",),
        neutral={"weight": 0.0},
        toy="mean_shift_nuisance",
    )
)
class DAAN(DeepLearner):
    r"""Train features that neither a discriminator for all rows nor one a class tells apart, in measured proportions.

    .. math:: \min_{f,g}\max_{d,d_c}\ \frac{1}{n_s}\sum_i \ell\bigl(g(f(x^s_i)), y^s_i\bigr)
              - w\,\lambda_p\Bigl[(1 - \omega) L_d(f(x))
              + \omega \sum_{c=1}^C L_{d_c}\bigl(p_c(x) f(x)\bigr)\Bigr],\quad
              \omega = \frac{\bar A}{A + \bar A}

    where the L are the discriminators' cross-entropies, :math:`A = 2(1 - 2\epsilon)` by the error rate of the
    discriminator for all, and :math:`\bar A` the mean of the same over the class discriminators, each on rows weighted
    by :math:`p_c`. The rates are moving averages over batches that the discriminators have not learnt from yet.
    Discriminators learn in full whatever :math:`\omega` is: only the reversed gradients are in proportion, or a share
    of 0 could never rise again.

    Fails when the net is wrong about many target rows, or when there are many classes.

    Parameters
    ----------
    weight : float, default=1.0
        Size w of the reversed gradients; 0 is source only.
    omega : float, default=None
        The class discriminators' share :math:`\omega`; 0 is DANN, 1 is MADA (multi-adversarial domain adaptation);
        None: measured.
    memory : float, default=0.99
        How much of the error rates stays from one batch to the next.
    width : int, default=256
        Of the discriminators' two hidden layers; the paper's for images is 1024.
    rate : float, default=10.0
        How fast :math:`\lambda_p = 2 / (1 + e^{-rate\,p}) - 1` rises over the run.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 2)) + 3 * y[:, None] + np.repeat([[0, 0], [1, -1]], 100, axis=0)
    >>> DAAN().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Yu, Wang, Chen and Huang, Transfer Learning with Dynamic Adversarial Adaptation Network, IEEE ICDM 2019,
    doi:10.48550/arXiv.1909.08184.
    """

    omega: float | None = param(default=None, low=0, high=1, none=True)
    memory: float = param(default=0.99, low=0, high=0.9999)
    width: int = param(default=256, low=1)
    rate: float = param(default=10.0, above=0)

    def parts(self, spec: InputSpec) -> dict[str, nn.Module]:
        from transfermap.deep.nets.modules import Discriminators, Memory

        first, *others = (discriminator(code_size(spec.net), width=self.width) for _ in range(spec.outputs + 1))
        # one half: as long as nothing is known each discriminator guesses, and neither part counts more
        known = Memory(errors=torch.full((spec.outputs + 1,), 0.5), omega=torch.tensor(0.5))
        return {"discriminator": first, "discriminators": Discriminators(others), "known": known}

    def terms(self, m: Engine, a: Outputs, b: Outputs, s: Batch, t: Batch, progress: float) -> Terms:
        size, sizes = self.weight * ramp(progress, self.rate), [len(a.f), len(b.f)]
        # a copy: the reversed gradient reads it in the backward pass, when _measure has written over it
        omega = m["known"].omega.clone() if self.omega is None else self.omega
        f, p = torch.cat([a.f, b.f]), torch.cat([a.z, b.z]).softmax(1).T
        # each factor is reversed, not the C times larger product: its gradient is linear in either
        of_class = reverse(p, size * omega)[:, :, None] * reverse(f, size * omega)
        d = m["discriminator"](reverse(f, size * (1 - omega))).squeeze(1).split_with_sizes(sizes)
        dc = m["discriminators"](of_class).split_with_sizes(sizes, 1)
        self._measure(m, d, dc, p.split_with_sizes(sizes, 1))
        # domain_loss is the mean over classes, the objective has the sum
        return {"domain": told_apart(m, *d), "classes": len(p) * domain_loss(*dc)}

    def _measure(self, m: Engine, d: Halves, dc: Halves, w: Halves) -> None:
        """Take the batch's error rates into account."""
        known: Any = m["known"]
        with torch.no_grad():
            # rates of errors, by which the A-distance is defined; the released program takes losses that it has
            # scaled down before, with which the share stays near one half
            local = errors(*dc, *w)
            known.errors.lerp_(torch.cat([errors(*d)[None], local]), 1 - self.memory)
            known.omega.copy_(proportion(known.errors))
        m.note("omega", lambda: known.omega.clone())
        m.note("class discriminators' accuracy", lambda: 1 - local.mean())


def proportion(rates: Tensor) -> Tensor:
    """The class discriminators' share of the domains' distance, by error rates (1 + C,), the first of the global one.

    A distance is 2 (1 - 2 error), and 0 for discriminators worse than guessing; one half where both are 0.
    """
    A = (2 * (1 - 2 * rates)).clamp(min=0)
    whole, local = A[0], A[1:].mean()
    # both branches are computed: no 0 / 0
    return torch.where(whole + local > 0, local / (whole + local).clamp(min=1e-30), 0.5)
