"""The one bridge between scikit-learn's view of the data, ``(X, y, sample_domain)``, and ours, ``(Xs, ys, Xt)``.

:func:`split` takes apart, :meth:`Split.joined` puts together; nothing else knows both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from scipy import sparse
from sklearn.utils import assert_all_finite, check_consistent_length, column_or_1d, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

Array = np.ndarray[Any, np.dtype[Any]]
Labels = Literal["none", "source", "target", "both"]
SideKind = Literal["", "pairs", "attributes"]
FLOATS = (np.float64, np.float32)
# stands in ``sample_domain`` for the target where nobody has numbered several targets
TARGET = -1


class Reads(NamedTuple):
    """What a method reads beside the rows: the shape of its contract with the caller.

    ``labels``: whose labels; those of a domain that it does not read may be absent, and never reach it. ``side``: the
    side information that it cannot do without, "" for none. ``target_rows``: how many of these it needs at least.
    """

    labels: Labels = "none"
    side: SideKind = ""
    target_rows: int = 2

    @property
    def source(self) -> bool:
        """Whether it reads the source's labels."""
        return self.labels in ("source", "both")

    @property
    def target(self) -> bool:
        """Whether it reads the target's labels, where some are known."""
        return self.labels in ("target", "both")


@dataclass(frozen=True, eq=False, kw_only=True)
class Side:
    """What is known beside rows and labels; handed to ``fit`` like ``sample_domain``.

    Parameters
    ----------
    pairs : array-like of int of shape (n,), optional
        Names of pairs, one a row of X: a source row and a target row with the same number belong together (a sample
        measured on two instruments, an image and its caption). Negative: the row has no partner. A number may stand
        several times on either side: then each of these rows belongs to each of those.
    attributes : mapping of class -> array-like of shape (a,), optional
        What is known of each class, also of classes without a row. A DataFrame with a row a class will do
        (``dict(zip(frame.index, frame.to_numpy()))``).

    Examples
    --------
    >>> import numpy as np
    >>> from transfermap.split import Side
    >>> side = Side(pairs=[0, 1, 1, 0, -1])  # three source rows, then two target rows
    >>> [places.tolist() for places in side.paired(3)]
    [[0], [0]]
    """

    pairs: Any = None
    attributes: Mapping[Any, Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The pairs' shape, (n,); there is none without pairs."""
        # scikit-learn's cross-validation takes apart what has X's length and hands on whole what has none
        if self.pairs is None:
            raise AttributeError("side information without pairs has no rows, and so no shape")
        return np.shape(self.pairs)

    def __getitem__(self, rows: Any) -> Self:
        """The side information of some rows; a pair whose partner is not among them is none."""
        return self if self.pairs is None else replace(self, pairs=np.asarray(self.pairs)[rows])

    def paired(self, n_source: int) -> tuple[Array, Array]:
        """Places of the pairs' source rows and of their target rows, (n_pairs,) each; source rows come first."""
        numbers = np.asarray(self.pairs)
        s, t = numbers[:n_source], numbers[n_source:]
        order = np.argsort(t, kind="stable")
        first, last = np.searchsorted(t[order], s), np.searchsorted(t[order], s, side="right")
        counts = np.where(s >= 0, last - first, 0)
        i = np.repeat(np.arange(len(s)), counts)
        within = np.arange(len(i)) - np.repeat(np.cumsum(counts) - counts, counts)
        return i, order[np.repeat(first, counts) + within]

    def shuffled(self, seed: int) -> Self:
        """The control that can say no: the same numbers and attributes, dealt out at random.

        A method that gains as much from these has not used what it was told.
        """
        rng = np.random.default_rng(seed)
        done: dict[str, Any] = {}
        if self.pairs is not None:
            done["pairs"] = rng.permutation(np.asarray(self.pairs))
        if self.attributes is not None:
            names = list(self.attributes)
            order = rng.permutation(len(names))
            done["attributes"] = {name: self.attributes[names[i]] for name, i in zip(names, order, strict=True)}
        return replace(self, **done)


class Split(NamedTuple):
    """Source rows, target rows, and what a method may know of them.

    Attributes
    ----------
    Xs : array of shape (n_source, d)
    ys : array of shape (n_source,), or None where source labels are not read
    Xt : array of shape (n_target, d)
    source_domains : ndarray of int of shape (n_source,)
        The number of each row's source, >= 0.
    target_domains : ndarray of int of shape (n_target,)
        The number of each row's target, < 0; where targets have an order (stepping stones), -1 comes first.
    yt : array of shape (n_known,), or None where target labels are not read
    known : ndarray of bool of shape (n_target,), or None
        Which target rows have one of the labels ``yt``.
    side : Side, or None
        Its ``pairs`` in the order of the source rows, then the target rows.
    """

    Xs: Array
    ys: Array | None
    Xt: Array
    source_domains: Array
    target_domains: Array
    yt: Array | None = None
    known: Array | None = None
    side: Side | None = None

    @classmethod
    def of(cls, Xs: Any, ys: Any, Xt: Any, sources: Any = None, yt: Any = None, known: Any = None) -> Self:
        """From rows that are parted already; one source and one target, unless ``sources`` numbers several.

        Parameters
        ----------
        Xs, ys, Xt : as the attributes
        sources : array-like of int of shape (n_source,), optional
        yt : array-like of shape (n_known,), optional
            Labels of the target rows that ``known`` (n_target,), a mask or row numbers, marks.
        """
        n, m = Xs.shape[0], Xt.shape[0]
        mask = None
        if known is not None:
            mask = np.zeros(m, dtype=bool)
            mask[known] = True
        where = np.zeros(n, dtype=int) if sources is None else np.asarray(sources)
        return cls(Xs, ys, Xt, where, np.full(m, TARGET), yt, mask)

    def joined(self) -> tuple[Array, Array | None, Array]:
        """``(X, y, sample_domain)``, source rows first; :func:`split` undoes it.

        Target rows without a known label hold NaN (numbers), -1 (whole numbers, where that is no class) or None.
        """
        X = stacked(self.Xs, self.Xt)
        where = np.concatenate([self.source_domains, self.target_domains])
        if self.ys is None and self.yt is None:
            return X, None, where
        given = [np.asarray(y) for y in (self.ys, self.yt) if y is not None]
        y = np.full(len(where), None, dtype=object)
        if self.ys is not None:
            y[: len(self.ys)] = self.ys
        if self.yt is not None and self.known is not None:
            y[len(self.source_domains) :][self.known] = self.yt
        kinds = {part.dtype.kind for part in given}
        if kinds == {"f"}:
            return X, y.astype(np.result_type(*given)), where
        if kinds <= {"i", "u"} and not any((part == -1).any() for part in given):
            y[[value is None for value in y]] = -1
            return X, y.astype(np.result_type(np.int64, *given)), where
        return X, y, where


def split(est: Any, X: Any, y: Any, sample_domain: Any, reads: Reads, side: Side | None = None) -> Split:
    """Check the input and part it into source and target.

    Parameters
    ----------
    est : estimator
        Whose input this is; learns ``n_features_in_`` and the column names.
    X : array-like or sparse matrix of shape (n, d)
        Rows of both domains, in any order. Where the estimator's tags say that it takes strings: paths of images, of
        shape (n,) or (n, 1).
    y : array-like of shape (n,), or None
        Labels; which of them are looked at, ``reads`` says.
    sample_domain : array-like of int of shape (n,), or None
        ``>= 0`` a source (several sources: several numbers), ``< 0`` a target. None: every row is both.
    reads : Reads
        What the method reads. Labels of a domain that it does not read are not looked at (-1, NaN, None or the truth,
        it makes no difference). Where it reads the target's, -1 (integers), NaN (floats) or None mark rows without one.
    side : Side, optional
        Side information; ``pairs`` in the order of X.

    Raises
    ------
    ValueError
        If a shape is off, values are missing or infinite, a source has fewer than two rows, the target has none (fewer
        than two, unless one is enough for the method), no target row has a label where some are needed, or side
        information is missing or of the wrong length.
    """
    y = None if reads.labels == "none" else y
    if sample_domain is None:
        if y is None:
            X = _validated(est, X, ensure_min_samples=2)
        else:
            X, y = _validated(est, X, y=y, ensure_min_samples=2)
        yt, known = (y, np.ones(X.shape[0], dtype=bool)) if reads.target else (None, None)
        n = X.shape[0]
        where = np.zeros(n, dtype=int), np.full(n, TARGET)
        twice = _side(est, side, np.tile(np.arange(n), 2), n, reads.side)
        return Split(X, y if reads.source else None, X, *where, yt, known, twice)
    X = _validated(est, X, ensure_min_samples=2)
    d = domain_numbers(sample_domain, X.shape[0])
    s = d >= 0
    if s.sum() < 2 or (~s).sum() < reads.target_rows:
        raise ValueError(
            f"sample_domain marks {s.sum()} source rows (>= 0) and {(~s).sum()} target rows (< 0); "
            f"at least 2 sample(s) of the source and {reads.target_rows} of the target are needed"
        )
    ys = _source_labels(y, s) if y is not None and reads.source else None
    yt, known = _target_labels(est, y, ys, ~s) if y is not None and reads.target else (None, None)
    order = np.r_[np.flatnonzero(s), np.flatnonzero(~s)]
    return Split(X[s], ys, X[~s], d[s], d[~s], yt, known, _side(est, side, order, X.shape[0], reads.side))


def _side(est: Any, side: Side | None, order: Array, n: int, need: str) -> Side | None:
    """Side information with its pairs in the order of the parted rows; refused where it is missing or does not fit."""
    name = type(est).__name__
    if side is not None and not isinstance(side, Side):
        raise ValueError(f"{name}: side must be a Side, such as Side(pairs=...); got {type(side).__name__}")
    if need and (side is None or getattr(side, need) is None):
        raise ValueError(f"{name} needs side information: expected side=Side({need}=...), and got none")
    if side is None:
        return None
    if side.attributes is not None:
        _check_attributes(name, side.attributes)
    if side.pairs is None:
        return side
    pairs = np.asarray(side.pairs)
    if pairs.shape != (n,) or pairs.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: side.pairs must be whole numbers, one a row of X ({n}); got {pairs.dtype} of shape {pairs.shape}"
        )
    return replace(side, pairs=pairs[order])


