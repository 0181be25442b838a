"""Frustratingly easy feature augmentation: every column once for all domains and once for each."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from transfermap.card import Card, method, param
from transfermap.math.linalg import Array
from transfermap.roles import Adapter
from transfermap.split import Reads, Split

TARGET = -1
_MOST_BYTES = 4e9  # refused at once, before the machine starts to swap


def augmented(X: Array, row: Array, n_domains: int) -> Array:
    """``X`` (n, d), then one block of d columns a domain: ``X`` in rows of that domain, 0 elsewhere.

    ``row`` (n,) says which of the ``n_domains`` domains each row is of. Sparse in, sparse out.
    """
    if sparse.issparse(X):
        # products keep it sparse: a row of the other domains has no entries there
        blocks = [X, *(sparse.diags((row == k).astype(X.dtype)) @ X for k in range(n_domains))]
        return sparse.hstack(blocks, format="csr")
    n, d = X.shape
    Z = np.zeros((n, 1 + n_domains, d), dtype=X.dtype)
    Z[:, 0] = X
    Z[np.arange(n), 1 + row] = X
    return Z.reshape(n, -1)


@method(
    Card(
        name="Frustratingly easy feature augmentation",
        year=2007,
        setting="inductive",
        transfers="features",
        objective="source k: x -> (x, 0 .. x .. 0, 0),  target: x -> (x, 0 .. 0, x)",
        steps=(
            "Write every column once for all domains and once more for each domain, 0 in rows of the others.",
            "Train on the source's rows and the labelled rows of the target together.",
            "The estimator then finds what holds everywhere in the first columns, and what is peculiar in the others.",
        ),
        solver="none: columns are copied",
        cost="time and memory n d (1 + number of domains); sparse tables grow by a factor 2 only",
        assumes=(
            "the domains' rules have something in common, in the same columns",
            "the estimator weighs columns against each other, as linear models with a penalty do",
        ),
        fails_when=(
            "the domains are alike: a model of all rows together then needs fewer columns",
            "the labelled target rows are so few that what is peculiar to the target cannot be learned",
        ),
        reference="Daume III, Frustratingly Easy Domain Adaptation, ACL 2007",
        doi="https://aclanthology.org/P07-1033/",
        needs=("target labels",),
        toy="class_shift",
    )
)
class FEDA(Adapter):
    r"""Copy every column, once for all domains and once for each, and let the estimator share.

    .. math:: \Phi^{s_k}(x) = (x, 0, \dots, x, \dots, 0, 0), \qquad \Phi^{t}(x) = (x, 0, \dots, 0, x)

    A linear model on these columns has one coefficient that all domains share and one of each domain's own, and its
    penalty asks the own ones to be small: with a squared penalty it learns a rule a domain, pulled to a common one.
    The estimator's intercept stays common to all domains; ``own_intercept`` gives each its own, too.

    With :class:`~transfermap.adapted.Adapted` the estimator is trained on the source's rows and the labelled target
    rows. Columns should be on comparable scales.

    Fails when the domains are alike (all rows together then do better with fewer columns), or when the labelled target
    rows are very few.

    Parameters
    ----------
    own_intercept : bool, default=False
        Whether to add a column of ones before copying, so that each domain has an intercept of its own.

    Attributes
    ----------
    domains_ : ndarray of int of shape (n_domains,)
        The order of the blocks: the source numbers seen in ``fit``, sorted, then -1 for the target.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.array([[1.0], [2.0], [3.0], [4.0]]), [0, 1, 0, -1]
    >>> FEDA().fit_transform(X, y, sample_domain=[1, 1, -1, -1]).astype(int).tolist()
    [[1, 1, 0], [2, 2, 0], [3, 0, 3], [4, 0, 4]]

    References
    ----------
    Daume III, Frustratingly Easy Domain Adaptation, ACL 2007. https://aclanthology.org/P07-1033/
    """

    sparse_ok = True
    reads = Reads("both")

    own_intercept: bool = param(default=False, choices=(True, False))

    def _fit_rows(self, rows: Split) -> None:
        self.domains_ = np.append(np.unique(rows.source_domains), TARGET)
        if not sparse.issparse(rows.Xs):
            self._refuse_too_many(rows.Xs.shape[0] + rows.Xt.shape[0], rows.Xs.shape[1])

    def _refuse_too_many(self, n: int, d: int) -> None:
        size = 8.0 * n * d * (1 + len(self.domains_))
        if size > _MOST_BYTES:
            raise ValueError(
                f"FEDA would make {size / 1e9:.0f} GB of {len(self.domains_) - 1} sources' columns, {n} rows and {d} "
                "columns; expected fewer source numbers in sample_domain, or X as a sparse matrix"
            )

    def _map_rows(self, X: Array, domains: Array) -> Array:
        # all negative numbers are the target
        numbers = np.maximum(domains, TARGET)
        sources = self.domains_[:-1]
        unknown = np.setdiff1d(numbers, self.domains_)
        if len(unknown):
            raise ValueError(
                f"sample_domain holds the sources {unknown.tolist()}, expected those of fit: {sources.tolist()}"
            )
        # the target's block comes last, -1 would sort first
        row = np.where(numbers == TARGET, len(sources), np.searchsorted(sources, numbers))
        return augmented(_with_ones(X) if self.own_intercept else X, row, len(self.domains_))

    def _map_target(self, X: Array) -> Array:
        return self._map_rows(X, np.full(X.shape[0], TARGET))


def _with_ones(X: Array) -> Array:
    ones = np.ones((X.shape[0], 1), dtype=X.dtype)
    return sparse.hstack([X, ones], format="csr") if sparse.issparse(X) else np.concatenate([X, ones], axis=1)
