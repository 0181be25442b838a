"""What the methods that project onto components share: the choice of features, the params and the map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol, TypeVar, dataclass_transform

import numpy as np
from sklearn.preprocessing import normalize

from transfermap.card import param
from transfermap.math.components import (
    Scale,
    Space,
    chance_penalty,
    components,
    embed,
    kernel_space,
    linear_space,
    nystroem_space,
    pick_landmarks,
)
from transfermap.math.kernels import median_bandwidth
from transfermap.math.linalg import Array
from transfermap.roles import Adapter

Kernel = Literal["rbf", "linear", "primal"]
KERNELS = ("rbf", "linear", "primal")
SCALES = ("unit", "regularizer", "constraint")
T = TypeVar("T")


class Solve(Protocol):
    """From the factor (n, q) of a discrepancy to the projection that makes it small."""

    def __call__(self, *, factor: Array) -> Array: ...


@dataclass_transform(eq_default=False, kw_only_default=True, field_specifiers=(param,))
def params_below(cls: type[T]) -> type[T]:
    """Make an abstract class hand its params to the methods below it."""
    # eq=False: estimators are equal as objects only, so that they stay hashable; scikit-learn prints them
    return dataclass(eq=False, repr=False, kw_only=True)(cls)


def feature_space(
    Xs: Array, Xt: Array, kernel: Kernel, gamma: float | None, max_exact: int, landmarks: int, seed: int
) -> Space:
    """The features that ``kernel`` names, over all rows: exact up to ``max_exact`` rows, Nystroem beyond."""
    X = np.concatenate([Xs, Xt])
    if kernel != "rbf":
        return linear_space(X, dual=kernel == "linear")
    if gamma is None:
        # of both domains' rows, since one kernel has to see both
        gamma = 1 / (2 * median_bandwidth(X, seed))
    if len(X) <= max_exact:
        return kernel_space(X, gamma)
    return nystroem_space(X, pick_landmarks(Xs, Xt, landmarks, seed), gamma)


@params_below
class Projection(Adapter):
    """One map for both domains, onto components that a subclass finds and hands to ``_keep``."""

    n_components: int | None = param(default=None, low=1, none=True)
    kernel: Kernel = param(default="linear", choices=KERNELS)
    gamma: float | None = param(default=None, above=0, none=True)
    reg: float | None = param(default=None, above=0, none=True)
    scale: Scale = param(default="unit", choices=SCALES)
    normalize: bool = param(default=False, choices=(True, False))
    max_exact: int = param(default=2000, low=0)
    landmarks: int = param(default=1000, low=2)
    random_state: int = param(default=0, low=0)

    def _space(self, Xs: Array, Xt: Array) -> Space:
        return feature_space(Xs, Xt, self.kernel, self.gamma, self.max_exact, self.landmarks, self.random_state)

    def _solver(self, space: Space, Xs: Array, Xt: Array) -> Solve:
        X = np.concatenate([Xs, Xt])
        reg = chance_penalty(space, X, len(Xs)) if self.reg is None else self.reg
        return partial(components, space, X, reg=reg, k=self.n_components, scale=self.scale)

    def _keep(self, space: Space, projection: Array) -> None:
        self.projection_, self.landmarks_, self.gamma_ = projection, space.landmarks, space.gamma

    def _map_source(self, X: Array) -> Array:
        Z = embed(X, self.landmarks_, self.gamma_, self.projection_)
        # new rows as those of fit: a survey's program leaves this out for them (docs/errors.md)
        return normalize(Z) if self.normalize else Z

    def _map_target(self, X: Array) -> Array:
        return self._map_source(X)
