"""Manifold embedded distribution alignment: one kernel rule that fits, aligns and stays smooth, on turned features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve, lu_factor, lu_solve
from sklearn.preprocessing import normalize

from transfermap.card import Card, method, param
from transfermap.math.components import embed, nystroem_map, pick_landmarks
from transfermap.math.confidence import sharpness
from transfermap.math.geodesic import domain_flow, flow_factor, kernel_moments
from transfermap.math.graph import similarity
from transfermap.math.kernels import rbf
from transfermap.math.linalg import Array
from transfermap.methods.alignment._dynamic import adaptive_factor
from transfermap.methods.alignment._joint import balanced_factor, nearest_labels, some_of_each
from transfermap.roles import Learner
from transfermap.split import Split

_CHUNK = 64  # columns of the graph's product that are held at a time


class System(NamedTuple):
    """The rule's equations without the alignment term: ``solve`` them; what ``pull`` makes of a right-hand side.

    ``rows`` (n, r) times the solution is the rule's value at each training row; ``landmarks`` (m, d) and ``basis``
    (m, r) say how to have it anywhere: k(x, landmarks) basis.
    """

    solve: Callable[[Array], Array]
    pull: Callable[[Array], Array]
    rows: Array
    landmarks: Array
    basis: Array


def kernel_system(Z: Array, labelled: Array, S: Any, rho: float, ridge: float, gamma: float) -> System:
    """((A + rho L) K + ridge I) b = right-hand side: the exact form, n x n."""
    K = rbf(Z, Z, gamma)
    # L = I - S
    left = (labelled + rho)[:, None] * K - rho * (S @ K)
    left[np.diag_indices(len(K))] += ridge
    # not symmetric; the symmetric form with K on both sides would square the condition number
    factors = lu_factor(left, overwrite_a=True)
    return System(lambda b: lu_solve(factors, b), lambda b: b, K, Z, np.eye(len(Z)))


def feature_system(
    Z: Array, labelled: Array, S: Any, rho: float, ridge: float, gamma: float, landmarks: Array
) -> System:
    """(F'(A + rho L)F + ridge I) b = F' right-hand side; features F of the kernel as ``landmarks`` (m, d) see it."""
    basis = nystroem_map(landmarks, gamma)
    F = embed(Z, landmarks, gamma, basis)
    left = np.empty((F.shape[1], F.shape[1]))
    for start in range(0, F.shape[1], _CHUNK):
        part = F[:, start : start + _CHUNK]
        left[:, start : start + _CHUNK] = F.T @ ((labelled + rho)[:, None] * part - rho * (S @ part))
    # rounding makes it unsymmetric
    factors = cho_factor((left + left.T) / 2 + ridge * np.eye(len(left)))
    return System(lambda b: cho_solve(factors, b), lambda b: F.T @ b, F, landmarks, basis)


def aligned(system: System, Y: Array, E: Array, weight: float) -> Array:
    """The solution (r, C) for labels ``Y`` (n, C), 0 in unlabelled rows, with weight * E E' added to A + rho L.

    E (n, q) is thin, so the equations are solved once for all rounds, and mended for each (Woodbury).
    """
    plain, side = system.solve(system.pull(Y)), system.solve(system.pull(E))
    if weight == 0:
        return plain
    seen = E.T @ system.rows
    # only the weighted class columns E change from round to round: q x q, not n x n
    return plain - side @ np.linalg.solve(np.eye(E.shape[1]) / weight + seen @ side, seen @ plain)


def weighted_factor(ys: Array, guess: Array, n_classes: int, mu: float) -> Array:
    """The factor of (1 - mu) C M_0 + mu sum_c M_c at Frobenius norm one, (n, C + 1); labels 0 ... C - 1."""
    E = balanced_factor(ys, guess, n_classes, mu)
    size = np.linalg.norm(E.T @ E)
    return E / np.sqrt(size) if size > 0 else E


@method(
    Card(
        name="Manifold embedded distribution alignment",
        year=2018,
        setting="transductive",
        transfers="features",
        tasks=("classification",),
        objective="min_f sum_s (y - f)^2 + eta ||f||_K^2 + lambda ||E'f||^2 + rho f'Lf,  f(z) = sum_i b_i k(z, z_i)",
        steps=(
            "Write rows in the features of the geodesic flow kernel, at length one; link each to its nearest others.",
            "Guess the target's labels by the nearest source row.",
            "Solve for the rule that fits the source's labels, has equal means in both domains, as a whole and class "
            "by class, and changes little along links; guess again, until the guess stays.",
        ),
        solver="one linear system, factorised once and mended each round; exact up to max_exact rows, Nystroem beyond",
        cost="exact: time n^3, memory n^2; beyond: time n (m^2 + 10000 k), memory n (d + m), m landmarks, k components",
        assumes=(
            "after a common map, both the rows and each class's rows have the same mean in both domains",
            "near rows have the same label",
            "the first guess of the target's labels is mostly right",
        ),
        fails_when=(
            "the first guess is poor: wrong labels are then fitted more and more firmly",
            "class shares differ much, or the target has classes that the source lacks",
            "what tells the classes is how far rows lie from the middle: all are brought to length one",
        ),
        reference="Wang, Feng, Chen, Yu, Huang and Yu, Visual Domain Adaptation with Manifold Embedded Distribution "
        "Alignment, ACM Multimedia 2018",
        doi="10.1145/3240508.3240512",
        by_default=True,
        toy="class_shift",
    )
)
class MEDA(Learner):
    r"""Fit one kernel rule that is right on the source, alike in both domains, and smooth between near rows.

    .. math:: \min_f \sum_{i \le n_s} (y_i - f(z_i))^2 + \eta \lVert f\rVert_K^2
              + \lambda\, \mathbf f^\top M \mathbf f + \rho\, \mathbf f^\top L \mathbf f, \qquad
              M \propto (1 - \mu)\, C M_0 + \mu \sum_{c=1}^{C} M_c

    over :math:`f(z) = \sum_i \beta_i k(z, z_i)`, so that :math:`\beta = ((A + \lambda M + \rho L) K + \eta I)^{-1} A Y`
    with :math:`A` marking source rows. Rows :math:`z` are those of the geodesic flow kernel (see GFK) at length one,
    :math:`L` is the normalised Laplacian of the graph that links each to its nearest others, :math:`f^\top M_0 f` is
    the squared gap between the domains' means of f and :math:`M_c` takes that of class c, with guessed target labels;
    M has Frobenius norm one. New rows need neither the graph nor the target's other rows.

    Columns should be on comparable scales. The labels of target rows are guessed, never read. Probabilities are the
    softmax of the rule's values, as sharp as fits the source's labels best.

    Fails when the first guess of the target's labels is poor, when class shares differ much, or when classes differ by
    how far their rows lie from the middle.

    Parameters
    ----------
    n_components : int or None, default=None
        Axes of each domain between which the flow runs; fewer where the data has fewer. The paper takes 20; None
        chooses as GFK does, which leaves room to turn in where there are few columns.
    neighbors : int, default=10
        Rows to which each is linked (the paper's p).
    mmd : float, default=10.0
        Weight of the alignment (the paper's lambda); 0 aligns nothing.
    rho : float, default=1.0
        Weight of smoothness over the graph; 0 does without.
    ridge : float, default=0.1
        Weight of the rule's size (the paper's eta).
    mu : float or None, default=None
        Share of the class-wise alignment, 0 to 1; None estimates it each round from how well source and target can be
        told apart as a whole and within each guessed class.
    gamma : float, default=0.5
        Of the kernel exp(-gamma |z - z'|^2) on rows of length one.
    centre : bool, default=True
        Whether to take each domain's own mean off its rows first. The paper's rows are z-scored, so that it has no
        effect.
    max_iter : int, default=10
        Most rounds; it stops before when the guess stays.
    max_exact : int, default=2000
        Up to this many rows in all, the kernel is exact.
    landmarks : int, default=500
        Above it, the number of rows, drawn from both domains, through which the kernel is seen (Nystroem).
    random_state : int, default=0
        Draws the landmarks, the cells in which neighbours are sought above 5,000 rows, and the source rows among which
        the first guess is sought above 10,000.

    Attributes
    ----------
    mu_ : float
        The mu of the last round.
    guess_ : ndarray of shape (n_target,)
        The last guess of the target's labels, in the order of the target's rows.
    n_iter_ : int
    target_mean_ : ndarray of shape (d,)
    factor_ : ndarray of shape (d, r)
        What centred rows are multiplied by.
    landmarks_ : ndarray of shape (m, r)
    coef_ : ndarray of shape (m, n_classes)
        The rule is k(z, landmarks_) coef_.
    sharpness_ : float
        What the rule's values are multiplied by.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile(["cat", "dog"], 100)
    >>> X = rng.normal(size=(200, 3)) + np.where(y == "cat", 3, -3)[:, None] * [1, 0, 0]
    >>> X[100:, 1] += 5
    >>> meda = MEDA().fit(X, y, sample_domain=np.repeat([1, -1], 100))
    >>> bool((meda.guess_ == y[100:]).mean() > 0.95)
    True

    References
    ----------
    Wang, Feng, Chen, Yu, Huang and Yu, Visual Domain Adaptation with Manifold Embedded Distribution Alignment, ACM
    Multimedia 2018. doi:10.1145/3240508.3240512
    """

    n_components: int | None = param(default=None, low=1, none=True)
    neighbors: int = param(default=10, low=1)
    mmd: float = param(default=10.0, low=0)
    rho: float = param(default=1.0, low=0)
    ridge: float = param(default=0.1, above=0)
    mu: float | None = param(default=None, low=0, high=1, none=True)
    gamma: float = param(default=0.5, above=0)
    centre: bool = param(default=True, choices=(True, False))
    max_iter: int = param(default=10, low=1)
    max_exact: int = param(default=2000, low=0)
    landmarks: int = param(default=500, low=2)
    random_state: int = param(default=0, low=0)

    def _fit(self, rows: Split) -> None:
        codes = np.searchsorted(self.classes_, np.asarray(rows.ys))
        Us, Ut = self._flow(rows.Xs, rows.Xt)
        Zs, Zt = normalize(Us), normalize(Ut)
        system = self._system(Zs, Zt)
        Y = np.zeros((len(Zs) + len(Zt), len(self.classes_)))
        Y[np.arange(len(Zs)), codes] = 1
        some = some_of_each(codes, seed=self.random_state)
        guess = nearest_labels(Zs[some], codes[some], Zt)
        for rounds in range(1, self.max_iter + 1):  # noqa: B007
            # on features before they are brought to length one, as in the authors' program
            self.mu_ = adaptive_factor(Us, codes, Ut, guess, Y.shape[1]) if self.mu is None else float(self.mu)
            b = aligned(system, Y, weighted_factor(codes, guess, Y.shape[1], self.mu_), self.mmd)
            f = system.rows @ b
            previous, guess = guess, f[len(Zs) :].argmax(axis=1)
            if np.array_equal(guess, previous):
                break
        self.landmarks_, self.coef_ = system.landmarks, system.basis @ b
        self.guess_, self.n_iter_ = self.classes_[guess], rounds
        self.sharpness_ = sharpness(f[: len(Zs)], codes)

    def _flow(self, Xs: Array, Xt: Array) -> tuple[Array, Array]:
        ms, mt, flow = domain_flow(Xs, Xt, self.n_components)
        # rows that were z-scored domain by domain, as in the authors' runs on SURF, have mean 0 already
        if not self.centre:
            ms = mt = np.zeros_like(ms)
        self.target_mean_, self.factor_ = mt, flow_factor(flow, kernel_moments(flow.angles))
        return (Xs - ms) @ self.factor_, (Xt - mt) @ self.factor_

    def _system(self, Zs: Array, Zt: Array) -> System:
        Z, labelled = np.concatenate([Zs, Zt]), np.repeat([1.0, 0.0], [len(Zs), len(Zt)])
        links = similarity(Z, self.neighbors, self.random_state) if self.rho else sparse.csr_array((len(Z), len(Z)))
        given = (Z, labelled, links, float(self.rho), self.ridge, self.gamma)
        if len(Z) <= self.max_exact:
            return kernel_system(*given)
        return feature_system(*given, pick_landmarks(Zs, Zt, self.landmarks, self.random_state))

    def _scores(self, X: Array) -> Array:
        Z = normalize((X - self.target_mean_) @ self.factor_)
        return self.sharpness_ * embed(Z, self.landmarks_, self.gamma, self.coef_)
