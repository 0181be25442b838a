"""Entropic optimal transport: the cheapest plan that is not too sharp, which spreads each row over several."""

from __future__ import annotations

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.earthmover import entropic_plan
from transfermap.math.linalg import Array
from transfermap.math.transport import barycentres, kernel_bytes
from transfermap.methods.transport._shared import (
    SCALES,
    check_room,
    clouds,
    displacements,
    moved,
    scaled_cost,
    warn_if_short,
)
from transfermap.roles import Adapter


@method(
    Card(
        name="Entropic optimal transport",
        year=2013,
        setting="transductive",
        transfers="features",
        objective="min_P <P, C> + reg KL(P || ab')  s.t.  P1 = a, P'1 = b",
        steps=(
            "Find the plan that carries the source's rows onto the target's cheaply, each row spread over several.",
            "Move each source row to the weighted mean of the target rows that it is spread over.",
            "Train on the moved source; target rows stay as they are.",
        ),
        solver="stabilised scaling and Newton steps on the dual, until the marginals are right to tol",
        cost="time some n_s n_t (10 d + steps); memory 4 n_s n_t bytes (8 up to 4 million pairs) + n d",
        assumes=(
            "what turns source rows into target rows moves them little, and keeps neighbours neighbours",
            "class shares are about equal in both domains",
            "columns are on comparable scales",
        ),
        fails_when=(
            "class shares differ (label shift): every row has to be carried somewhere, so some go to the wrong class",
            "reg is large: all rows then move to the target's mean, and the classes with them",
        ),
        reference="Cuturi, Sinkhorn Distances: Lightspeed Computation of Optimal Transport, NIPS 2013",
        doi="10.48550/arXiv.1306.0895",
        toy="rotation_and_scale",
    )
)
class Sinkhorn(Adapter):
    r"""Move each source row to the weighted mean of the target rows that an entropic transport plan spreads it over.

    .. math:: \min_{P 1 = a,\, P^\top 1 = b} \sum_{ij} P_{ij} \frac{\lVert x_i - x'_j\rVert^2}{s} +
              \lambda \operatorname{KL}(P \,\|\, a b^\top), \qquad x_i \mapsto \frac{1}{a_i} \sum_j P_{ij} x'_j

    with the cost's scale :math:`s`, so that ``reg`` means the same on any table. With ``reg`` towards 0 this is the
    exact plan; with ``reg`` towards infinity all source rows move to the target's mean. A source row that was not in
    ``fit`` moves as its nearest one there does. Columns should be on comparable scales.

    Fails when class shares differ between the domains, or when ``reg`` is so large that classes run together.

    Parameters
    ----------
    reg : float, default=0.02
        Weight of the entropy, > 0, in units of the scaled cost. Small values take longer.
    cost_scale : {"median", "max", "none"}, default="median"
        What squared distances are divided by; "none" leaves them as they are, as the paper does.
    tol : float, default=1e-06
        Stop when the plan's column sums are right to this (l1, of a total of 1); its row sums are exact.
    max_iter : int, default=1000
        Most steps; a ConvergenceWarning says when they did not suffice.
    max_gb : float, default=2.0
        GiB that the plan may take while it is looked for; above it, ``fit`` raises a ValueError at once.

    Attributes
    ----------
    rows_, shifts_ : ndarray of shape (n_different, d)
        The source's different rows, and how far each goes.
    marginal_error_ : float
    n_iter_ : int

    Examples
    --------
    >>> import numpy as np
    >>> Xs, Xt = np.array([[0.0], [4.0]]), np.array([[10.0], [14.0]])
    >>> X, domain = np.r_[Xs, Xt], [1, 1, -1, -1]
    >>> Sinkhorn(reg=1e-3).fit_transform(X, sample_domain=domain)[:2].round(6).ravel().tolist()
    [10.0, 14.0]
    >>> Sinkhorn(reg=1e6).fit_transform(X, sample_domain=domain)[:2].round(2).ravel().tolist()
    [12.0, 12.0]

    References
    ----------
    Cuturi, Sinkhorn Distances: Lightspeed Computation of Optimal Transport, NIPS 2013. doi:10.48550/arXiv.1306.0895
    """

    reg: float = param(default=0.02, above=0)
    cost_scale: str = param(default="median", choices=SCALES)
    tol: float = param(default=1e-6, above=0)
    max_iter: int = param(default=1000, low=1)
    max_gb: float = param(default=2.0, above=0)

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        both = clouds(Xs, Xt)
        # by the tolerance: a looser one lets large kernels be float32
        needed = kernel_bytes(len(both.a), len(both.b), self.tol)
        check_room("Sinkhorn", both, needed, self.max_gb, "use MiniBatchTransport")
        cost = scaled_cost(both, self.cost_scale)
        found = entropic_plan(cost, both.a, both.b, self.reg, self.tol, self.max_iter)
        warn_if_short("Sinkhorn", found.error, self.tol, found.steps)
        images, self.marginal_error_ = barycentres(cost, both.a, both.b, found, self.reg, both.Xt)
        self.n_iter_ = found.steps
        self.rows_, self.shifts_ = displacements(both, images, np.result_type(Xs))

    def _map_source(self, X: Array) -> Array:
        return moved(X, self.rows_, self.shifts_)
