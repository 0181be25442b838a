"""Every domain scaled by itself: each site's own mean and spread are taken out."""

from __future__ import annotations

import numpy as np

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.roles import Adapter
from transfermap.split import Split

TARGET = -1


def mean_and_spread(X: Array, with_std: bool) -> tuple[Array, Array]:
    """Mean and standard deviation (ddof 0) of each column; 1 for a constant column, or for all without ``with_std``."""
    mean = X.mean(axis=0, dtype=np.float64)
    if not with_std:
        return mean, np.ones_like(mean)
    spread = X.std(axis=0, dtype=np.float64)
    # a constant column of large numbers has a rounding error for a spread
    constant = spread <= 10 * np.finfo(X.dtype).eps * np.abs(mean)
    return mean, np.where(constant, 1.0, spread)


@method(
    Card(
        name="Every domain scaled by itself",
        year=2016,
        setting="transductive",
        transfers="features",
        objective="x -> (x - mean_domain) / spread_domain,  each domain by its own numbers",
        steps=(
            "Take the mean and the spread of every column in every domain: each source by its number, and the target.",
            "Subtract the row's own domain's mean and divide by its spread.",
            "Train on the scaled sources; new target rows are scaled by the target's stored numbers.",
        ),
        solver="closed form",
        cost="time and memory n d",
        assumes=(
            "domains differ by where each column's zero lies and how long its unit is",
            "class shares are about equal in all domains",
        ),
        fails_when=(
            "class shares differ: a domain's mean then carries the label, and taking it out moves the boundary",
            "columns are mixed with one another: only whole columns are shifted and stretched",
        ),
        reference="Li, Wang, Shi, Liu and Hou, Revisiting Batch Normalization For Practical Domain Adaptation, "
        "arXiv:1603.04779, 2016",
        doi="10.48550/arXiv.1603.04779",
        toy="site_offsets",
        by_default=True,
    )
)
class DomainScaler(Adapter):
    r"""Scale every domain by its own mean and spread, column by column.

    .. math:: x \mapsto (x - \mu_{k}) / \sigma_{k}, \qquad \mu_k, \sigma_k \text{ of the domain } k \text{ of the row}

    This is batch normalisation with each domain's own statistics (AdaBN), applied to the columns of a table. Several
    sources keep a number each in ``sample_domain``, and each is scaled by itself. Rows of the target, also new ones,
    are scaled by the target's numbers.

    Fails when class shares differ between the domains, or when columns are mixed with one another.

    Parameters
    ----------
    with_std : bool, default=True
        Whether to divide by the spread, too.

    Attributes
    ----------
    domains_ : ndarray of int of shape (n_domains,)
        The source numbers seen in ``fit``, sorted, after -1 for the target.
    means_, spreads_ : ndarray of shape (n_domains, d)

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0], [3.0], [10.0], [30.0], [100.0], [300.0]])
    >>> DomainScaler().fit_transform(X, sample_domain=[1, 1, 2, 2, -1, -1]).ravel().tolist()
    [-1.0, 1.0, -1.0, 1.0, -1.0, 1.0]

    References
    ----------
    Li, Wang, Shi, Liu and Hou, Revisiting Batch Normalization For Practical Domain Adaptation, 2016.
    doi:10.48550/arXiv.1603.04779
    """

    with_std: bool = param(default=True, choices=(True, False))

    def _fit_rows(self, rows: Split) -> None:
        sources = np.unique(rows.source_domains)
        tables = [rows.Xt, *(rows.Xs[rows.source_domains == number] for number in sources)]
        pairs = [mean_and_spread(X, self.with_std) for X in tables]
        self.domains_ = np.concatenate([[TARGET], sources])
        self.means_, self.spreads_ = (np.stack(part) for part in zip(*pairs, strict=True))

    def _map_rows(self, X: Array, domains: Array) -> Array:
        # all negative numbers are the target
        numbers = np.maximum(domains, TARGET)
        unknown = np.setdiff1d(numbers, self.domains_)
        if len(unknown):
            raise ValueError(
                f"sample_domain holds the sources {unknown.tolist()}, expected those of fit: {self._sources()}"
            )
        row = np.searchsorted(self.domains_, numbers)
        # the numbers are kept in float64 and rounded once, at the end
        return ((X - self.means_[row]) / self.spreads_[row]).astype(X.dtype, copy=False)

    def _map_target(self, X: Array) -> Array:
        return self._map_rows(X, np.full(len(X), TARGET))

    def _sources(self) -> list[int]:
        return self.domains_[1:].tolist()
