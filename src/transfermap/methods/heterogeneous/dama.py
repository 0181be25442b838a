"""Manifold alignment by labels: domains with different columns, each mapped into one common space."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import block_diag, eigh
from sklearn.neighbors import kneighbors_graph
from sklearn.utils import Tags

from transfermap.card import Card, method, param
from transfermap.math.blocks import columns_of, own_columns
from transfermap.math.linalg import Array, row_space
from transfermap.roles import Adapter
from transfermap.split import Reads, Split

TARGET = -1


class Side(NamedTuple):
    """One domain: its rows ``X`` (n, r), and their classes ``codes`` (n,), -1 where unknown."""

    X: Array
    codes: Array


def label_scatters(sides: list[Side], n_classes: int) -> tuple[Array, Array]:
    """Z L_s Z' and Z L_d Z', (D, D), D = sum of r: pairs of labelled rows with the same label, and with another.

    Both graphs have total weight one. The pairs are summed class by class, so that no matrix over rows is made.
    """
    own = [np.eye(n_classes)[side.codes[side.codes >= 0]] for side in sides]
    rows = [side.X[side.codes >= 0] for side in sides]
    counts = np.sum([member.sum(axis=0) for member in own], axis=0)
    sums = np.concatenate([X.T @ member for X, member in zip(rows, own, strict=True)])
    degrees = [member @ counts for member in own]
    # sum over pairs of w (x - x')(x - x')' = 2 (sum of degree x x' - sum of w x x'), class by class
    same = block_diag(*[(X.T * degree) @ X for X, degree in zip(rows, degrees, strict=True)]) - sums @ sums.T
    whole = counts.sum() * block_diag(*[X.T @ X for X in rows]) - np.outer(sums.sum(axis=1), sums.sum(axis=1))
    pairs_same = float(counts @ counts)
    # pairs with other labels are all pairs less those with the same; there are none where there is one class
    return same / pairs_same, (whole - same) / max(float(counts.sum()) ** 2 - pairs_same, 1.0)


def neighbour_scatter(X: Array, n_neighbors: int, gamma: float | None) -> tuple[Array, float]:
    """X'LX (r, r) of the graph that joins neighbouring rows by exp(-gamma |x - y|^2), and the graph's total weight."""
    graph = kneighbors_graph(X, min(n_neighbors, len(X) - 1), mode="distance")
    squares = graph.data**2
    typical = squares.mean() if gamma is None else 1 / gamma
    graph.data = np.exp(-squares / typical) if typical > 0 else np.ones_like(squares)
    # neighbourhood is one-sided, a Laplacian is not
    graph = graph.maximum(graph.T)
    degree = np.asarray(graph.sum(axis=1)).ravel()
    return X.T @ (degree[:, None] * X - graph @ X), float(degree.sum())


def topology_scatter(sides: list[Side], n_neighbors: int, gamma: float | None, most: int, seed: int) -> Array:
    """Z L Z' (D, D) of neighbours within each domain, total weight one; at most ``most`` rows a domain take part."""
    parts = [neighbour_scatter(_some(side.X, most, seed), n_neighbors, gamma) for side in sides]
    return block_diag(*[scatter for scatter, _ in parts]) / max(sum(weight for _, weight in parts), 1e-300)


def _some(X: Array, most: int, seed: int) -> Array:
    if len(X) <= most:
        return X
    return X[np.sort(np.random.default_rng(seed).choice(len(X), most, replace=False))]


def ridge(near: Array, widths: list[int], reg: float) -> Array:
    """``reg`` times the mean diagonal entry of each domain's own block of ``near``, along the diagonal, (D, D)."""
    blocks = np.split(np.diagonal(near), np.cumsum(widths)[:-1])
    # each domain by its own measure: other columns have other units
    size = [block.mean() for block in blocks]
    return np.diag(np.repeat([reg * s if s > 0 else 1.0 for s in size], widths))


def common_axes(near: Array, apart: Array, k: int) -> Array:
    """The k directions (D, k) that hold apart what should be apart, for what they tear apart of the rest; best first.

    They are the smallest solutions of ``near v = lambda apart v``, taken from the other end as ``apart`` is singular.
    """
    D = len(near)
    # ``near`` has the ridge, so it is the one that can be divided by
    return eigh(apart, near, subset_by_index=[max(D - k, 0), D - 1])[1][:, ::-1]


def _name(number: int) -> str:
    return "the target" if number == TARGET else f"source {number}"


