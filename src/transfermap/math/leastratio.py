"""A ratio of two densities by least squares, in closed form: uLSIF, and RuLSIF's ratio to a mixture of both.

    min_a  a'Ha / 2 - h'a + reg |a|^2 / 2,    H = alpha mean_j k_j k_j' + (1 - alpha) mean_i k_i k_i',   h = mean_j k_j

over target rows j and source rows i with k_i the row's kernel values with the centres; negative a_l are then set to 0.
What leaving out one source and one target row would give also has a closed form, a correction of rank two.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from transfermap.math.linalg import Array
from transfermap.math.ratio import KernelRatio, draw_rows, log_coefficients, log_mixture, squared_distances

REGS = tuple(10.0 ** np.arange(-3, 1.5, 0.5))
_PAIRS = 1000  # that are left out, one at a time: the error is a mean, which more pairs hardly change


class LeastRatio(NamedTuple):
    """A fitted ratio, its penalty, its leave-one-out error (nan where there was nothing to choose), and its logarithms.

    ``logs`` (n_source,) are those at the source's rows.
    """

    ratio: KernelRatio
    reg: float
    error: float
    logs: Array = np.empty(0)


class Sums(NamedTuple):
    """Second moments of the kernel values, summed over source and target rows (m, m), and the target's sum (m,)."""

    source: Array
    target: Array
    first: Array
    n_source: int
    n_target: int


def least_ratio(
    Xs: Array, Xt: Array, centres: Array, gammas: tuple[float, ...], regs: tuple[float, ...], alpha: float
) -> LeastRatio:
    """The ratio target / (alpha target + (1 - alpha) source) with the kernel and penalty of least leave-one-out error.

    Parameters
    ----------
    Xs, Xt : ndarray of shape (n_source, d), (n_target, d)
        At least two rows each.
    centres : ndarray of shape (m, d)
    gammas, regs : tuple of float
        Kernels and penalties to choose from, all > 0.
    alpha : float
        In [0, 1]; 0 is the plain ratio. Where it is not, no value exceeds 1 / alpha.
    """
    Ds, Dt = squared_distances(Xs, centres), squared_distances(Xt, centres)
    pairs = min(len(Xs), len(Xt), _PAIRS)
    left_out = draw_rows(Xs, pairs), draw_rows(Xt, pairs)

    def fitted(gamma: float) -> LeastRatio:
        Ks, Kt = np.exp(-gamma * Ds), np.exp(-gamma * Dt)
        sums = kernel_sums(Ks, Kt, alpha)
        reg, error = regs[0], np.nan
        if len(gammas) * len(regs) > 1:
            errors = leave_one_out(sums, Ks[left_out[0]], Kt[left_out[1]], regs, alpha)
            reg, error = regs[int(np.argmin(errors))], float(errors.min())
        ratio = KernelRatio(centres, gamma, log_coefficients(coefficients(sums, reg, alpha)), _cap(alpha))
        return LeastRatio(ratio, reg, error)

    best = min(map(fitted, gammas), key=lambda found: found.error)
    # made once for the winner: logarithms of a mixture cost more than the fit
    return best._replace(logs=log_mixture(Ds, best.ratio))


def kernel_sums(Ks: Array, Kt: Array, alpha: float) -> Sums:
    """Of the rows' kernel values (n_source, m), (n_target, m); what alpha = 0 does not ask for is left at 0."""
    target = Kt.T @ Kt if alpha else np.zeros((Kt.shape[1],) * 2)
    return Sums(Ks.T @ Ks, target, Kt.sum(axis=0), len(Ks), len(Kt))


def coefficients(sums: Sums, reg: float, alpha: float) -> Array:
    """The coefficients a (m,), >= 0."""
    H = alpha / sums.n_target * sums.target + (1 - alpha) / sums.n_source * sums.source
    # a ratio is never negative: as in Kanamori et al. it is cut off afterwards, so that the solution has a closed form
    return np.maximum(np.linalg.solve(H + reg * np.eye(len(H)), sums.first / sums.n_target), 0)


def leave_one_out(sums: Sums, Ps: Array, Pt: Array, regs: tuple[float, ...], alpha: float) -> Array:
    """The mean error over pairs (i, j) of rows, of the ratio fitted without that pair; one for each of ``regs``.

    The error of a pair is ``alpha r(x_j)^2 / 2 + (1 - alpha) r(x_i)^2 / 2 - r(x_j)``, whose mean is least for the true
    ratio.

    Parameters
    ----------
    sums : Sums
        Over all rows.
    Ps, Pt : ndarray of shape (n_pairs, m)
        The kernel values of the pairs' source and target rows.
    """
    # means over what is left, n - 1 rows each; ADAPT and densratio lack a denominator here (docs/errors.md)
    scale_s, scale_t = (1 - alpha) / (sums.n_source - 1), alpha / (sums.n_target - 1)
    # one decomposition serves all penalties, which only add to the eigenvalues
    values, U = np.linalg.eigh(scale_s * sums.source + scale_t * sums.target)
    S, T = np.sqrt(scale_s) * (Ps @ U), np.sqrt(scale_t) * (Pt @ U)
    V = (sums.first - Pt) @ U / (sums.n_target - 1)
    errors = []
    for reg in regs:
        inverse = 1 / (values + reg)
        A = np.maximum((_without(S, T, V, inverse) * inverse) @ U.T, 0)
        rs, rt = (np.minimum((A * P).sum(axis=1), _cap(alpha)) for P in (Ps, Pt))
        errors.append(float((alpha * rt**2 / 2 + (1 - alpha) * rs**2 / 2 - rt).mean()))
    return np.array(errors)


def relative_pearson(rs: Array, rt: Array, alpha: float = 0.0) -> float:
    """How far apart the domains are: the relative Pearson divergence of target from source, 0 where they are equal.

    .. math:: -\\frac{\\alpha}{2} \\overline{r(x^t)^2} - \\frac{1-\\alpha}{2} \\overline{r(x^s)^2}
              + \\overline{r(x^t)} - \\frac12

    Parameters
    ----------
    rs, rt : ndarray of shape (n_source,), (n_target,)
        The ratio target / (alpha target + (1 - alpha) source) at source and target rows.
    alpha : float
        In [0, 1).

    References
    ----------
    Yamada, Suzuki, Kanamori, Hachiya and Sugiyama, Neural Computation 25(5), 2013. doi:10.1162/NECO_a_00442

    Examples
    --------
    >>> relative_pearson(np.ones(5), np.ones(7), alpha=0.1)
    0.0
    """
    # each domain's mean over its own rows: ADAPT and densratio divide both by the target's count (docs/errors.md)
    squares = alpha * float((rt**2).mean()) + (1 - alpha) * float((rs**2).mean())
    return float(rt.mean()) - squares / 2 - 0.5


def _without(S: Array, T: Array, V: Array, inverse: Array) -> Array:
    """``(D - s s' - t t')^-1 v``, times D, for each row s, t, v of ``S``, ``T``, ``V``, with D = diag(1 / inverse)."""
    ss, tt, st, sv, tv = (np.einsum("im,m,im->i", A, inverse, B) for A, B in ((S, S), (T, T), (S, T), (S, V), (T, V)))
    det = (1 - ss) * (1 - tt) - st**2
    along_s, along_t = ((1 - tt) * sv + st * tv) / det, (st * sv + (1 - ss) * tv) / det
    return V + along_s[:, None] * S + along_t[:, None] * T


def _cap(alpha: float) -> float:
    return 1 / alpha if alpha > 0 else np.inf
