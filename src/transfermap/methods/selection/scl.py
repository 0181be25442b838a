"""Structural correspondence learning: columns of two domains correspond where they go with the same pivots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.methods.selection._pivots import choose_pivots, label_information, switched_on, times_on, usual
from transfermap.methods.selection._predictors import LOSSES, Loss, pivot_predictors
from transfermap.roles import Adapter
from transfermap.split import Reads, stacked

_ROUNDING = 1e-8  # of the largest *squared* singular value
_OWN, _LOUDEST = 2.0, 2000  # times as often here as there; columns that are compared at most, all with all
_DIRECTIONS = 50  # as in the paper of 2007


def leading_left(W: Array, h: int) -> tuple[Array, Array]:
    """The ``h`` leading left singular vectors U (p, at most h) of ``W``, orthonormal, and U'W (at most h, m)."""
    # pivots are fewer than columns: m x m, not p x p
    squares, V = np.linalg.eigh(W.T @ W)
    squares, V = squares[::-1], V[:, ::-1]
    real = squares > max(squares.max(initial=0), 0) * _ROUNDING
    # The Gram matrix gives the directions; orthogonality is restored to the last digit.
    U = np.linalg.qr(W @ V[:, real][:, :h])[0]
    largest = np.argmax(np.abs(U), axis=0) if len(U) else np.zeros(0, dtype=int)
    U = U * np.where(U[largest, np.arange(U.shape[1])] < 0, -1, 1)
    # U, as printed; U times the singular values, as a library's transform returns it, would favour frequent columns
    return U, U.T @ W


def total_variance(X: Any) -> float:
    """The sum of the columns' variances."""
    mean = np.asarray(X.mean(axis=0, dtype=np.float64)).ravel()
    if sparse.issparse(X):
        return float((X.data.astype(np.float64) ** 2).sum() / X.shape[0] - (mean**2).sum())
    return float(X.var(axis=0, dtype=np.float64).sum())


def own_columns(mine: Array, other: Array, theta: Array) -> Array:
    """Columns that are on at least twice as often here as there, those with the longest rows of theta."""
    size = np.linalg.norm(theta, axis=1)
    own = np.flatnonzero((mine > _OWN * other) & (size > 0))
    return own[np.argsort(-size[own], kind="stable")[:_LOUDEST]]


def unit_rows(A: Array) -> Array:
    """Rows of length one; zero rows stay."""
    size = np.linalg.norm(A, axis=1, keepdims=True)
    return A / np.where(size > 0, size, 1)


def nearest_triples(theta: Array, pivots: Array, source: Array, target: Array) -> list[tuple[int, int, int]]:
    """(pivot, source column, target column) of each target column and its nearest source column, nearest first.

    Nearness is the cosine of the columns' rows of ``theta`` (d, h); the pivot is the one whose row of ``pivots`` (m, h)
    is nearest to the two together.
    """
    if not len(source) or not len(target) or not len(pivots):
        return []
    S, T, P = unit_rows(theta[source]), unit_rows(theta[target]), unit_rows(pivots)
    cosine = T @ S.T
    best = cosine.argmax(axis=1)
    pivot = ((S[best] + T) @ P.T).argmax(axis=1)
    # rounded, so that ties go by the column's place
    order = np.argsort(-cosine[np.arange(len(T)), best].round(12), kind="stable")
    return [(int(pivot[i]), int(source[best[i]]), int(target[i])) for i in order]


def triples_of(theta: Array, pivots: Array, source: Array, column: int) -> list[tuple[int, int, int]]:
    """(pivot, source column, ``column``) of each pivot, by how much ``column`` speaks for it, most first.

    The source column is the one that lies near to both, ``column`` and pivot: whose smaller cosine is the largest.
    """
    if not len(source) or not len(pivots):
        return []
    S, P, t = unit_rows(theta[source]), unit_rows(pivots), unit_rows(theta[[column]])
    best = np.minimum(P @ S.T, t @ S.T).argmax(axis=1)
    order = np.argsort(-(pivots @ theta[column]).round(12), kind="stable")
    return [(int(l), int(source[best[l]]), column) for l in order]


