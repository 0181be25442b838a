"""Row-sparse transfer components: few columns, combined so that the domains' means agree."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy.linalg import eigh
from sklearn.utils.validation import check_is_fitted

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.roles import Adapter

_SMOOTH = 1e-6  # of the longest row: below it a row's length is taken for zero
_ROUNDING = 1e-10  # of the largest variance
_SHARE = 0.9  # of the variance, where no number of components is asked for


class Components(NamedTuple):
    """``A`` (d, k) and the objective after each round."""

    A: Array
    objective: list[float]


def pooled_scatter(Xs: Array, Xt: Array) -> tuple[Array, Array, Array]:
    """Mean (d,) and covariance (d, d) of all rows, and the difference (d,) of the domains' means, in float64."""
    n = len(Xs) + len(Xt)
    means = [X.mean(axis=0, dtype=np.float64) for X in (Xs, Xt)]
    mean = (len(Xs) * means[0] + len(Xt) * means[1]) / n
    # domain by domain, without a copy of both tables
    scatter = (_gram(Xs - mean) + _gram(Xt - mean)) / n
    return mean, scatter, means[0] - means[1]


def _gram(X: Array) -> Array:
    return X.T @ X


def variances(S: Array) -> Array:
    """Variances along the principal axes of a covariance ``S`` (d, d), falling; those that are rounding left out."""
    falling = np.linalg.eigvalsh(S)[::-1]
    return falling[falling > max(falling[0], 0) * _ROUNDING]


def components_for(S: Array, share: float) -> int:
    """The fewest principal axes of a covariance ``S`` (d, d) that hold ``share`` of the variance."""
    held = np.cumsum(variances(S)) < share * np.trace(S)
    return 1 + int(np.count_nonzero(held))


def row_sparse(S: Array, gap: Array, mu: float, k: int, max_iter: int, tol: float = 1e-6) -> Components:
    r"""Solve min_A sum_j sqrt(|a_j|^2 + e^2) + mu |A'gap|^2 subject to A'SA = I, by reweighting.

    Each round replaces a row's length by the parabola that touches it from above, whose minimum is a generalised
    eigenproblem; so the objective never rises. e is a millionth of the first round's longest row.

    Parameters
    ----------
    S : ndarray of shape (d, d)
        Covariance of all rows; k is cut to its rank.
    gap : ndarray of shape (d,)
        Difference of the domains' means.
    mu : float
        Weight of the gap, >= 0.
    k : int
        Number of components.
    max_iter : int
        Most rounds; it stops when a round gains less than ``tol`` of the objective.
    tol : float

    Returns
    -------
    Components
    """
    k = min(k, len(variances(S)))
    if k == 0:
        return Components(np.zeros((len(S), 1)), [0.0])
    trade, objective = mu * np.outer(gap, gap), list[float]()
    A = _smallest(trade + np.eye(len(S)), S, k)
    # fixed from here on, or the objective would change from round to round
    e = np.linalg.norm(A, axis=1).max() * _SMOOTH
    for _ in range(max_iter):
        smooth = np.hypot(np.linalg.norm(A, axis=1), e)
        objective.append(float(smooth.sum() + mu * ((gap @ A) ** 2).sum()))
        if len(objective) > 1 and objective[-2] - objective[-1] <= tol * abs(objective[-1]):
            break
        # the parabola r^2 / (2 r_0) + r_0 / 2 touches r at r_0 from above
        A = _smallest(trade + np.diag(0.5 / smooth), S, k)
    return Components(A, objective)


def _smallest(cost: Array, S: Array, k: int) -> Array:
    """The A (d, k) of least tr(A'(cost)A) with A'SA = I, largest entries positive."""
    # In units in which the cost's diagonal is one: after some rounds its entries lie many powers of ten apart.
    unit = 1 / np.sqrt(np.diag(cost))
    dear, worth = (unit[:, None] * M * unit for M in (cost, S))
    # from the other end, as S may be singular and the cost is not
    gains, V = eigh(worth, dear, subset_by_index=[len(S) - k, len(S) - 1])
    A = (unit[:, None] * V / np.sqrt(gains))[:, ::-1]
    largest = np.argmax(np.abs(A), axis=0)
    return A * np.where(A[largest, np.arange(k)] < 0, -1, 1)


def longest_rows(scores: Array, n_features: int | None, threshold: float) -> Array:
    """The ``n_features`` longest rows, or those that are longer than ``threshold`` of the longest, as a mask (d,)."""
    if n_features is None:
        kept = scores >= threshold * scores.max()
    else:
        kept = np.zeros(len(scores), dtype=bool)
        kept[np.argsort(-scores, kind="stable")[:n_features]] = True
    return kept


