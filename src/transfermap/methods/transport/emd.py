"""Exact optimal transport: move each source row to where the cheapest plan carries it."""

from __future__ import annotations

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.earthmover import exact_plan
from transfermap.math.linalg import Array
from transfermap.math.transport import centred, kernel_bytes
from transfermap.methods.transport._shared import check_room, clouds, displacements, moved
from transfermap.roles import Adapter


@method(
    Card(
        name="Exact optimal transport",
        year=2017,
        setting="transductive",
        transfers="features",
        objective="min_P <P, C>  s.t.  P1 = 1/n_s, P'1 = 1/n_t, P >= 0;  C_ij = ||x_i - x'_j||^2",
        steps=(
            "Find the plan that carries the source's rows onto the target's at the least sum of squared distances.",
            "Move each source row to the mean of the target rows that it is carried to.",
            "Train on the moved source; target rows stay as they are.",
        ),
        solver="network simplex on candidate pairs from an entropic plan; all other pairs are then checked (exact)",
        cost="time some 50 n_s n_t d and a sparse simplex; memory 4 n_s n_t bytes (8 up to 4 million pairs) + n d",
        assumes=(
            "what turns source rows into target rows moves them little, and keeps neighbours neighbours",
            "class shares are about equal in both domains",
            "columns are on comparable scales",
        ),
        fails_when=(
            "class shares differ (label shift): every row has to be carried somewhere, so some go to the wrong class",
            "the target has outliers: each of them gets its part of the source",
            "there are many columns and few rows: distances then say little",
        ),
        reference="Courty, Flamary, Tuia and Rakotomamonjy, Optimal Transport for Domain Adaptation, IEEE TPAMI 39(9), "
        "2017",
        doi="10.1109/TPAMI.2016.2615921",
        toy="rotation_and_scale",
    )
)
class EMD(Adapter):
    r"""Move each source row to the mean of the target rows that the cheapest transport plan carries it to.

    .. math:: \min_{P \ge 0} \sum_{ij} P_{ij} \lVert x_i - x'_j\rVert^2 \quad\text{s.t.}\quad P 1 = \tfrac1{n_s},\;
              P^\top 1 = \tfrac1{n_t}, \qquad x_i \mapsto n_s \sum_j P_{ij} x'_j

    The plan is optimal over all pairs of rows: after the simplex the reduced cost of each pair is looked at. A source
    row that was not in ``fit`` moves as its nearest one there does. Columns should be on comparable scales.

    Fails when class shares differ: every row has to be carried somewhere, so some go to the wrong class.

    Parameters
    ----------
    max_gb : float, default=2.0
        GiB that the plan may take while it is looked for; above it, ``fit`` raises a ValueError at once.

    Attributes
    ----------
    rows_, shifts_ : ndarray of shape (n_different, d)
        The source's different rows, and how far each goes.

    Examples
    --------
    >>> import numpy as np
    >>> Xs, Xt = np.array([[0.0], [1.0], [3.0]]), np.array([[13.0], [10.0], [11.0]])
    >>> EMD().fit_transform(np.r_[Xs, Xt], sample_domain=[1, 1, 1, -1, -1, -1]).ravel().tolist()
    [10.0, 11.0, 13.0, 13.0, 10.0, 11.0]

    References
    ----------
    Courty, Flamary, Tuia and Rakotomamonjy, Optimal Transport for Domain Adaptation, IEEE TPAMI 39(9), 2017.
    doi:10.1109/TPAMI.2016.2615921
    """

    max_gb: float = param(default=2.0, above=0)

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        both = clouds(Xs, Xt)
        # of the rough entropic plan that finds the near pairs: the only dense array
        needed = kernel_bytes(len(both.a), len(both.b), 1e-3)
        check_room("EMD", both, needed, self.max_gb, "use MiniBatchTransport")
        plan, _ = exact_plan(centred(both.Xs, both.Xt), both.a, both.b)
        images = (plan @ both.Xt) / both.a[:, None]
        self.rows_, self.shifts_ = displacements(both, images, np.result_type(Xs))

    def _map_source(self, X: Array) -> Array:
        return moved(X, self.rows_, self.shifts_)
