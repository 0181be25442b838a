"""Kernel regularised least squares as a classifier: what remains of MEDA without its alignment."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.linalg import solve
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import normalize
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

Array = np.ndarray[Any, np.dtype[Any]]
MOST_ROWS = 20_000  # a kernel of 3.2 GB


class KernelRLS(ClassifierMixin, BaseEstimator):
    r"""Least squares on 0/1 class columns, in the space of a Gaussian kernel on rows of length one.

    .. math:: \min_f \sum_i \|y_i - f(x_i)\|^2 + \eta \|f\|_K^2, \qquad K(x, z) = e^{-\|x - z\|^2 / 2}

    Parameters
    ----------
    reg : float, default=0.1
        The penalty eta, > 0.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)

    References
    ----------
    Wang, Feng, Chen, Yu, Huang and Yu, Visual Domain Adaptation with Manifold Embedded Distribution Alignment, ACM
    Multimedia 2018. doi:10.1145/3240508.3240512

    Examples
    --------
    >>> from transfermap.bench.kernelrls import KernelRLS
    >>> KernelRLS().fit([[1.0, 0.0], [0.0, 1.0]], ["a", "b"]).predict([[3.0, 1.0]]).tolist()
    ['a']
    """

    def __init__(self, reg: float = 0.1) -> None:
        self.reg = reg

    def fit(self, X: Any, y: Any) -> Self:
        """Solve one linear system of n rows for all classes at once: O(n^3) time, O(n^2) memory."""
        X, y = validate_data(self, X, y, accept_sparse="csr")
        check_classification_targets(y)
        if not self.reg > 0:
            raise ValueError(f"KernelRLS: reg must be a number > 0; got {self.reg!r}")
        if X.shape[0] > MOST_ROWS:
            raise ValueError(
                f"kernel RLS needs a matrix of {X.shape[0]:,} x {X.shape[0]:,} numbers; expected at most {MOST_ROWS:,} "
                "source rows (--per-class draws fewer)"
            )
        self.classes_ = unique_labels(y)
        self._rows = normalize(X)
        # 1 / (2 sigma^2) with sigma 1, the rows' length: MEDA's kernel, of which this is the part without adaptation
        K = rbf_kernel(self._rows, gamma=0.5)
        K.flat[:: len(K) + 1] += self.reg
        Y = np.column_stack([y == c for c in self.classes_]).astype(K.dtype)
        # K + eta I is positive definite: Cholesky, half the work of LU
        self._beta = solve(K, Y, assume_a="pos", overwrite_a=True)
        return self

    def decision_function(self, X: Any) -> Array:
        """The fitted class columns, (n, n_classes); with two classes the second less the first, (n,)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr")
        F: Array = rbf_kernel(normalize(X), self._rows, gamma=0.5) @ self._beta
        return F[:, 1] - F[:, 0] if len(self.classes_) == 2 else F

    def predict(self, X: Any) -> Array:
        """The class whose column is largest, (n,)."""
        F = self.decision_function(X)
        best: Array = self.classes_[F.argmax(axis=1) if F.ndim == 2 else (F > 0).astype(int)]
        return best