@method(
    Card(
        name="Row-sparse (L2,1) feature selection",
        year=2011,
        setting="transductive",
        transfers="features",
        objective="min_A  ||A||_{2,1} + mu ||A'(mean_s - mean_t)||^2   s.t.  A'SA = I",
        steps=(
            "Take the covariance of all rows and the difference of the domains' means.",
            "Find components of variance one that use few columns and in which the means agree.",
            "Keep the columns that the components use; train on the components, or on the columns themselves.",
        ),
        solver="iteratively reweighted symmetric eigenproblems; the objective never rises",
        cost="time n d^2 + rounds d^3, memory n d + d^2",
        assumes=(
            "what tells the domains apart is a difference of means along few directions",
            "the label shows in columns with much variance",
            "columns are on comparable scales",
        ),
        fails_when=(
            "class shares differ: the means then agree only if the classes are mixed up",
            "the label shows in columns of little variance, which are the first to be dropped",
        ),
        reference="Gu, Li and Han, Joint Feature Selection and Subspace Learning, IJCAI 2011",
        doi="https://www.ijcai.org/Proceedings/11/Papers/219.pdf",
        toy="mean_shift_nuisance",
    )
)
class L21Selection(Adapter):
    r"""Find components that use few columns and in which the domains' means agree.

    .. math:: \min_A \lVert A \rVert_{2,1} + \mu \lVert A^\top (\bar x_s - \bar x_t) \rVert^2
              \quad\text{s.t.}\quad A^\top S A = I, \qquad \lVert A \rVert_{2,1} = \sum_j \lVert a^j \rVert

    with the covariance :math:`S` of all rows; :math:`a^j`, the row of :math:`A` that belongs to column :math:`j`, is
    zero where the column is not needed. The second term is the components' squared (linear) MMD. The paper has a graph
    term in its place; with the MMD the selection becomes one for transfer.

    Columns should be on comparable scales: those with the largest numbers are the cheapest.

    Fails when class shares differ, or when the label shows in columns of little variance.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of components; fewer where the data has fewer. None takes as many as hold 90 % of the variance.
    mu : float, default=100.0
        Weight of the difference of means, >= 0. The components have variance one, so at 100 a shift of a tenth of a
        standard deviation costs as much as a further column of variance one.
    output : {"components", "columns"}, default="components"
        What the rows become: the components, or the columns that are kept, as they are. A column that moved can be of
        use in a component, in which another's move undoes its own; by itself it cannot.
    n_features : int or None, default=None
        How many columns are kept; None leaves it to ``threshold``.
    threshold : float, default=0.05
        Kept are the columns whose row of A is at least this share, in [0, 1], of the longest. Much shorter rows do not
        use a column, they only make up for chance differences of the others' means.
    max_iter : int, default=100
        Most rounds; it stops before when one gains less than a millionth.
    max_columns : int, default=5000
        Wider tables are refused at once: time grows with the cube of the width, memory with its square.

    Attributes
    ----------
    projection_ : ndarray of shape (d, n_components)
        A, found again among the columns that are kept; its other rows are zero.
    scores_ : ndarray of shape (d,)
        The length of each column's row of A.
    kept_ : ndarray of bool of shape (d,)
    objective_ : list of float
        The objective after each round.
    n_iter_ : int

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(900, 3)) * [3, 3, 1], rng.normal(size=(900, 3)) * [3, 3, 1] + [0, 9, 0]
    >>> chosen = L21Selection(n_components=1, output="columns")
    >>> chosen.fit(np.r_[Xs, Xt], sample_domain=np.repeat([1, -1], 900)).get_support().tolist()
    [True, False, False]

    References
    ----------
    Gu, Li and Han, Joint Feature Selection and Subspace Learning, IJCAI 2011.
    https://www.ijcai.org/Proceedings/11/Papers/219.pdf
    """

    n_components: int | None = param(default=None, low=1, none=True)
    mu: float = param(default=100.0, low=0)
    output: Literal["components", "columns"] = param(default="components", choices=("components", "columns"))
    n_features: int | None = param(default=None, low=1, none=True)
    threshold: float = param(default=0.05, low=0, high=1)
    max_iter: int = param(default=100, low=1)
    max_columns: int = param(default=5000, low=1)

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        _refuse_wide(Xs.shape[1], self.max_columns)
        self.mean_, S, gap = pooled_scatter(Xs, Xt)
        k = self.n_components or components_for(S, _SHARE)
        A, self.objective_ = row_sparse(S, gap, self.mu, k, self.max_iter)
        self.n_iter_, self.scores_ = len(self.objective_), np.linalg.norm(A, axis=1)
        self.kept_ = kept = longest_rows(self.scores_, self.n_features, self.threshold)
        if not kept.all():
            # the dropped rows were small and not 0: without them the rest has to balance the means anew
            again = row_sparse(S[np.ix_(kept, kept)], gap[kept], self.mu, k, self.max_iter).A
            A = np.zeros((len(S), again.shape[1]))
            A[kept] = again
        self.projection_ = A

    def get_support(self) -> Array:
        """Which columns are kept, a mask of shape (d,)."""
        check_is_fitted(self)
        return self.kept_

    def _map_source(self, X: Array) -> Array:
        if self.output == "columns":
            return X[:, self.kept_]
        return ((X - self.mean_) @ self.projection_).astype(X.dtype)

    def _map_target(self, X: Array) -> Array:
        return self._map_source(X)


def _refuse_wide(d: int, most: int) -> None:
    if d > most:
        raise ValueError(
            f"L21Selection solves eigenproblems of {d} x {d} columns (about {24 * d * d / 1e9:.1f} GB each); "
            f"it takes at most max_columns={most}: drop columns first, or raise max_columns"
        )
