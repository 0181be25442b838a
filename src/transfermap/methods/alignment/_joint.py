"""The loop of JDA, BDA, W-BDA and DDA: align, guess the target's labels, align the classes as guessed, guess again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from sklearn.metrics import pairwise_distances_argmin
from sklearn.preprocessing import normalize

from transfermap.card import param
from transfermap.math.components import Space, class_factor, domain_factor, embed
from transfermap.math.linalg import Array
from transfermap.methods.alignment._shared import Projection, Solve, params_below
from transfermap.split import Reads

Start = Literal["marginal", "nearest"]
Factors = Callable[[Array], Array]
_NEIGHBOURS = 10_000  # source rows among which neighbours are sought, where there are more


class Joint(NamedTuple):
    """The projection, the guessed target labels (0 ... C - 1), and the rounds taken."""

    projection: Array
    guess: Array
    rounds: int


def balanced_factor(ys: Array, guess: Array, n_classes: int, mu: float) -> Array:
    """The factor of (1 - mu) C M_0 + mu sum_c M_c, (n, C + 1): the domains' means, and those of each class."""
    # C times, as in the authors' program: mu = 1/2 is then JDA, and one class more does not drown the whole
    whole = domain_factor(len(ys), len(guess)) * np.sqrt((1 - mu) * n_classes)
    return np.concatenate([whole, np.sqrt(mu) * class_factor(ys, guess, n_classes)], axis=1)


def nearest_labels(Zs: Array, ys: Array, Zt: Array) -> Array:
    """Each target row's label by its nearest source row, all rows scaled to length one; (n_target,)."""
    return ys[pairwise_distances_argmin(normalize(Zt), normalize(Zs))]


def some_of_each(ys: Array, most: int = _NEIGHBOURS, seed: int = 0) -> Array:
    """The places of about ``most`` rows, drawn with the same share of each class; all, where there are no more."""
    if len(ys) <= most:
        return np.arange(len(ys))
    order = np.random.default_rng(seed).permutation(len(ys))
    # stable, so that within a class the drawn order stays
    order = order[np.argsort(ys[order], kind="stable")]
    counts = np.bincount(ys)
    rank = np.arange(len(ys)) - np.repeat(np.cumsum(counts) - counts, counts)
    # rounded up: each class keeps a row
    return np.sort(order[rank < np.repeat(np.ceil(counts * most / len(ys)), counts)])


def joint_components(
    space: Space,
    Xs: Array,
    ys: Array,
    Xt: Array,
    factors: Factors,
    solve: Solve,
    start: Start,
    max_iter: int,
    seed: int,
) -> Joint:
    """Components of what ``factors`` makes of a guess, and guesses by these components, until the guess stays.

    ``factors`` takes guessed labels (n_target,) and gives the factor (n, q) of the discrepancy to be made small. The
    first one is that of the domains as a whole, or of the labels of the nearest source rows.
    """
    some = some_of_each(ys, seed=seed)
    # the first guess is made where the domains are aligned as a whole: on the rows as they come it is mostly worse
    factor, guess = domain_factor(len(Xs), len(Xt)), None
    if start == "nearest":
        guess = ys[some][pairwise_distances_argmin(Xt, Xs[some])]
        factor = factors(guess)
    for rounds in range(1, max_iter + 1):
        # made anew from the guess each round; programs that write the classes' columns over the domains' one
        # go wrong from the third round on (docs/errors.md)
        projection = solve(factor=factor)
        Zs, Zt = (embed(half, space.landmarks, space.gamma, projection) for half in (Xs[some], Xt))
        previous, guess = guess, nearest_labels(Zs, ys[some], Zt)
        # the same guess gives the same projection: nothing would change any more
        if previous is not None and np.array_equal(guess, previous):
            break
        if rounds < max_iter:
            factor = factors(guess)
    assert guess is not None
    return Joint(projection, guess, rounds)


@params_below
class JointProjection(Projection):
    """A projection found by :func:`joint_components`; a subclass says in ``_factors`` what is to be made small."""

    reads = Reads("source")

    start: Start = param(default="marginal", choices=("marginal", "nearest"))
    normalize: bool = param(default=True, choices=(True, False))
    max_iter: int = param(default=10, low=1)

    def _factors(self, Xs: Array, ys: Array, Xt: Array, n_classes: int) -> Factors:
        """From guessed labels (n_target,) to the factor (n, q); labels are 0 ... n_classes - 1."""
        raise NotImplementedError

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        classes, codes = np.unique(np.asarray(ys), return_inverse=True)
        space = self._space(Xs, Xt)
        solve, factors = self._solver(space, Xs, Xt), self._factors(Xs, codes, Xt, len(classes))
        found = joint_components(space, Xs, codes, Xt, factors, solve, self.start, self.max_iter, self.random_state)
        self._keep(space, found.projection)
        self.guess_, self.n_iter_ = classes[found.guess], found.rounds
