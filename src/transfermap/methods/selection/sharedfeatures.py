"""Shared-feature selection: drop the columns whose distributions differ between the domains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import entr
from scipy.stats import kstwobign
from sklearn.utils.validation import check_is_fitted

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.measure.shift.column_shift import false_discovery
from transfermap.methods.selection._shared import information, label_codes, quantile_codes
from transfermap.roles import Adapter
from transfermap.split import Reads

_BLOCK = 2_000_000  # numbers held at once
_BINS = 8  # enough for a dependence that is not straight, and few enough for a hundred rows


def _columns(X: Any) -> Iterator[Array]:
    """The columns of ``X`` (n, d), dense or sparse, a few at a time as dense (n, b)."""
    X = X.tocsc() if sparse.issparse(X) else X
    width = max(1, _BLOCK // X.shape[0])
    for start in range(0, X.shape[1], width):
        block = X[:, start : start + width]
        yield block.toarray() if sparse.issparse(block) else block


def largest_gap(xs: Array, xt: Array) -> float:
    """The largest gap between two columns' distribution functions, ties told as one step."""
    xs, xt = np.sort(xs), np.sort(xt)
    here = np.concatenate([xs, xt])
    apart = np.searchsorted(xs, here, side="right") / len(xs) - np.searchsorted(xt, here, side="right") / len(xt)
    return float(np.abs(apart).max())


def column_gaps(Xs: Any, Xt: Any) -> Array:
    """The Kolmogorov-Smirnov distance of each column between source and target, (d,)."""
    blocks = zip(_columns(Xs), _columns(Xt), strict=True)
    return np.array([largest_gap(xs, xt) for xs, xt in _pairs(blocks)])


def _pairs(blocks: Iterator[tuple[Array, Array]]) -> Iterator[tuple[Array, Array]]:
    for source, target in blocks:
        yield from zip(source.T, target.T, strict=True)


def gap_p_values(gaps: Array, n_source: int, n_target: int) -> Array:
    """p-values of "both columns come from one distribution", (d,): Kolmogorov's limit with Stephens' correction."""
    root = np.sqrt(n_source * n_target / (n_source + n_target))
    # Stephens' numbers make the limit serve from a handful of rows on
    return np.clip(kstwobign.sf((root + 0.12 + 0.11 / root) * gaps), 0, 1)


def label_shares(Xs: Any, ys: Array) -> Array:
    """The share of the label's entropy that each column, cut into eight bins, tells alone; in [0, 1], (d,)."""
    codes = label_codes(ys)
    n_classes = codes.max() + 1
    whole = entr(np.bincount(codes) / len(codes)).sum()
    predicted = [_told(x, codes, n_classes) for block in _columns(Xs) for x in block.T]
    return np.array(predicted) / whole if whole > 0 else np.zeros(len(predicted))


def _told(x: Array, codes: Array, n_classes: int) -> float:
    joint = np.bincount(quantile_codes(x, _BINS) * n_classes + codes, minlength=_BINS * n_classes)
    return float(information(joint.reshape(-1, n_classes)))


def least_differing(kept: Array, gaps: Array, least: int) -> Array:
    """``kept`` (d,), filled up to ``least`` columns with those of the smallest gaps."""
    order = np.argsort(np.where(kept, -1.0, gaps), kind="stable")
    filled = kept.copy()
    filled[order[: min(least, len(gaps))]] = True
    return filled


