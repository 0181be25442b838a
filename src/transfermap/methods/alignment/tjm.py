"""Transfer joint matching: align the domains' means while source rows that do not help are weighed down."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.components import (
    Scale,
    Space,
    chance_penalty,
    coefficient_space,
    domain_factor,
    embed,
    leading,
    linear_space,
    moments_of,
    nystroem_features,
    pick_landmarks,
    pull,
    scaled,
    unit_norm,
    worthwhile,
)
from transfermap.math.kernels import median_bandwidth
from transfermap.math.linalg import Array
from transfermap.methods.alignment._shared import Kernel, Projection

Norm = Literal["paper", "code"]
_LEAST = 1e-8  # the length that a row of zeros is taken to have
_MOST = 100  # components, where their number is not given
_STEADY = 1e-6  # of the longest row: what changes less than this does not change any more


class Matched(NamedTuple):
    """Solutions V (r, k) in the coordinates of ``space``; the lengths (k,) of W's columns, and (n_source,) of its rows.

    The rows' lengths are those with columns of length one.
    """

    space: Space
    V: Array
    size: Array
    row_norms: Array
    rounds: int


def joint_matching(
    flat: Space, X: Array, n_source: int, reg: float, k: int | None, norm: Norm, max_iter: int
) -> Matched:
    """The components that align the domains' means, with coefficients on few source rows.

    Reweighted least squares: in each round a source row's coefficients are penalised by one over the length that they
    had in the round before, so those that are short become shorter. ``flat`` has the features whose products are the
    kernel; a round costs n r^2, and no matrix over pairs of rows is made.
    """
    ease, lengths = np.ones(len(X)), np.ones(n_source)
    e = unit_norm(domain_factor(n_source, len(X) - n_source))
    rounds, settled = 0, False
    while not settled and rounds < max_iter:
        rounds += 1
        space, dual = coefficient_space(flat, moments_of(flat, X, ease)[0])
        E = pull(space, X, e)
        share, V = leading(space.scatter, E, reg, k or _MOST)
        V = V if k else worthwhile(share, V, E, reg)
        W = coefficients(space, dual, X, ease, V)
        # row lengths with columns of length one: else they would depend on the solver's scale of an eigenvector
        size = np.maximum(np.linalg.norm(W, axis=0), np.finfo(float).tiny)
        before, lengths = lengths, np.linalg.norm(W[:n_source] / size, axis=1)
        settled = bool(np.abs(lengths - before).max() <= _STEADY * before.max())
        # 1 / G of the formula
        ease[:n_source] = (2 if norm == "paper" else 1) * lengths + _LEAST
    return Matched(space, V, size, lengths, rounds)


def coefficients(space: Space, dual: Array, X: Array, ease: Array, V: Array) -> Array:
    """W (n, k), one row a row of ``X``, with the penalty sum_i |w_i|^2 / ease_i."""
    W = embed(np.asarray(X, dtype=np.float64), space.landmarks, space.gamma, dual @ V)
    W *= ease[:, None]
    return W


@method(
    Card(
        name="Transfer joint matching",
        year=2014,
        setting="transductive",
        transfers="features",
        objective="min_A  tr(A'KMKA) + lambda (||A_s||_{2,1} + ||A_t||_F^2)   s.t.  A'KHKA = I",
        steps=(
            "Describe all rows by a kernel; each component is a sum over rows, with a coefficient for each row.",
            "Find the components in which the domains' means agree while the rows keep their variance.",
            "Make coefficients of source rows dear where they were small, and solve again: rows that do not help go.",
        ),
        solver="reweighted symmetric eigenproblems over the kernel's features; Nystroem above max_exact rows",
        cost="a round: time n m^2 + m^3, memory n d + m^2, with m landmarks (m = d with a linear kernel)",
        assumes=(
            "part of the source is like the target, and the rest can be left out of the components",
            "what tells the domains apart is a few directions that do not carry the label",
        ),
        fails_when=(
            "class shares differ: the means then agree only if the classes are mixed up",
            "the source rows that resemble the target least are the ones that carry a class",
        ),
        reference="Long, Wang, Ding, Sun and Yu, Transfer Joint Matching for Unsupervised Domain Adaptation, CVPR 2014",
        doi="10.1109/CVPR.2014.183",
        toy="mean_shift_nuisance",
    )
)
class TJM(Projection):
    r"""Project both domains onto components in which their means agree, made of the source rows that help most.

    .. math:: \min_A \operatorname{tr}(A^\top K M K A) + \lambda (\lVert A_s\rVert_{2,1} + \lVert A_t\rVert_F^2)
              \quad\text{s.t.}\quad A^\top K H K A = I

    with the kernel matrix :math:`K` of all rows, the centring :math:`H`, :math:`M = ee^\top / \lVert ee^\top\rVert_F`
    and :math:`e = 1/n_s` on source, :math:`-1/n_t` on target rows. The sum of the lengths of the source's rows of
    :math:`A` drives whole rows to zero. It is solved by reweighting: :math:`\lambda\operatorname{tr}(A^\top G A)` with
    :math:`G_{ii} = 1 / 2\lVert a_i\rVert` of the round before on source rows and 1 on target rows.

    Columns should be on comparable scales: kernels follow the columns with the largest numbers. Only the components
    are weighted; the estimator after it sees every source row.

    Fails when class shares differ, or when the source rows least like the target are the ones that carry a class.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of components (the paper: 20); fewer where the data has fewer. None takes the leading ones (at most 100,
        together 99 % of the sum of what is maximised) whose discrepancy is below their penalty.
    kernel : {"linear", "rbf"}, default="linear"
        The penalty lies on the kernel's coefficients, one a row, so there is no form over the columns.
    gamma : float or None, default=None
        Of the RBF kernel exp(-gamma |x - y|^2), in 1 / squared units of X; None takes 1 / median squared distance.
    reg : float or None, default=None
        The paper's lambda (1, on rows of length one). None is ten times the discrepancy that chance alone would show
        along the leading direction.
    norm : {"paper", "code"}, default="paper"
        :math:`G_{ii}` as above, or 1 / length as in the released code.
    scale : {"unit", "regularizer", "constraint"}, default="unit"
        Relative length of the components: columns of A of length 1, of length 1 in the objective's own metric, or
        components of equal variance. The embedding as a whole always has variance 1 per component on average.
    normalize : bool, default=False
        Whether to return rows of length one (the published numbers did).
    max_iter : int, default=10
        Most rounds; it stops before when the lengths stay.
    max_exact : int, default=2000
        Up to this many rows in all, the RBF kernel is exact.
    landmarks : int, default=500
        Above it, the number of rows, drawn from both domains, through which the RBF kernel is seen (Nystroem).
    random_state : int, default=0
        Draws the landmarks, and the rows of the median above 1,000.

    Attributes
    ----------
    projection_ : ndarray of shape (n_landmarks or d, n_components)
    landmarks_ : ndarray of shape (n_landmarks, d), or None without an RBF kernel
    gamma_ : float
    row_norms_ : ndarray of shape (n_source,)
        Length of each source row's coefficients, in the order of the source rows; near 0: the row was left out.
    n_iter_ : int

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 3)) * [1, 2, 1]
    >>> X[100:, 2] += 5
    >>> tjm = TJM(n_components=1).fit(X, sample_domain=np.repeat([1, -1], 100))
    >>> Z = tjm.transform(X)
    >>> bool(abs(Z[:100].mean() - Z[100:].mean()) < 0.3), tjm.row_norms_.shape
    (True, (100,))

    References
    ----------
    Long, Wang, Ding, Sun and Yu, Transfer Joint Matching for Unsupervised Domain Adaptation, CVPR 2014.
    doi:10.1109/CVPR.2014.183
    """

    kernel: Kernel = param(default="linear", choices=("linear", "rbf"))
    norm: Norm = param(default="paper", choices=("paper", "code"))
    max_iter: int = param(default=10, low=1)
    landmarks: int = param(default=500, low=2)

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        X = np.concatenate([Xs, Xt])
        flat, G = self._features(Xs, Xt)
        reg = chance_penalty(coefficient_space(flat, G)[0], X, len(Xs)) if self.reg is None else self.reg
        found = joint_matching(flat, X, len(Xs), reg, self.n_components, self.norm, self.max_iter)
        V = found.V / found.size if self.scale == "unit" else found.V
        relative: Scale = "constraint" if self.scale == "constraint" else "regularizer"
        self._keep(found.space, scaled(found.space, V, len(X), relative))
        self.row_norms_, self.n_iter_ = found.row_norms, found.rounds

    def _features(self, Xs: Array, Xt: Array) -> tuple[Space, Array]:
        """Features whose products are the kernel, and the sum of their squares."""
        X = np.concatenate([Xs, Xt])
        if self.kernel == "linear":
            flat = linear_space(X, dual=False)
            return flat, moments_of(flat, X, np.ones(len(X)))[0]
        gamma = self.gamma or 1 / (2 * median_bandwidth(X, self.random_state))
        m = len(X) if len(X) <= self.max_exact else self.landmarks
        return nystroem_features(X, pick_landmarks(Xs, Xt, m, self.random_state), gamma)
