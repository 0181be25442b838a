"""The honest baselines: what plain classifiers reach without any transfer method.

Each is a plain function ``(Xs, ys, Xt) -> predictions``; the grid runs all of them beside the methods, because most of
what is published as gain on bags of words is normalisation of rows, which these do too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC

from transfermap.bench.kernelrls import KernelRLS
from transfermap.bench.preprocess import l2
from transfermap.split import stacked

Array = np.ndarray[Any, np.dtype[Any]]


class Predictor(Protocol):
    """Trains on source rows ``Xs`` (n_source, d) with labels ``ys``, and predicts target rows ``Xt`` (n_target, d)."""

    def __call__(self, Xs: Any, ys: Array, Xt: Any, **params: Any) -> Array: ...


F = TypeVar("F", bound=Callable[..., Any])
BASELINES: dict[str, Predictor] = {}
HONEST: dict[str, str] = {}
_KERNEL_ROWS = 5000  # up to which libsvm's n^2 kernel is affordable


def baseline(name: str, Xs: Any, ys: Array, Xt: Any, **params: Any) -> Array:
    """What the baseline ``name`` predicts for ``Xt`` (n_target, d), having seen ``Xs`` (n_source, d) and ``ys``.

    Raises
    ------
    ValueError
        If there is no such baseline; the message lists those that exist.
    """
    if name not in BASELINES:
        raise ValueError(f"no baseline {name!r}; expected one of: {', '.join(BASELINES)}")
    return BASELINES[name](Xs, ys, Xt, **params)


def _named(name: str, title: str) -> Callable[[F], F]:
    """Register a function by the name that the grid calls it by; its keyword arguments are its params."""

    def mark(function: F) -> F:
        BASELINES[name], HONEST[name] = function, title
        return function

    return mark


@_named("majority", "most frequent class")
def majority(Xs: Any, ys: Array, Xt: Any) -> Array:
    """The source's most frequent class for every row; the first of several."""
    classes, counts = np.unique(ys, return_counts=True)
    # the first of equals, in the classes' order: no draw
    return np.repeat(classes[counts.argmax()], Xt.shape[0])


@_named("nn", "1-NN")
def nn(Xs: Any, ys: Array, Xt: Any, *, k: int = 1) -> Array:
    """The label of the nearest source row, by Euclidean distance."""
    if not 1 <= k <= Xs.shape[0]:
        raise ValueError(f"nn: k must be between 1 and the {Xs.shape[0]} source rows; got {k!r}")
    # "brute": trees break ties by their build, and published figures turn on single rows
    predicted: Array = KNeighborsClassifier(k, algorithm="brute").fit(Xs, ys).predict(Xt)
    return predicted


@_named("l2-nn", "row L2 + 1-NN")
def l2_nn(Xs: Any, ys: Array, Xt: Any) -> Array:
    """Rows of length one, then the nearest source row."""
    return nn(l2(Xs), ys, l2(Xt))


@_named("pca-l2-nn", "PCA + row L2 + 1-NN")
def pca_l2_nn(Xs: Any, ys: Array, Xt: Any, *, n_components: int = 40) -> Array:
    """Principal components of both domains' rows together, rows of length one, then the nearest source row."""
    Zs, Zt = pooled_pca(Xs, Xt, n_components)
    return l2_nn(Zs, ys, Zt)


@_named("linear-svm", "linear SVM")
def linear_svm(Xs: Any, ys: Array, Xt: Any, *, C: float = 1.0) -> Array:
    """A linear support vector machine, one against one; above 5,000 source rows one against the rest."""
    small = Xs.shape[0] <= _KERNEL_ROWS
    # one against one, as the published tables have it, while it can be afforded
    model = SVC(kernel="linear", C=C) if small else LinearSVC(C=C, random_state=0, dual="auto")
    predicted: Array = model.fit(Xs, ys).predict(Xt)
    return predicted


@_named("kernel-rls", "kernel RLS")
def kernel_rls(Xs: Any, ys: Array, Xt: Any, *, reg: float = 0.1) -> Array:
    """Rows of length one, a Gaussian kernel of width one, regularised least squares on the classes."""
    return KernelRLS(reg).fit(Xs, ys).predict(Xt)


def pooled_pca(Xs: Any, Xt: Any, n_components: int) -> tuple[Array, Array]:
    """Both domains in the first principal components of all rows together; fewer where the rows span fewer."""
    if not isinstance(n_components, int) or n_components < 1:
        raise ValueError(f"pca-l2-nn: n_components must be a whole number >= 1; got {n_components!r}")
    X = stacked(Xs, Xt)
    few = min(X.shape)
    if n_components < few:
        # exact like the full one, and takes sparse rows; but it cannot give all of them
        model = PCA(n_components, svd_solver="arpack", random_state=0)
    else:
        model, X = PCA(few, svd_solver="full"), sparse.csr_array(X).toarray() if sparse.issparse(X) else X
    # both domains together: unlabelled target rows are there before anything is learnt
    Z = model.fit_transform(X)
    return Z[: Xs.shape[0]], Z[Xs.shape[0] :]
