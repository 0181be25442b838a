"""What TCA and JDA share: the choice of features."""

from __future__ import annotations

from typing import Literal

import numpy as np

from transfermap.math.components import Space, kernel_space, linear_space, nystroem_space, pick_landmarks
from transfermap.math.kernels import median_bandwidth
from transfermap.math.linalg import Array

Kernel = Literal["rbf", "linear", "primal"]
KERNELS = ("rbf", "linear", "primal")


def feature_space(
    Xs: Array, Xt: Array, kernel: Kernel, gamma: float | None, max_exact: int, landmarks: int, seed: int
) -> Space:
    """The features that ``kernel`` names, over all rows: exact up to ``max_exact`` rows, Nystroem beyond."""
    X = np.concatenate([Xs, Xt])
    if kernel != "rbf":
        return linear_space(X, dual=kernel == "linear")
    if gamma is None:
        gamma = 1 / (2 * median_bandwidth(X, seed))
    if len(X) <= max_exact:
        return kernel_space(X, gamma)
    return nystroem_space(X, pick_landmarks(Xs, Xt, landmarks, seed), gamma)
