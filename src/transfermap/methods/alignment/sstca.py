"""Semi-supervised transfer component analysis: TCA whose components follow the labels and keep neighbours close."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.sparse import csr_array
from sklearn.neighbors import NearestNeighbors

from transfermap.card import Card, method, param
from transfermap.math.components import (
    Space,
    chance_penalty,
    domain_factor,
    embed,
    leading,
    pull,
    scaled,
    unit_norm,
    worthwhile,
)
from transfermap.math.linalg import Array
from transfermap.methods.alignment._shared import KERNELS, Kernel, Projection
from transfermap.split import Reads

Labels = Literal["auto", "classes", "numbers"]
Centring = Literal["labelled", "all"]
_MOST = 100  # components, where their number is not given
_ANCHORS = 10_000  # rows among which neighbours are sought, where there are more
_BLOCK = 4096


def label_factor(ys: Array, labels: Labels = "auto") -> Array:
    """Y (n_source, q) with the label kernel YY': 1[y_i = y_j] C / n for C classes, y_i y_j / n for scaled numbers.

    "auto" takes labels for numbers where they are floats with a fraction.
    """
    fractions = ys.dtype.kind == "f" and bool((ys != np.round(ys)).any())
    if labels == "numbers" or (labels == "auto" and fractions):
        y = np.asarray(ys, dtype=np.float64)[:, None]
        spread = y.std()
        return (y - y.mean()) / ((spread if spread > 0 else 1) * np.sqrt(len(y)))
    classes, codes = np.unique(ys, return_inverse=True)
    return np.eye(len(classes))[codes] * np.sqrt(len(classes) / len(ys))


def neighbour_graph(X: Array, anchors: Array, n_neighbors: int) -> csr_array:
    """Weights (n, n_anchors) of each row's nearest anchors, other than itself: exp(-d^2 / 2 sigma^2), mean d = sigma.

    ``anchors`` are places of rows of ``X``.
    """
    own = np.full(len(X), -1)
    own[anchors] = np.arange(len(anchors))
    k = min(n_neighbors, len(anchors) - 1)
    distances, places = NearestNeighbors(n_neighbors=k + 1).fit(X[anchors]).kneighbors(X)
    # a row that is an anchor is its own nearest, except among copies of itself: drop it, or else the farthest
    drop = np.where((places == own[:, None]).any(axis=1), (places == own[:, None]).argmax(axis=1), k)
    keep = np.ones(places.shape, dtype=bool)
    keep[np.arange(len(X)), drop] = False
    distances, places = distances[keep].reshape(-1, k), places[keep].reshape(-1, k)
    sigma = distances.mean() if k else 0.0
    weights = np.exp(-(distances**2) / (2 * sigma**2)) if sigma > 0 else np.ones_like(distances)
    starts = np.arange(0, len(X) * k + 1, max(k, 1)) if k else np.zeros(len(X) + 1, dtype=int)
    return csr_array((weights.ravel(), places.ravel(), starts), shape=(len(X), len(anchors)))


def roughness(space: Space, X: Array, anchors: Array, graph: Any) -> Array:
    """F L F' (r, r) with the graph's Laplacian L (both directions averaged), scaled to a mean degree of one.

    a'FLF'a is then n / 2 times the mean of (z_i - z_j)^2 over pairs of neighbours, weighted.
    """
    degree = graph.sum(axis=1) / 2
    # neighbours are one-sided: half of each link for either end makes the Laplacian symmetric
    np.add.at(degree, anchors, graph.sum(axis=0) / 2)
    at_anchors = embed(np.asarray(X[anchors], dtype=np.float64), space.landmarks, space.gamma, space.basis)
    total = np.zeros((at_anchors.shape[1],) * 2)
    for start in range(0, len(X), _BLOCK):
        rows = slice(start, start + _BLOCK)
        F = embed(np.asarray(X[rows], dtype=np.float64), space.landmarks, space.gamma, space.basis)
        total += F.T @ (F * degree[rows, None] - graph[rows] @ at_anchors)
    return (total + total.T) / (2 * max(float(degree.mean()), np.finfo(float).tiny))


def dependence_on(space: Space, X: Array, Y: Array, gamma: float, centring: Centring) -> Array:
    """F H (gamma YY' + (1 - gamma) I) H F', (r, r), with Y (n_source, q) of the first rows of ``X``, zero elsewhere."""
    padded = np.zeros((len(X), Y.shape[1]))
    padded[: len(Y)] = Y if centring == "all" else Y - Y.mean(axis=0)
    # H of the formula: Y is centred over all rows, those of the target being 0
    FHY = pull(space, X, padded - padded.mean(axis=0))
    return gamma * FHY @ FHY.T + (1 - gamma) * space.scatter


def penalised(B: Array, E: Array, P: Array, k: int | None) -> Array:
    """Solutions (r, k) of ``B a = w (EE' + P) a``, best first, a'(EE' + P)a = 1; ``k`` None: as many as are of use."""
    # in coordinates in which the penalty is the plain norm it is TCA's problem
    C = cholesky(P, lower=True)
    half = solve_triangular(C, B, lower=True)
    B, E = solve_triangular(C, half.T, lower=True), solve_triangular(C, E, lower=True)
    share, V = leading((B + B.T) / 2, E, 1.0, k or _MOST)
    # 1: the penalty is the identity here
    V = V if k else worthwhile(share, V, E, 1.0)
    return solve_triangular(C, V, lower=True, trans="T")


@method(
    Card(
        name="Semi-supervised transfer component analysis",
        year=2011,
        setting="transductive",
        transfers="features",
        objective="min_W  tr(W'KLKW) + mu tr(W'W) + lambda tr(W'K Lap KW)   "
        "s.t.  W'KH (gamma K_yy + (1 - gamma) I) HKW = I",
        steps=(
            "Describe all rows of both domains by their columns, or by a kernel, and link each to its nearest rows.",
            "Find the components that follow the source's labels and keep the rows' variance, while the domains' means "
            "agree and linked rows stay close.",
            "Train on the source's components; the target goes through the same map.",
        ),
        solver="one symmetric generalised eigenproblem; Nystroem features above max_exact rows",
        cost="time n m^2 + m^3 + n min(n, 10000) d, memory n d + m^2 + min(n, 10000) m, with m landmarks (m = n up to "
        "max_exact rows, m = d without an RBF)",
        assumes=(
            "what tells the domains apart is a few directions that do not carry the label",
            "the directions that carry the label in the source carry it in the target too",
            "rows that lie close to each other have the same label",
        ),
        fails_when=(
            "class shares differ: the means then agree only if the classes are mixed up",
            "what follows the label in the source follows something else in the target",
        ),
        reference="Pan, Tsang, Kwok and Yang, Domain Adaptation via Transfer Component Analysis, IEEE TNN 22(2), 2011",
        doi="10.1109/TNN.2010.2091281",
        toy="mean_shift_nuisance",
    )
)
class SSTCA(Projection):
    r"""Project both domains onto components with equal means that follow the labels and keep neighbours close.

    .. math:: \min_W \operatorname{tr}(W^\top K L K W) + \mu \operatorname{tr}(W^\top W)
              + \frac{\lambda}{n} \operatorname{tr}(W^\top K \mathcal{L} K W)
              \quad\text{s.t.}\quad W^\top K H (\gamma K_{yy} + (1-\gamma) I) H K W = I

    with :math:`K`, :math:`H`, :math:`L` and :math:`\mu` as in :class:`TCA`, the Laplacian :math:`\mathcal{L}` of a
    nearest-neighbour graph over all rows, scaled to mean degree one, and the label kernel :math:`K_{yy}` of the source
    rows (zero elsewhere): :math:`C / n_s` where two rows have the same of :math:`C` classes, or
    :math:`y_i y_j / n_s` for standardised numbers. The scales make the params mean the same at every number of rows;
    the paper's :math:`\lambda_p` and :math:`\gamma_p` are :math:`\lambda = \lambda_p \bar d\, n_s n_t / n^2`, with the
    mean degree :math:`\bar d`, and :math:`\gamma = \gamma_p n_s / (\gamma_p n_s + (1 - \gamma_p) C)`.

    Columns should be on comparable scales, as for :class:`TCA`. With ``dependence=0`` and ``locality=0`` it is TCA.

    Fails when class shares differ, or when what follows the label in the source follows something else in the target.

    Parameters
    ----------
    dependence : float, default=0.5
        The paper's gamma, from 0 (variance only) to 1 (labels only).
    locality : float, default=1.0
        The paper's lambda: how dear it is that neighbours lie apart.
    n_neighbors : int, default=5
        Of each row in the graph. Above 10,000 rows, they are sought among 10,000, drawn with ``random_state``.
    labels : {"auto", "classes", "numbers"}, default="auto"
        What the source's labels are; "auto" takes floats with a fraction for numbers, all else for classes.
    centring : {"labelled", "all"}, default="labelled"
        Whether the labels are centred over the source's rows, or, as printed, over all rows, with 0 for those of the
        target. The latter also rewards components that tell labelled rows from others, and so source from target.
    n_components : int or None, default=None
        Number of components; fewer where the data has fewer. None takes the leading ones (at most 100, together 99 % of
        the sum of what is maximised) whose discrepancy is below their penalty.
    kernel : {"rbf", "linear", "primal"}, default="primal"
        "primal" works on the columns themselves, with the penalty on the d x k projection; "linear" and "rbf" are
        kernels, with the penalty on W.
    gamma : float or None, default=None
        Of the RBF kernel exp(-gamma |x - y|^2), in 1 / squared units of X; None takes 1 / median squared distance.
    reg : float or None, default=None
        The paper's mu. None is ten times the discrepancy that chance alone would show along the leading direction.
    scale : {"unit", "regularizer", "constraint"}, default="unit"
        Relative length of the components, as in TCA.
    normalize : bool, default=False
        Whether to return rows of length one.
    max_exact : int, default=2000
        Up to this many rows in all, the RBF kernel is exact.
    landmarks : int, default=1000
        Above it, the number of rows, drawn from both domains, through which the RBF kernel is seen (Nystroem).
    random_state : int, default=0
        Draws the landmarks, the rows of the median above 1,000, and those of the graph above 10,000.

    Attributes
    ----------
    projection_ : ndarray of shape (n_landmarks or d, n_components)
    landmarks_ : ndarray of shape (n_landmarks, d), or None without an RBF kernel
    gamma_ : float

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(400, 3)) * [1, 3, 1], np.tile([-1, 1], 200)
    >>> X[:, 0] += 2 * y
    >>> X[200:, 2] += 9
    >>> Z = SSTCA(n_components=1, dependence=0.9).fit_transform(X, y, sample_domain=np.repeat([1, -1], 200))
    >>> bool(abs(np.corrcoef(Z[200:, 0], y[200:])[0, 1]) > 0.7)
    True

    References
    ----------
    Pan, Tsang, Kwok and Yang, Domain Adaptation via Transfer Component Analysis, IEEE TNN 22(2), 2011.
    doi:10.1109/TNN.2010.2091281
    """

    reads = Reads("source")

    dependence: float = param(default=0.5, low=0, high=1)
    locality: float = param(default=1.0, low=0)
    n_neighbors: int = param(default=5, low=1)
    labels: Labels = param(default="auto", choices=("auto", "classes", "numbers"))
    centring: Centring = param(default="labelled", choices=("labelled", "all"))
    kernel: Kernel = param(default="primal", choices=KERNELS)

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        X, space = np.concatenate([Xs, Xt]), self._space(Xs, Xt)
        B = dependence_on(space, X, label_factor(np.asarray(ys), self.labels), self.dependence, self.centring)
        P = np.eye(len(B)) * (chance_penalty(space, X, len(Xs)) if self.reg is None else self.reg)
        if self.locality > 0:
            anchors = np.random.default_rng(self.random_state).permutation(len(X))[:_ANCHORS]
            graph = neighbour_graph(X, anchors, self.n_neighbors)
            # over n: so it is a mean over rows, as the other terms are, and means the same at any number
            P += self.locality / len(X) * roughness(space, X, anchors, graph)
        E = pull(space, X, unit_norm(domain_factor(len(Xs), len(Xt))))
        self._keep(space, scaled(space, penalised(B, E, P, self.n_components), len(X), self.scale))
