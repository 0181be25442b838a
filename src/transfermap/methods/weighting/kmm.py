"""Kernel mean matching: weigh the source so that its mean in a kernel's feature space is the target's."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from transfermap.card import Card, method, param
from transfermap.math.boxslab import BoxSlab, Quadratic, dense, low_rank, minimize_quadratic
from transfermap.math.components import embed, kernel_mean, nystroem_map, pick_landmarks
from transfermap.math.kernels import median_bandwidth, rbf
from transfermap.math.linalg import Array
from transfermap.roles import Weigher


def exact_match(Xs: Array, Xt: Array, gamma: float) -> tuple[Quadratic, Array]:
    """K / n_s and kappa / n_s, with the kernel of all pairs of source rows."""
    return dense(rbf(Xs, Xs, gamma) / len(Xs)), kernel_mean(Xs, Xt, gamma)


def nystroem_match(Xs: Array, Xt: Array, gamma: float, landmarks: Array) -> tuple[Quadratic, Array]:
    """The same with the kernel as the landmarks see it: memory n_source times the number of landmarks.

    A row's kernel with itself is kept exact: what the landmarks do not see of it would otherwise cost nothing, and few
    rows would get all the weight.
    """
    white = nystroem_map(landmarks, gamma)
    Phi = embed(Xs.astype(np.float64, copy=False), landmarks, gamma, white)
    goal = Phi @ (kernel_mean(landmarks, Xt, gamma) @ white)
    # k(x, x) = 1 for this kernel
    unseen = np.maximum(1 - np.einsum("nk,nk->n", Phi, Phi), 0) / len(Xs)
    Phi /= np.sqrt(len(Xs))
    return low_rank(Phi, unseen), goal


def mean_matching_weights(
    problem: tuple[Quadratic, Array], B: float, eps: float | None, tol: float, max_iter: int
) -> tuple[Array, float]:
    """The weights (n_source,), mean 1, and how far the squared MMD may be from the least possible."""
    n = len(problem[1])
    # the paper's
    eps = (np.sqrt(n) - 1) / np.sqrt(n) if eps is None else eps
    # all rows in one problem: ADAPT solves it in batches, and forgets the remainder (docs/errors.md)
    within = BoxSlab(B, n * max(1 - eps, 0), n * (1 + eps))
    # the quadratic is n / 2 times the squared distance of the means, less a constant
    b, error = minimize_quadratic(*problem, within, tol * n / 2, max_iter)
    return b / b.mean(), error * 2 / n


@method(
    Card(
        name="Kernel mean matching",
        year=2006,
        setting="transductive",
        transfers="instances",
        objective="min_b  ||mean_i b_i phi(x_i^s) - mean_j phi(x_j^t)||^2   s.t.  0 <= b <= B,  |mean b - 1| <= eps",
        steps=(
            "Compare all rows by a Gaussian kernel.",
            "Find the weights under which the source's mean in the kernel's feature space is nearest to the target's.",
            "Train on the weighted source.",
        ),
        solver="convex quadratic program by an interior-point method, until the duality gap is below tol",
        cost="some 20 steps of time n_s m^2, memory n_s m, with m = n_s up to max_exact rows, m landmarks beyond",
        assumes=(
            "the same row means the same label in both domains (covariate shift)",
            "the source has rows wherever the target has",
            "columns are on comparable scales",
        ),
        fails_when=(
            "the domains hardly overlap, or there are very many columns: a few rows then get all the weight",
            "class shares or the labels' dependence on the row differ",
        ),
        reference="Huang, Gretton, Borgwardt, Schoelkopf and Smola, Correcting Sample Selection Bias by Unlabeled "
        "Data, NIPS 2006",
        doi="https://proceedings.neurips.cc/paper/2006/hash/a2186aa7c086b46ad4e8bf81e2a3a19b-Abstract.html",
        toy="covariate_shift",
        by_default=True,
    )
)
class KMM(Weigher):
    r"""Weigh source rows so that the weighted source has the target's mean in a kernel's feature space.

    .. math:: \min_{\beta} \Bigl\lVert \frac{1}{n_s}\sum_i \beta_i \phi(x^s_i) - \frac{1}{n_t}\sum_j
              \phi(x^t_j)\Bigr\rVert^2 \quad\text{s.t.}\quad 0 \le \beta_i \le B,\quad
              \Bigl|\frac{1}{n_s}\sum_i \beta_i - 1\Bigr| \le \epsilon

    Every source row gets a weight; they are scaled to mean 1 at the end. Columns should be on comparable scales.

    Fails when the domains hardly overlap, in very many columns, or when class shares differ.

    Parameters
    ----------
    B : float, default=1000.0
        Largest weight, > 1, before scaling.
    eps : float or None, default=None
        How far the mean weight may be from 1, > 0; None is the paper's (sqrt(n_s) - 1) / sqrt(n_s).
    gamma : float or None, default=None
        Of the RBF kernel exp(-gamma |x - y|^2), in 1 / squared units of X; None takes 1 / median squared distance.
    tol : float, default=1e-06
        Stop when the squared distance of the means is within this of the least possible (duality gap).
    max_iter : int, default=100
        Most steps; a ConvergenceWarning says when they did not suffice.
    max_exact : int, default=2000
        Up to this many source rows the kernel is exact.
    landmarks : int, default=300
        Above it, the number of rows, drawn from both domains, through which the kernel is seen (Nystroem).
    random_state : int, default=0
        Draws the landmarks, and the rows of the median above 1,000.

    Attributes
    ----------
    weights_ : ndarray of shape (n_source,), mean 1

    Examples
    --------
    >>> import numpy as np
    >>> Xs, Xt = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([[2.0], [3.0]])
    >>> kmm = KMM().fit(np.r_[Xs, Xt], sample_domain=[1, 1, 1, 1, -1, -1])
    >>> bool(kmm.weights_[2:].sum() > 3)
    True

    References
    ----------
    Huang, Gretton, Borgwardt, Schoelkopf and Smola, Correcting Sample Selection Bias by Unlabeled Data, NIPS 2006.
    https://proceedings.neurips.cc/paper/2006/hash/a2186aa7c086b46ad4e8bf81e2a3a19b-Abstract.html
    """

    B: float = param(default=1000.0, above=1)
    eps: float | None = param(default=None, above=0, none=True)
    gamma: float | None = param(default=None, above=0, none=True)
    tol: float = param(default=1e-6, above=0)
    max_iter: int = param(default=100, low=1)
    max_exact: int = param(default=2000, low=0)
    landmarks: int = param(default=300, low=2)
    random_state: int = param(default=0, low=0)

    def weigh(self, Xs: Array, ys: Array | None, Xt: Array) -> Array:
        gamma = self.gamma
        if gamma is None:
            gamma = 1 / (2 * median_bandwidth(np.concatenate([Xs, Xt]), self.random_state))
        if len(Xs) <= self.max_exact:
            problem = exact_match(Xs, Xt, gamma)
        else:
            problem = nystroem_match(Xs, Xt, gamma, pick_landmarks(Xs, Xt, self.landmarks, self.random_state))
        w, gap = mean_matching_weights(problem, self.B, self.eps, self.tol, self.max_iter)
        if gap > self.tol:
            warnings.warn(
                f"KMM: duality gap {gap:.1g} after {self.max_iter} steps, wanted {self.tol:.1g}; raise max_iter or tol",
                ConvergenceWarning,
                stacklevel=2,
            )
        return w
