"""Canonical correlation analysis: two views of the same things, mapped to where they say the same."""

from __future__ import annotations

import numpy as np
from sklearn.utils import Tags

from transfermap.card import Card, method, param
from transfermap.math.blocks import columns_of, own_columns
from transfermap.math.linalg import Array, row_space
from transfermap.roles import Adapter
from transfermap.split import Reads, Split

OWNERS = ("the source", "the target")


def whitening(X: Array, reg: float) -> Array:
    """The map (d, r) under which centred rows ``X`` (n, d) have covariance I, but for the ridge.

    In the axes of the rows C + rI is diagonal; outside of their span nothing correlates with anything, so that wide
    rows need no matrix over columns.
    """
    axes, lengths = row_space(X)
    variances = lengths**2 / (len(X) - 1)
    held = variances + reg * variances.sum() / X.shape[1]
    return axes / np.sqrt(np.where(held > 0, held, 1.0))


def canonical_axes(A: Array, B: Array, reg: float) -> tuple[Array, Array, Array]:
    """Axes of two centred views (n, p) and (n, q), (p, k) and (q, k), and their correlations (k,), largest first."""
    Wa, Wb = whitening(A, reg), whitening(B, reg)
    U, correlations, Vt = np.linalg.svd((A @ Wa).T @ (B @ Wb) / (len(A) - 1), full_matrices=False)
    Pa, Pb = Wa @ U, Wb @ Vt.T
    # a singular vector's sign is anybody's choice: make the first view's largest entry positive
    signs = np.where(Pa[np.argmax(np.abs(Pa), axis=0), np.arange(Pa.shape[1])] < 0, -1, 1)
    return Pa * signs, Pb * signs, correlations


