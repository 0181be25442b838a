"""Class-regularised optimal transport: each target row is to receive source rows of one class only."""

from __future__ import annotations

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.earthmover import entropic_plan
from transfermap.math.linalg import Array
from transfermap.math.transport import Cost, Potentials, barycentres, class_shares, kernel_bytes
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
from transfermap.split import Reads

_ABSENT = 1e-3  # added to shares, so that the first of a class's mass does not cost infinitely much


def class_plan(
    cost: Cost, a: Array, b: Array, reg: float, class_reg: float, rounds: int, tol: float, max_iter: int
) -> tuple[Cost, Potentials, Array, int]:
    """The cost with the last round's prices, its potentials, each class's share of each column, and rounds taken.

    Each round puts the concave penalty's tangent at the last plan in its place: a price for a class at a target row.
    """
    rough = min(1e3 * tol, max(tol, 1e-3))  # prices need no plan that is right to the last digit
    found = entropic_plan(cost, a, b, reg, rough, max_iter)
    # the first round has no prices: entropic transport
    shares, done = class_shares(cost, a, b, found, reg, cost.codes), 1
    while done < rounds:
        # the slope of sqrt at the last shares; a concave penalty never lies above its tangent, so no round loses
        cost, before, done = cost._replace(table=class_reg / (2 * np.sqrt(shares + _ABSENT))), shares, done + 1
        found = entropic_plan(cost, a, b, reg, rough, max_iter, found.g)
        shares = class_shares(cost, a, b, found, reg, cost.codes)
        if np.abs(shares - before).max() < 1e-3:
            break
    return cost, entropic_plan(cost, a, b, reg, tol, max_iter, found.g), shares, done


@method(
    Card(
        name="Class-regularised optimal transport",
        year=2017,
        setting="transductive",
        transfers="features",
        tasks=("classification",),
        objective="min_P <P, C> + reg KL(P || ab') + class_reg sum_j b_j sum_c sqrt(P(I_c, j) / b_j)  s.t.  P1 = a, "
        "P'1 = b",
        steps=(
            "Find the entropic plan that carries the source's rows onto the target's.",
            "At each target row, put a price on the classes that send it little.",
            "Find the plan again with these prices, and so on until the classes' shares stay.",
            "Move each source row to the weighted mean of the target rows that it is spread over, and train on it.",
        ),
        solver="majorisation and minimisation, an entropic plan in each round",
        cost="a round as entropic transport, from the last one's potentials; memory 4 n_s n_t bytes (8 up to 4 million "
        "pairs) + n d + n_t classes",
        assumes=(
            "rows of different classes stay apart in the target",
            "what turns source rows into target rows moves them little",
            "class shares are about equal in both domains",
        ),
        fails_when=(
            "class shares differ (label shift): every row has to be carried somewhere, so some go to the wrong class",
            "the first plan sends most of a target group rows of the wrong class: the prices then make it firm",
        ),
        reference="Courty, Flamary, Tuia and Rakotomamonjy, Optimal Transport for Domain Adaptation, IEEE TPAMI 39(9), "
        "2017",
        doi="10.1109/TPAMI.2016.2615921",
        toy="rotation_and_scale",
    )
)
class ClassTransport(Adapter):
    r"""Move source rows by an entropic plan in which each target row receives rows of few classes, at best of one.

    .. math:: \min_{P 1 = a,\, P^\top 1 = b} \langle P, C\rangle + \lambda \operatorname{KL}(P \,\|\, a b^\top) +
              \eta \sum_j b_j \sum_c \sqrt{P(I_c, j) / b_j}

    with the scaled squared distances :math:`C` and the source rows :math:`I_c` of class :math:`c`: the paper's
    :math:`\ell_p\text{-}\ell_1` penalty, p = 1/2, of each class's *share* of a target row, so that ``class_reg`` means
    the same for any number of rows. The paper's weight of the mass itself is ``class_reg`` / sqrt(n_target). A source
    row that was not in ``fit`` moves as its nearest one there does. Columns should be on comparable scales.

    Fails when class shares differ, or when the first plan already carries most rows to the wrong class.

    Parameters
    ----------
    reg : float, default=0.02
        Weight of the entropy, > 0, in units of the scaled cost. Small values take longer.
    class_reg : float, default=0.1
        Weight of the classes' penalty, in units of the scaled cost; 0 is plain entropic transport.
    cost_scale : {"median", "max", "none"}, default="median"
        What squared distances are divided by; "none" leaves them as they are, as the paper does.
    rounds : int, default=10
        Most rounds; it stops before when the shares stay.
    tol : float, default=1e-06
        Stop a round when the plan's column sums are right to this (l1, of a total of 1); its row sums are exact.
    max_iter : int, default=1000
        Most steps a round; a ConvergenceWarning says when they did not suffice in the last one.
    max_gb : float, default=2.0
        GiB that the plan may take while it is looked for; above it, ``fit`` raises a ValueError at once.

    Attributes
    ----------
    rows_, shifts_ : ndarray of shape (n_different, d)
        The source's different rows, and how far each goes.
    guess_ : ndarray of shape (n_target,)
        The class that sends each target row the most.
    marginal_error_ : float
    n_iter_ : int
        Rounds taken.

    Examples
    --------
    >>> import numpy as np
    >>> Xs, Xt = np.array([[0.0], [1.0], [5.0], [6.0]]), np.array([[2.0], [3.0], [7.0], [8.0]])
    >>> y = ["low", "low", "high", "high"] + [None] * 4
    >>> moved = ClassTransport().fit(np.r_[Xs, Xt], y, sample_domain=[1, 1, 1, 1, -1, -1, -1, -1])
    >>> moved.guess_.tolist()
    ['low', 'low', 'high', 'high']

    References
    ----------
    Courty, Flamary, Tuia and Rakotomamonjy, Optimal Transport for Domain Adaptation, IEEE TPAMI 39(9), 2017.
    doi:10.1109/TPAMI.2016.2615921
    """

    reads = Reads("source")

    reg: float = param(default=0.02, above=0)
    class_reg: float = param(default=0.1, low=0)
    cost_scale: str = param(default="median", choices=SCALES)
    rounds: int = param(default=10, low=1)
    tol: float = param(default=1e-6, above=0)
    max_iter: int = param(default=1000, low=1)
    max_gb: float = param(default=2.0, above=0)

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        classes, codes = np.unique(np.asarray(ys), return_inverse=True)
        both = clouds(Xs, Xt, codes)
        needed = kernel_bytes(len(both.a), len(both.b), self.tol)
        check_room("ClassTransport", both, needed, self.max_gb, "use MiniBatchTransport")
        cost, found, shares, self.n_iter_ = class_plan(
            scaled_cost(both, self.cost_scale),
            both.a,
            both.b,
            self.reg,
            self.class_reg,
            self.rounds,
            self.tol,
            self.max_iter,
        )
        warn_if_short("ClassTransport", found.error, self.tol, found.steps)
        images, self.marginal_error_ = barycentres(cost, both.a, both.b, found, self.reg, both.Xt)
        self.guess_ = classes[shares.argmax(axis=0)][both.from_t]
        self.rows_, self.shifts_ = displacements(both, images, np.result_type(Xs))

    def _map_source(self, X: Array) -> Array:
        return moved(X, self.rows_, self.shifts_)
