"""Transfer component analysis: a few directions in which the two domains have the same mean and the rows still vary."""

from __future__ import annotations

from transfermap.card import Card, method, param
from transfermap.math.components import domain_factor
from transfermap.math.linalg import Array
from transfermap.methods.alignment._shared import KERNELS, Kernel, Projection


@method(
    Card(
        name="Transfer component analysis",
        year=2011,
        setting="transductive",
        transfers="features",
        objective="min_W  tr(W'KLKW) + mu tr(W'W)   s.t.  W'KHKW = I",
        steps=(
            "Describe all rows of both domains by their columns, or by a kernel.",
            "Find the components in which the domains' means agree while the rows keep their variance.",
            "Train on the source's components; the target goes through the same map.",
        ),
        solver="one symmetric generalised eigenproblem; Nystroem features above max_exact rows",
        cost="time n m^2 + m^3, memory n d + m^2, with m landmarks (m = n up to max_exact rows, m = d without an RBF)",
        assumes=(
            "what tells the domains apart is a few directions that do not carry the label",
            "given the remaining components, the label follows the same rule in both domains",
            "columns are on comparable scales",
        ),
        fails_when=(
            "class shares differ: the means then agree only if the classes are mixed up",
            "the domains differ along the very direction that tells the classes apart",
        ),
        reference="Pan, Tsang, Kwok and Yang, Domain Adaptation via Transfer Component Analysis, IEEE TNN 22(2), 2011",
        doi="10.1109/TNN.2010.2091281",
        toy="mean_shift_nuisance",
        by_default=True,
    )
)
class TCA(Projection):
    r"""Project both domains onto components in which their means agree and the rows still vary.

    .. math:: \min_W \operatorname{tr}(W^\top K L K W) + \mu \operatorname{tr}(W^\top W)
              \quad\text{s.t.}\quad W^\top K H K W = I

    with the kernel matrix :math:`K` of all rows, the centring :math:`H`, and
    :math:`L = ee^\top / \lVert ee^\top\rVert_F`, :math:`e = 1/n_s` on source and :math:`-1/n_t` on target rows, so that
    the first term is the components' squared MMD. Scaling :math:`L` makes ``reg`` mean the same at every number of
    rows.

    Columns should be on comparable scales (:class:`sklearn.preprocessing.StandardScaler` before it): components and
    kernels follow the columns with the largest numbers.

    Fails when class shares differ, or when the domains differ along the direction that tells the classes apart.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of components; fewer where the data has fewer. None takes the leading ones (at most 100, together 99 % of
        the sum of what is maximised, variance over discrepancy plus penalty) whose discrepancy is below their penalty.
    kernel : {"rbf", "linear", "primal"}, default="primal"
        "primal" works on the columns themselves, with the penalty on the d x k projection: it drops shifted directions
        and keeps the others as they are. "linear" is the linear kernel, with the penalty on W, which favours directions
        of large variance. "rbf" sees curved structure, but in it domains that lie far apart share little.
    gamma : float or None, default=None
        Of the RBF kernel exp(-gamma |x - y|^2), in 1 / squared units of X; None takes 1 / median squared distance.
    reg : float or None, default=None
        The paper's mu: large values tend to kernel PCA, small ones to exactly equal means. None is ten times the
        discrepancy that chance alone would show along the leading direction.
    scale : {"unit", "regularizer", "constraint"}, default="unit"
        Relative length of the components: W's columns of length 1 (what the published numbers were made with), of
        length 1 in the objective's own metric, or components of equal variance (the constraint as printed). The
        embedding as a whole always has variance 1 per component on average.
    normalize : bool, default=False
        Whether to return rows of length one.
    max_exact : int, default=2000
        Up to this many rows in all, the RBF kernel is exact.
    landmarks : int, default=1000
        Above it, the number of rows, drawn from both domains, through which the RBF kernel is seen (Nystroem).
    random_state : int, default=0
        Draws the landmarks, and the rows of the median above 1,000.

    Attributes
    ----------
    projection_ : ndarray of shape (n_landmarks or d, n_components)
    landmarks_ : ndarray of shape (n_landmarks, d), or None without an RBF kernel
    gamma_ : float

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + [9, 0]
    >>> Z = TCA(n_components=1).fit_transform(np.r_[Xs, Xt], sample_domain=np.repeat([1, -1], 200))
    >>> bool(abs(Z[:200].mean() - Z[200:].mean()) < 0.01)
    True

    References
    ----------
    Pan, Tsang, Kwok and Yang, Domain Adaptation via Transfer Component Analysis, IEEE TNN 22(2), 2011.
    doi:10.1109/TNN.2010.2091281
    """

    kernel: Kernel = param(default="primal", choices=KERNELS)

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        space, e = self._space(Xs, Xt), domain_factor(len(Xs), len(Xt))
        # mu stands beside the discrepancy, and the problem is solved as a symmetric one; ADAPT hands the unsymmetric
        # matrix to a symmetric solver, with mu turned upside down (docs/errors.md)
        self._keep(space, self._solver(space, Xs, Xt)(factor=e))