@method(
    Card(
        name="Canonical correlation analysis (CCA)",
        year=1936,
        setting="unsupervised",
        transfers="features",
        objective="max_(a, b)  corr(a' x_s, b' x_t) over pairs, axis by axis, uncorrelated with those before",
        steps=(
            "Take the rows that are known to show the same thing: a pair has one row of each domain.",
            "Whiten each domain's own columns, with a ridge.",
            "Turn both so that the pairs correlate most, axis by axis, and weigh each axis by its correlation.",
            "Map all rows of either domain by its own map; what is learned on one then holds for the other.",
        ),
        solver="one singular value decomposition of the whitened cross-covariance",
        cost="time n d^2 + d^3, or n^2 d + n^3 where pairs are fewer than columns; memory n d; n the pairs",
        assumes=(
            "a number of rows are known to belong together, labelled or not; the domains' columns may be other ones",
            "what the pairs have in common is linear in each domain's columns and says something about the label",
        ),
        fails_when=(
            "the pairs are few for the columns: any two clouds then seem to correlate; raise reg",
            "what the pairs have in common is not what the label is about",
            "paired rows are of another kind than the rest: the maps hold for such rows only",
        ),
        reference="Hotelling, Relations between Two Sets of Variates, Biometrika 28, 1936",
        doi="10.1093/biomet/28.3-4.321",
        needs=("paired rows",),
        toy="paired_views",
    )
)
class CCA(Adapter):
    r"""Map two domains that show the same things in other columns into one space, by rows known to be pairs.

    .. math:: C_{ss}^{-1/2}\, C_{st}\, C_{tt}^{-1/2} = U \,\mathrm{diag}(\rho)\, V^\top, \qquad
        z_s = \rho^p\, U^\top C_{ss}^{-1/2} (x - m_s), \quad z_t = \rho^p\, V^\top C_{tt}^{-1/2} (x - m_t)

    with means and covariances over the pairs, and a ridge in :math:`C_{ss}` and :math:`C_{tt}`. Pairs come as side
    information, ``side=Side(pairs=...)``: a number a row of X, the same for the rows of one pair, negative for a row
    without a partner. Labels are not read. An estimator that learns from the mapped source then labels target rows
    without a single target label: ``Adapted(CCA(), LogisticRegression())``. All sources are one view, all targets the
    other.

    With ``other_columns``, X holds the columns of both domains side by side, and a column that a domain lacks is NaN in
    all of that domain's rows. Columns of one domain should be on comparable scales.

    Fails when pairs are few for the columns, or have in common what the label is not about.

    Parameters
    ----------
    n_components : int or None, default=None
        Width of the common space; None is all that the pairs allow, at most the narrower domain's columns.
    reg : float, default=0.1
        Ridge in each domain, as a share of its mean variance a column, >= 0. By default that under which held-out pairs
        correlated most, on captioned digits.
    power : float, default=1.0
        Axes are scaled by their correlation to this power, so that axes which mean the same in both domains count
        most; with 0, as in the paper, all count the same.
    other_columns : bool, default=False
        Whether domains may lack columns, NaN in all of their rows. If not, every NaN is refused.

    Attributes
    ----------
    correlations_ : ndarray of shape (n_components,)
        Canonical correlations of the pairs, shrunk by the ridge, largest first.
    columns_ : ndarray of bool of shape (2, d)
        Which columns the source and the target have.
    means_ : ndarray of shape (2, d)
        Means of the pairs' rows.
    projections_ : ndarray of shape (2, d, n_components)
        The source's map and the target's; zero in columns that a domain lacks.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from transfermap.adapted import Adapted
    >>> from transfermap.split import Side
    >>> rng = np.random.default_rng(0)
    >>> things = rng.normal(size=(300, 2))  # 100 seen in both views, 100 in the first only, 100 in the second
    >>> X, domain = np.full((400, 5), np.nan), np.repeat([0, -1], 200)
    >>> X[:200, :2] = things[:200] @ rng.normal(size=(2, 2))  # the source has the first two columns
    >>> X[200:, 2:] = things[np.r_[:100, 200:300]] @ rng.normal(size=(2, 3))  # the target has three others
    >>> side = Side(pairs=np.r_[:100, np.full(100, -1), :100, np.full(100, -1)])
    >>> truth = (things[np.r_[:200, :100, 200:300], 0] > 0).astype(int)
    >>> y = np.where(domain >= 0, truth, -1)
    >>> model = Adapted(CCA(other_columns=True), LogisticRegression())
    >>> model = model.fit(X, y, sample_domain=domain, side=side)
    >>> bool(model.score(X[300:], truth[300:]) > 0.9)
    True

    References
    ----------
    Hotelling, Relations between Two Sets of Variates, Biometrika 28, 1936.
    doi:10.1093/biomet/28.3-4.321
    """

    reads = Reads("none", side="pairs")

    n_components: int | None = param(default=None, low=1, none=True)
    reg: float = param(default=0.1, low=0)
    power: float = param(default=1.0, low=0)
    other_columns: bool = param(default=False, choices=(True, False))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = bool(self.other_columns)
        return tags

    def _fit_rows(self, rows: Split) -> None:
        assert rows.side is not None
        views = (rows.Xs, rows.Xt)
        self.columns_ = np.stack([columns_of(X, owner) for X, owner in zip(views, OWNERS, strict=True)])
        places = rows.side.paired(len(rows.Xs))
        if len(places[0]) < 2:
            raise ValueError(
                f"CCA learns from pairs, and side.pairs joins {len(places[0])} of a source and a target row; "
                "expected at least 2: equal numbers >= 0 in rows of both domains"
            )
        d = rows.Xs.shape[1]
        self.means_, pairs = np.zeros((2, d)), []
        for mean, has, X, at in zip(self.means_, self.columns_, views, places, strict=True):
            seen = X[at][:, has].astype(np.float64)
            # the pairs' means, not all rows': they alone are sure to be means of the same things
            mean[has] = seen.mean(axis=0)
            pairs.append(seen - mean[has])
        *axes, correlations = canonical_axes(pairs[0], pairs[1], self.reg)
        self.correlations_ = np.minimum(correlations, 1.0)[: self.n_components]
        self.projections_ = np.zeros((2, d, len(self.correlations_)))
        for P, has, own in zip(self.projections_, self.columns_, axes, strict=True):
            P[has] = own[:, : P.shape[1]] * self.correlations_**self.power

    def _map_source(self, X: Array) -> Array:
        return self._mapped(X, 0)

    def _map_target(self, X: Array) -> Array:
        return self._mapped(X, 1)

    def _mapped(self, X: Array, view: int) -> Array:
        has = self.columns_[view]
        own = own_columns(X, has, OWNERS[view])
        return ((own - self.means_[view, has]) @ self.projections_[view][has]).astype(X.dtype, copy=False)