def _check_attributes(name: str, attributes: Mapping[Any, Any]) -> None:
    if not isinstance(attributes, Mapping) or not attributes:
        raise ValueError(f"{name}: side.attributes must be a mapping of classes to numbers; got {attributes!r}")
    shapes = {np.asarray(value).shape for value in attributes.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1:
        raise ValueError(
            f"{name}: side.attributes must hold one list of numbers a class, all equally long; got shapes "
            + ", ".join(map(str, sorted(shapes, key=str)))
        )
    for cls, value in attributes.items():
        values = np.asarray(value)
        if values.dtype.kind not in "iufb" or not np.isfinite(values.astype(float)).all():
            raise ValueError(f"{name}: the attributes of class {cls!r} must be finite numbers; got {value!r}")


def _validated(est: Any, X: Any, **how: Any) -> Any:
    """X, and y where there is one, as scikit-learn checks them for an estimator, whose tags say what its rows are."""
    tags = get_tags(est).input_tags
    if tags.string:
        return validate_data(est, _paths(est, X), dtype=None, **how)
    finite = "allow-nan" if tags.allow_nan else True
    sparse_too = "csr" if tags.sparse else False
    return validate_data(est, X, dtype=FLOATS, accept_sparse=sparse_too, ensure_all_finite=finite, **how)


def _paths(est: Any, X: Any) -> Array:
    """Rows that are image files as one column of paths, (n, 1)."""
    rows = np.asarray(X, dtype=object)
    rows = rows[:, None] if rows.ndim == 1 else rows
    fine = rows.ndim == 2 and rows.shape[1] == 1 and all(isinstance(v, (str, PathLike)) and str(v) for v in rows.flat)
    if not fine:
        raise ValueError(
            f"{type(est).__name__} trains a net on images: expected X to hold the path of an image a row, of shape "
            f"(n,) or (n, 1); got {type(X).__name__} of shape {np.shape(X)} with other values"
        )
    return np.array([str(v) for v in rows.flat], dtype=str)[:, None]


def known_columns(est: Any, X: Any) -> Array:
    """X, with the columns that a fitted estimator knows."""
    check_is_fitted(est)
    known: Array = _validated(est, X, reset=False)
    return known


def stacked(first: Array, second: Array) -> Array:
    """One below the other, dense or sparse."""
    return sparse.vstack([first, second], format="csr") if sparse.issparse(first) else np.concatenate([first, second])


def domain_numbers(sample_domain: Any, n: int) -> Array:
    d = np.asarray(sample_domain)
    if d.shape != (n,):
        raise ValueError(f"sample_domain has shape {d.shape}, expected ({n},): one number a row of X")
    if d.dtype.kind == "b":
        raise ValueError("sample_domain holds booleans; expected integers, >= 0 for source and < 0 for target rows")
    if d.dtype.kind not in "iu" and not (d.dtype.kind == "f" and np.isfinite(d).all()):
        raise ValueError(f"sample_domain has dtype {d.dtype}; expected integers, >= 0 source and < 0 target")
    return d.astype(int)


def _source_labels(y: Any, s: Array) -> Array:
    y = column_or_1d(np.asarray(y), warn=True)
    check_consistent_length(s, y)
    ys = y[s]
    if ys.dtype.kind == "O" and any(v is None or v != v for v in ys):
        raise ValueError("y has missing labels in source rows; expected a label for every row with sample_domain >= 0")
    if ys.dtype.kind == "f":
        assert_all_finite(ys, input_name="y (source rows)")
    # None among the target's labels makes the whole array one of objects; the source's own type is what counts
    return np.asarray(ys.tolist()) if ys.dtype.kind == "O" else ys


def _target_labels(est: Any, y: Any, ys: Array | None, t: Array) -> tuple[Array, Array]:
    """The labels that are known in the target, and a mask of the target rows that have one."""
    yt = column_or_1d(np.asarray(y))[t]
    if yt.dtype.kind == "f":
        known = ~np.isnan(yt)
    elif yt.dtype.kind in "iu":
        if ys is not None and (ys == -1).any():
            raise ValueError("-1 marks target rows without a label, but it is also a class of the source; rename it")
        known = yt != -1
    else:
        known = np.array([v is not None and v == v for v in yt], dtype=bool)
    if not known.any():
        raise ValueError(
            f"{type(est).__name__} learns from some labelled target rows, and no target row has a label; "
            "expected y to hold them, with -1 (integers), NaN (floats) or None (strings) where there is none"
        )
    if yt.dtype.kind != "O":
        return yt[known], known
    plain = np.asarray(yt[known].tolist())
    return plain if ys is None else plain.astype(ys.dtype, copy=False), known