@method(
    Card(
        name="Heterogeneous adaptation by manifold alignment (DAMA)",
        year=2011,
        setting="inductive",
        transfers="features",
        tasks=("classification",),
        objective="min_f  (mu sum_near |f_a(x) - f_a(x')|^2 + sum_same |f_a(x) - f_b(x')|^2) / "
        "sum_other |f_a(x) - f_b(x')|^2",
        steps=(
            "Take the domains' columns as they are: they may be other ones, and other in number.",
            "Join rows with the same label, within and across domains, and near rows within each domain.",
            "Find one linear map a domain under which joined rows come together and other labels stay apart.",
        ),
        solver="one symmetric generalised eigenproblem in the columns of all domains together",
        cost="time n d^2 + d^3, d the columns of all domains, and m^2 d for neighbours among m = max_graph rows; "
        "memory n d + d^2",
        assumes=(
            "every class has a few labelled rows in each domain; the domains' columns may be entirely different",
            "a linear map of each domain can bring its classes together with the other domains'",
        ),
        fails_when=(
            "a class has no labelled target row: nothing says where in the target it lies",
            "class shares differ much: each domain is centred by its own mean",
        ),
        reference="Wang and Mahadevan, Heterogeneous Domain Adaptation Using Manifold Alignment, IJCAI 2011",
        doi="10.5591/978-1-57735-516-8/IJCAI11-259",
        needs=("target labels",),
        toy="rotation_and_scale",
    )
)
class DAMA(Adapter):
    r"""Map domains with different columns into one space in which labels agree.

    .. math:: Z (\mu L + L_s) Z^\top v = \lambda\, Z L_d Z^\top v

    with the rows of all domains in a block-diagonal :math:`Z` (a block of columns a domain) and the Laplacians of three
    graphs: :math:`L_s` joins rows with the same label, :math:`L_d` rows with different ones, both within and across
    domains, and :math:`L` rows that are neighbours within a domain. The solutions with the smallest :math:`\lambda`
    hold one map a domain, one block of :math:`v` each. Every graph is scaled to total weight one, so that ``mu`` means
    the same for any number of rows; the paper's own is ``mu`` times the weight of :math:`L_s` over that of :math:`L`.

    With ``other_columns``, X holds the columns of all domains side by side, and a column that a domain lacks is NaN in
    all of that domain's rows. Several sources have a map each, by their number in ``sample_domain``. Columns of one
    domain should be on comparable scales.

    Fails when a class has no labelled target row, or when class shares differ much between the domains.

    Parameters
    ----------
    n_components : int or None, default=None
        Width of the common space; None is the number of classes. Never more than the columns of all domains.
    mu : float, default=0.1
        What neighbours count against labels, >= 0.
    n_neighbors : int, default=5
        Neighbours that a row is joined with; with all rows it is the paper's graph.
    gamma : float or None, default=None
        Neighbours are joined by exp(-gamma |x - y|^2), in 1 / squared units of X; None is 1 / mean squared distance of
        neighbours, the paper has 1.
    center : bool, default=True
        Whether to take each domain's mean off first; the paper does not.
    reg : float, default=0.001
        Ridge on the left-hand side, as a share of each domain's mean diagonal entry, > 0.
    other_columns : bool, default=False
        Whether domains may lack columns, NaN in all of their rows. If not, every NaN is refused.
    max_graph : int, default=5000
        Most rows a domain, drawn, among which neighbours are sought.
    random_state : int, default=0
        Draws those rows.

    Attributes
    ----------
    domains_ : ndarray of int of shape (n_domains,)
        -1 for the target, then the source numbers seen in ``fit``, sorted.
    columns_ : ndarray of bool of shape (n_domains, d)
        Which columns each domain has.
    means_ : ndarray of shape (n_domains, d)
    projections_ : ndarray of shape (n_domains, d, n_components)
        One map a domain; zero in columns that it lacks.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from transfermap.adapted import Adapted
    >>> rng = np.random.default_rng(0)
    >>> truth = np.arange(200) % 2
    >>> X, domain = np.full((200, 5), np.nan), np.repeat([0, -1], 100)
    >>> X[:100, :2] = rng.normal(size=(100, 2)) + 3 * truth[:100, None]  # the source has the first two columns
    >>> X[100:, 2:] = rng.normal(size=(100, 3)) - 2 * truth[100:, None]  # the target has three others
    >>> y = np.where(np.arange(200) < 110, truth, -1)  # and ten labels
    >>> model = Adapted(DAMA(other_columns=True), LogisticRegression()).fit(X, y, sample_domain=domain)
    >>> bool(model.score(X[110:], truth[110:]) > 0.9)
    True

    References
    ----------
    Wang and Mahadevan, Heterogeneous Domain Adaptation Using Manifold Alignment, IJCAI 2011.
    doi:10.5591/978-1-57735-516-8/IJCAI11-259
    """

    reads = Reads("both")

    n_components: int | None = param(default=None, low=1, none=True)
    mu: float = param(default=0.1, low=0)
    n_neighbors: int = param(default=5, low=1)
    gamma: float | None = param(default=None, above=0, none=True)
    center: bool = param(default=True, choices=(True, False))
    reg: float = param(default=0.001, above=0)
    other_columns: bool = param(default=False, choices=(True, False))
    max_graph: int = param(default=5000, low=2)
    random_state: int = param(default=0, low=0)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = bool(self.other_columns)
        return tags

    def _fit_rows(self, rows: Split) -> None:
        numbers, n_classes, tables = _tables(rows)
        self.domains_ = np.array(numbers)
        self.columns_ = np.stack([columns_of(X, _name(k)) for k, (X, _) in zip(numbers, tables, strict=True)])
        if not self.columns_.any(axis=0).all():
            lost = int(np.argmin(self.columns_.any(axis=0)))
            raise ValueError(f"column {lost} is NaN in every row of every domain; expected a domain that has it")
        seen = [np.where(has, X, 0).astype(np.float64) for has, (X, _) in zip(self.columns_, tables, strict=True)]
        self.means_ = np.stack([X.mean(axis=0) if self.center else np.zeros(X.shape[1]) for X in seen])
        moved = [Side(X - mean, codes) for X, mean, (_, codes) in zip(seen, self.means_, tables, strict=True)]
        self.projections_ = self._maps(moved, n_classes)

    def _maps(self, sides: list[Side], n_classes: int) -> Array:
        """One map a domain, (n_domains, d, k), such that all rows together have variance one on average."""
        axes = [row_space(side.X)[0] for side in sides]  # what a ridge solution lies in: narrow where rows are few
        inner = [Side(side.X @ axis, side.codes) for side, axis in zip(sides, axes, strict=True)]
        widths = [axis.shape[1] for axis in axes]
        near, apart = label_scatters(inner, n_classes)
        near = near + self.mu * topology_scatter(inner, self.n_neighbors, self.gamma, self.max_graph, self.random_state)
        V = common_axes(near + ridge(near, widths, self.reg), apart, self.n_components or n_classes)
        blocks = np.split(V, np.cumsum(widths)[:-1])
        maps = np.stack([axis @ block for axis, block in zip(axes, blocks, strict=True)])
        spread = np.concatenate([side.X @ P for side, P in zip(sides, maps, strict=True)]).var(axis=0).mean()
        # the formula leaves the scale open; an estimator with a penalty does not
        return _oriented(maps) / np.sqrt(spread if spread > 0 else 1.0)

    def _map_rows(self, X: Array, domains: Array) -> Array:
        # all negative numbers are the target
        numbers = np.maximum(domains, TARGET)
        unknown = np.setdiff1d(numbers, self.domains_)
        if len(unknown):
            known = self.domains_[1:].tolist()
            raise ValueError(f"sample_domain holds the sources {unknown.tolist()}, expected those of fit: {known}")
        Z = np.empty((len(X), self.projections_.shape[2]), dtype=X.dtype)
        for number, has, mean, P in zip(self.domains_, self.columns_, self.means_, self.projections_, strict=True):
            mine = numbers == number
            own = own_columns(X[mine], has, _name(number))
            Z[mine] = (own - mean[has]) @ P[has]
        return Z

    def _map_target(self, X: Array) -> Array:
        return self._map_rows(X, np.full(len(X), TARGET))


def _tables(rows: Split) -> tuple[list[int], int, list[tuple[Array, Array]]]:
    """The domains' numbers, the target's first, the number of classes, and each domain's rows with their codes."""
    assert rows.ys is not None and rows.yt is not None and rows.known is not None
    classes, codes = np.unique(np.concatenate([rows.ys, rows.yt]), return_inverse=True)
    of_target = np.full(len(rows.Xt), -1)
    of_target[rows.known] = codes[len(rows.ys) :]
    sources = np.unique(rows.source_domains).tolist()
    parts = [rows.source_domains == number for number in sources]
    tables = [(rows.Xs[part], codes[: len(rows.ys)][part]) for part in parts]
    return [TARGET, *sources], len(classes), [(rows.Xt, of_target), *tables]


def _oriented(maps: Array) -> Array:
    """An eigenvector's sign is anybody's choice: make its largest entry, over all domains, positive."""
    flat = maps.reshape(-1, maps.shape[2])
    largest = np.argmax(np.abs(flat), axis=0)
    return maps * np.where(flat[largest, np.arange(flat.shape[1])] < 0, -1, 1)