@method(
    Card(
        name="Shared-feature selection",
        year=2011,
        setting="transductive",
        transfers="features",
        objective="keep { j : p_j adjusted > fdr  or  KS(source_j, target_j) <= tolerance }",
        steps=(
            "Measure how far each column's distribution in the target lies from that in the source.",
            "Drop the columns that differ by more than chance (false-discovery bound) and by more than a trifle.",
            "Train on the columns that are left.",
        ),
        solver="exact: one sort a column",
        cost="time d n log n, memory n d",
        assumes=(
            "the columns that stay carry the label",
            "what differs between the domains differs in single columns",
        ),
        fails_when=(
            "the columns that differ are those that carry the label",
            "all columns differ a little (another instrument, another unit): then a map is needed, not a choice",
            "columns differ only in how they go together: one by one they look alike",
        ),
        reference="Uguroglu and Carbonell, Feature Selection for Transfer Learning, ECML PKDD 2011",
        doi="10.1007/978-3-642-23808-6_28",
        neutral={"tolerance": 1.0},
        toy="mean_shift_nuisance",
    )
)
class SharedFeatures(Adapter):
    r"""Keep the columns that have the same distribution in both domains.

    .. math:: \{\, j : \tilde p_j > q \;\text{ or }\; D_j \le \tau \,\}, \qquad
              D_j = \sup_x \lvert F^s_j(x) - F^t_j(x) \rvert

    with the empirical distribution functions :math:`F_j` of column :math:`j`, the Kolmogorov-Smirnov p-values of
    :math:`D_j` adjusted after Benjamini and Hochberg, ``fdr`` :math:`q` and ``tolerance`` :math:`\tau`: of the columns
    that are dropped, at most a share :math:`q` did not differ, on average. The idea of telling the variant columns from
    the invariant ones is the paper's; it tests them together by a kernel distance, here each is tested by itself, which
    needs no kernel and says of each column how far it moved.

    Columns may have any scale: only ranks count.

    Fails when the columns that differ are those that carry the label, or when all columns differ.

    Parameters
    ----------
    fdr : float, default=0.05
        Bound in [0, 1] on the share of dropped columns that do not differ.
    tolerance : float, default=0.1
        Columns whose distance is at most this, in [0, 1], are kept however certain the difference: with many rows every
        difference is certain. 0.1 is about a quarter of a standard deviation of shift; 1 keeps all.
    least : int, default=1
        At least so many columns are kept, those that differ least.
    informative : float or None, default=None
        Columns that by themselves tell at least this share, in [0, 1], of the source label's entropy are kept whatever
        their distance; None asks no column for it.

    Attributes
    ----------
    kept_ : ndarray of bool of shape (d,)
    distances_ : ndarray of shape (d,)
        The distances, in [0, 1].
    pvalues_ : ndarray of shape (d,)
        The p-values, not adjusted.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(200, 3)), rng.normal(size=(200, 3)) + [0, 2, 0]
    >>> chosen = SharedFeatures().fit(np.r_[Xs, Xt], np.tile([0, 1], 200), sample_domain=np.repeat([1, -1], 200))
    >>> chosen.get_support().tolist()
    [True, False, True]

    References
    ----------
    Uguroglu and Carbonell, Feature Selection for Transfer Learning, ECML PKDD 2011. doi:10.1007/978-3-642-23808-6_28

    Stephens, Use of the Kolmogorov-Smirnov, Cramer-von Mises and Related Statistics, JRSS B 32, 1970.

    Benjamini and Hochberg, Controlling the False Discovery Rate, JRSS B 57, 1995.
    doi:10.1111/j.2517-6161.1995.tb02031.x
    """

    sparse_ok = True
    reads = Reads("source")

    fdr: float = param(default=0.05, low=0, high=1)
    tolerance: float = param(default=0.1, low=0, high=1)
    least: int = param(default=1, low=1)
    informative: float | None = param(default=None, low=0, high=1, none=True)

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        self.distances_ = column_gaps(Xs, Xt)
        self.pvalues_ = gap_p_values(self.distances_, Xs.shape[0], Xt.shape[0])
        kept = (false_discovery(self.pvalues_) > self.fdr) | (self.distances_ <= self.tolerance)
        if self.informative is not None:
            kept |= label_shares(Xs, np.asarray(ys)) >= self.informative
        self.kept_ = least_differing(kept, self.distances_, self.least)

    def get_support(self) -> Array:
        """Which columns are kept, a mask of shape (d,)."""
        check_is_fitted(self)
        return self.kept_

    def _map_source(self, X: Array) -> Array:
        # no copy where nothing is dropped
        return X if self.kept_.all() else X[:, self.kept_]

    def _map_target(self, X: Array) -> Array:
        return self._map_source(X)
