"""Mini-batch optimal transport: plans between small parts of both domains, averaged."""

from __future__ import annotations

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.earthmover import entropic_plan, exact_plan
from transfermap.math.linalg import Array
from transfermap.math.transport import Cost, barycentres, centred, squared_distance_scale
from transfermap.methods.transport._shared import SCALES, batches, clouds, displacements, moved, warn_if_short
from transfermap.roles import Adapter


def batch_images(cost: Cost, a: Array, b: Array, Xt: Array, reg: float | None) -> tuple[Array, float]:
    """Where a plan takes each source row of a batch, (n, d), and the error of its column sums; reg None: exact."""
    if reg is None:
        return (exact_plan(cost, a, b)[0] @ Xt) / a[:, None], 0.0
    return barycentres(cost, a, b, entropic_plan(cost, a, b, reg), reg, Xt)


def averaged_images(
    cost: Cost, a: Array, b: Array, Xt: Array, reg: float | None, size: int, rounds: int, seed: int
) -> tuple[Array, float]:
    """Each source row's mean place over all batches it is in, (n, d), and the largest error of a batch's plan."""
    rng, n, m = np.random.default_rng(seed), len(a), len(b)
    sums, counts, worst = np.zeros((n, Xt.shape[1])), np.zeros(n), 0.0
    # one batch holds all: the next rounds would find the same plan
    for _ in range(rounds if max(n, m) > size else 1):
        for i, j in batches(n, m, size, rng):
            # scaled once over all rows, so that the entropy weighs the same in every batch
            part = Cost(cost.Xs[i], cost.Xt[j])
            images, error = batch_images(part, a[i] / a[i].sum(), b[j] / b[j].sum(), Xt[j], reg)
            sums[i] += images
            counts[i] += 1
            worst = max(worst, error)
    return sums / counts[:, None], worst


@method(
    Card(
        name="Mini-batch optimal transport",
        year=2020,
        setting="transductive",
        transfers="features",
        objective="mean over batches (I, J) of  argmin_P <P, C_IJ>  s.t.  P1 = 1/|I|, P'1 = 1/|J|",
        steps=(
            "Deal the rows of both domains out into small batches at random.",
            "Find the cheapest plan that carries each source batch onto its target batch.",
            "Move each source row to the mean of the places that all its batches' plans take it to.",
            "Train on the moved source; target rows stay as they are.",
        ),
        solver="exact plans (or entropic ones) batch by batch",
        cost="time rounds n (batch_size d + a sparse simplex's share), memory n d + 8 batch_size^2 bytes",
        assumes=(
            "a batch has enough rows to look like its domain",
            "what turns source rows into target rows moves them little, and keeps neighbours neighbours",
            "class shares are about equal in both domains",
        ),
        fails_when=(
            "class shares differ (label shift): every row has to be carried somewhere, so some go to the wrong class",
            "batches are small: rows then move towards the target's mean, and rare classes are missing from many",
        ),
        reference="Fatras, Zine, Flamary, Gribonval and Courty, Learning with Minibatch Wasserstein: Asymptotic and "
        "Gradient Properties, AISTATS 2020",
        doi="10.48550/arXiv.1910.04091",
        toy="rotation_and_scale",
    )
)
class MiniBatchTransport(Adapter):
    r"""Move each source row to the mean of the places that plans between small random batches take it to.

    .. math:: x_i \mapsto \operatorname{mean}_{(I, J):\, i \in I} \; |I| \sum_{j \in J} P^{IJ}_{ij} x'_j, \qquad
              P^{IJ} = \arg\min_{P \ge 0} \langle P, C_{IJ}\rangle \;\text{s.t.}\; P 1 = \tfrac{1}{|I|},\;
              P^\top 1 = \tfrac{1}{|J|}

    For tables too large for a plan between all rows. In each round every row of both domains is in a batch; where one
    batch holds all rows, this is the exact plan. Averaging rounds the map off a little, as an entropy does. A source
    row that was not in ``fit`` moves as its nearest one there does. Columns should be on comparable scales.

    Fails when class shares differ between the domains, or when batches are too small to look like their domain.

    Parameters
    ----------
    batch_size : int, default=1000
        Most rows of each domain in a batch, >= 2.
    rounds : int, default=5
        How often all rows are dealt out.
    reg : float or None, default=None
        Weight of the entropy of each batch's plan, in units of the scaled cost; None takes exact plans.
    cost_scale : {"median", "max", "none"}, default="median"
        What squared distances are divided by; of interest with ``reg`` only.
    random_state : int, default=0
        Deals the rows out.

    Attributes
    ----------
    rows_, shifts_ : ndarray of shape (n_different, d)
        The source's different rows, and how far each goes.

    Examples
    --------
    >>> import numpy as np
    >>> Xs, Xt = np.arange(6.0)[:, None], np.arange(6.0)[::-1, None] + 10
    >>> X, domain = np.r_[Xs, Xt], np.repeat([1, -1], 6)
    >>> MiniBatchTransport().fit_transform(X, sample_domain=domain)[:6].ravel().round(9).tolist()
    [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]

    References
    ----------
    Fatras, Zine, Flamary, Gribonval and Courty, Learning with Minibatch Wasserstein: Asymptotic and Gradient
    Properties, AISTATS 2020. doi:10.48550/arXiv.1910.04091
    """

    batch_size: int = param(default=1000, low=2)
    rounds: int = param(default=5, low=1)
    reg: float | None = param(default=None, above=0, none=True)
    cost_scale: str = param(default="median", choices=SCALES)
    random_state: int = param(default=0, low=0)

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        both = clouds(Xs, Xt)
        # an exact plan does not depend on the cost's scale
        scale = 1.0 if self.reg is None else squared_distance_scale(both.Xs, both.Xt, self.cost_scale)
        images, worst = averaged_images(
            centred(both.Xs, both.Xt, scale),
            both.a,
            both.b,
            both.Xt,
            self.reg,
            self.batch_size,
            self.rounds,
            self.random_state,
        )
        warn_if_short("MiniBatchTransport", worst, 1e-5, 1000)
        self.rows_, self.shifts_ = displacements(both, images, np.result_type(Xs))

    def _map_source(self, X: Array) -> Array:
        return moved(X, self.rows_, self.shifts_)