@method(
    Card(
        name="Structural correspondence learning",
        year=2006,
        setting="transductive",
        transfers="features",
        objective="min_w  sum_i L(y_il w_l'x_i) + reg ||w_l||^2  for each pivot l;   theta = the h leading left "
        "singular vectors of (w_1 ... w_m);   x -> (x, alpha theta'x)",
        steps=(
            "Choose pivots: columns at work in both domains, which tell about the source's label or are common.",
            "On all rows, learn to predict from the other columns where each pivot is on.",
            "Find the few directions that all these rules have in common.",
            "Add each row's place along them to its columns; train on the source.",
        ),
        solver="least squares with one shared factor (conjugate gradients above 4,000 rows and columns), or "
        "Newton steps for the modified Huber loss; one eigendecomposition of m x m",
        cost="time n d^2 + n d m (sparse: 30 m per number held) + d m^2, memory n (d + m) + d m, with m pivots",
        assumes=(
            "some columns mean the same in both domains and say something about the label",
            "columns that go with the same pivots mean the same",
        ),
        fails_when=(
            "the columns that the domains share say nothing about the label",
            "a pivot means one thing here and another there",
            "the target's own words stray into the source: the few rows there give them weights by chance",
            "there are only few columns: then hardly any are left to be predicted from",
        ),
        reference="Blitzer, McDonald and Pereira, Domain Adaptation with Structural Correspondence Learning, "
        "EMNLP 2006",
        doi="https://aclanthology.org/W06-1615/",
        neutral={"alpha": 0.0},
        toy="vocabulary_shift",
    )
)
class SCL(Adapter):
    r"""Add to each row what its columns have in common, as seen through pivots that both domains share.

    .. math:: w_l = \arg\min_w \sum_i L(y_{il}\, w^\top x_i) + \lambda \lVert w \rVert^2, \qquad
              (w_1 \dots w_m) = U D V^\top, \quad \theta = U_{:,1:h}, \quad x \mapsto (x, \alpha\, \theta^\top x)

    with :math:`y_{il} = 1` where pivot :math:`l` is on in row :math:`i` of either domain and :math:`-1` elsewhere. The
    pivots themselves are masked: :math:`w_l` sees the other columns only. A column is on where it lies beyond its mean,
    seen from zero: for a word that most rows lack, where it occurs; for a measurement, where it is high. Words of the
    source and of the target that go with the same pivots get the same place along :math:`\theta`, so that a rule learnt
    on the first holds for the second.

    Columns should be on comparable scales; counts and tf-idf of words, dense or sparse, are. Where there is no pivot,
    or no column beside them, the rows come back as they are.

    Fails when the columns that the domains share say nothing about the label, or when a pivot changes its meaning.

    Parameters
    ----------
    n_components : int or None, default=None
        The paper's h, the number of directions; fewer where there are fewer. None takes a third of the pivots' number,
        at most 50: with nearly as many directions as pivots, nothing would be held in common.
    n_pivots : int, default=500
        Most pivots; never more than half of the columns.
    pivots : {"information", "frequency"}, default="information"
        How pivots are ranked: by mutual information with the source's label (SCL-MI), or by how many rows of the domain
        in which they are rarer they are on in (the first paper). Labels of many different numbers count as four equally
        full classes.
    min_count : int, default=10
        A pivot is on in at least so many rows of each domain, and off in as many.
    loss : {"squared", "huber"}, default="squared"
        Of the pivot predictors; "huber" is the paper's modified Huber loss, many times as slow.
    reg : float, default=1.0
        Penalty of the pivot predictors, > 0, in units of the columns' mean variance.
    drop_negative : bool, default=False
        Whether negative weights count as zero, as in the paper: a word is then tied to pivots by what it occurs with,
        not by what it shuns.
    alpha : float, default=1.0
        Size of the added columns, >= 0: at 1 they vary as much in all as the original ones; 0 adds none.
    equal_variance : bool, default=False
        Whether the added columns are scaled to the same variance each, or by one factor.

    Attributes
    ----------
    pivots_ : ndarray of int of shape (m,)
        The pivots' columns, best first.
    theta_ : ndarray of shape (d, h)
        Orthonormal directions; zero for pivots.
    offset_, scale_ : ndarray of shape (h,)
        Added is ``(x @ theta_ - offset_) * scale_``.
    pivot_theta_ : ndarray of shape (m, h)
        Where the pivots lie along the directions: row l is theta'w_l.
    shares_ : ndarray of shape (2, d)
        In what share of the source's and of the target's rows each column is on.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> good = np.tile([0, 1], 200)
    >>> said = rng.random((400, 4)) < np.where(good[:, None] == [1, 0, 1, 1], 0.7, 0.1)
    >>> said[:200, 3], said[200:, 2] = False, False
    >>> domain = np.repeat([1, -1], 200)
    >>> scl = SCL(n_components=1).fit(said.astype(float), good, sample_domain=domain)
    >>> scl.correspondences(1, names=["excellent", "awful", "gripping", "sturdy"])
    [('excellent', 'gripping', 'sturdy')]

    References
    ----------
    Blitzer, McDonald and Pereira, Domain Adaptation with Structural Correspondence Learning, EMNLP 2006.
    https://aclanthology.org/W06-1615/

    Blitzer, Dredze and Pereira, Biographies, Bollywood, Boom-boxes and Blenders, ACL 2007.
    https://aclanthology.org/P07-1056/
    """

    sparse_ok = True
    reads = Reads("source")

    n_components: int | None = param(default=None, low=1, none=True)
    n_pivots: int = param(default=500, low=1)
    pivots: Literal["information", "frequency"] = param(default="information", choices=("information", "frequency"))
    min_count: int = param(default=10, low=1)
    loss: Loss = param(default="squared", choices=LOSSES)
    reg: float = param(default=1.0, above=0)
    drop_negative: bool = param(default=False, choices=(True, False))
    alpha: float = param(default=1.0, low=0)
    equal_variance: bool = param(default=False, choices=(True, False))

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        X, n_s = stacked(Xs, Xt), Xs.shape[0]
        on = switched_on(X, usual(X))
        times = times_on(on[:n_s]), times_on(on[n_s:])
        rows = n_s, Xt.shape[0]
        rank = label_information(on[:n_s], np.asarray(ys)) if self.pivots == "information" else None
        # columns must be left from which pivots are predicted
        most = min(self.n_pivots, X.shape[1] // 2)
        self.pivots_ = choose_pivots(times, rows, rank, most, self.min_count)
        self.shares_ = np.array([count / n for count, n in zip(times, rows, strict=True)])
        self._span(X, on[:, self.pivots_])
        self._size(X)

    def _span(self, X: Array, on: Array) -> None:
        # all pivots are masked: a rule that sees its own pivot predicts it by itself, and W holds nothing else
        # (two re-implementations: docs/errors.md)
        rest = np.setdiff1d(np.arange(X.shape[1]), self.pivots_)
        W = pivot_predictors(X[:, rest], on, self.reg, self.loss) if len(self.pivots_) else np.empty((len(rest), 0))
        if self.drop_negative:
            np.maximum(W, 0, out=W)
        U, seen = leading_left(W, self.n_components or min(max(len(self.pivots_) // 3, 1), _DIRECTIONS))
        self.theta_ = np.zeros((X.shape[1], U.shape[1]))
        self.theta_[rest], self.pivot_theta_ = U, seen.T

    def _size(self, X: Array) -> None:
        """Centre the added columns, and give them ``alpha`` times the variance of the original ones in all."""
        added = X @ self.theta_
        self.offset_, variance = added.mean(axis=0), added.var(axis=0)
        each = variance if self.equal_variance else np.full_like(variance, variance.mean() if variance.size else 1)
        share = total_variance(X) / max(variance.size, 1)
        self.scale_ = self.alpha * np.sqrt(np.divide(share, each, out=np.zeros_like(each), where=each > 0))

    def _map_source(self, X: Any) -> Any:
        if not self.scale_.any():
            return X
        added = ((X @ self.theta_ - self.offset_) * self.scale_).astype(X.dtype)
        return sparse.hstack([X, added], format="csr") if sparse.issparse(X) else np.concatenate([X, added], axis=1)

    def _map_target(self, X: Any) -> Any:
        return self._map_source(X)

    def correspondences(
        self, n: int = 10, names: Sequence[str] | None = None, of: str | None = None
    ) -> list[tuple[str, str, str]]:
        """What was learnt: which column of the target corresponds to which of the source, and by which pivot.

        A domain's own columns are on at least twice as often there as in the other domain.

        Parameters
        ----------
        n : int, default=10
            How many are wanted; the closest come first.
        names : sequence of d str, default=None
            The columns' names; None takes those of the frame that was fitted, or x0, x1, ...
        of : str, default=None
            One column to ask about, in place of all of the target's own: then the pivots that it speaks for most come
            first, each with a column of the source that does likewise.

        Returns
        -------
        list of (pivot, source column, target column)
        """
        check_is_fitted(self)
        called = self._names(names)
        here, there = self.shares_
        source, target = (own_columns(*sides, self.theta_) for sides in ((here, there), (there, here)))
        if of is None:
            found = nearest_triples(self.theta_, self.pivot_theta_, source, target)
        elif of in called:
            j = called.index(of)
            found = triples_of(self.theta_, self.pivot_theta_, source[source != j], j)
        else:
            raise ValueError(f"expected of to name a column, got {of!r}")
        return [(called[self.pivots_[p]], called[s], called[t]) for p, s, t in found[:n]]

    def _names(self, names: Sequence[str] | None) -> list[str]:
        d = len(self.theta_)
        if names is None:
            names = getattr(self, "feature_names_in_", [f"x{j}" for j in range(d)])
        if len(names) != d:
            raise ValueError(f"expected names for {d} columns, got {len(names)}")
        return [str(name) for name in names]
