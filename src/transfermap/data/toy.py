"""Toy shifts: small made-up pairs of domains, each with exactly one kind of difference between them.

Each is a function ``(n, seed, task) -> Toy`` and stands in :data:`TOYS` under its name. ``task`` is "classification"
(labels 0 and 1) or "regression"; the label's part of the columns is the same in both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Rng = np.random.Generator
Task = Literal["classification", "regression"]


class Toy(NamedTuple):
    """Source rows and labels, target rows, and the target's labels, which only a judge may see.

    ``sources`` (n_source,) says which source a row is of, where there are several; ``pairs`` (n_source + n_target,) and
    ``attributes`` are side information, where a method is to have some.
    """

    Xs: Array
    ys: Array
    Xt: Array
    yt: Array
    sources: Array | None = None
    pairs: Array | None = None
    attributes: dict[int, list[float]] | None = None


Shift = Callable[[int, int, Task], Toy]
TOYS: dict[str, Shift] = {}


def make_toy(name: str, n: int = 300, seed: int = 0, task: Task = "classification") -> Toy:
    """The toy shift ``name`` with ``n`` rows a domain.

    Raises
    ------
    ValueError
        If there is no such shift or task, or n is below 10.

    Examples
    --------
    >>> toy = make_toy("label_shift", n=1000)
    >>> toy.Xs.shape, bool(toy.ys.mean() < 0.6), bool(toy.yt.mean() > 0.8)
    ((1000, 4), True, True)
    """
    if name not in TOYS:
        raise ValueError(f"no toy shift {name!r}; expected one of: {', '.join(sorted(TOYS))}")
    if task not in ("classification", "regression"):
        raise ValueError(f"task must be 'classification' or 'regression'; got {task!r}")
    if n < 10:
        raise ValueError(f"n must be at least 10 rows a domain; got {n}")
    return TOYS[name](n, seed, task)


def _shift(make: Callable[[Rng, int, Task], Toy]) -> Shift:
    """Register a shift under its function's name; each (name, seed) draws from a generator of its own."""

    def shift(n: int = 300, seed: int = 0, task: Task = "classification") -> Toy:
        return make(np.random.default_rng([seed, *make.__name__.encode()]), n, task)

    shift.__name__, shift.__doc__ = make.__name__, make.__doc__
    TOYS[make.__name__] = shift
    return shift


def _labels(rng: Rng, n: int, task: Task, share: float = 0.5) -> tuple[Array, Array]:
    """Labels, and the same as a signal of mean 0 and variance 1 (at ``share`` one half)."""
    if task == "regression":
        y = rng.normal(size=n) + 2 * (share - 0.5)
        return y, y
    y = (rng.random(n) < share).astype(int)
    return y, 2.0 * y - 1


def _clouds(rng: Rng, signal: Array, d: int) -> Array:
    """Rows of unit noise around the signal in column 0."""
    X = rng.normal(size=(len(signal), d))
    X[:, 0] = 0.5 * X[:, 0] + signal
    return X


def _pair(rng: Rng, n: int, task: Task, d: int = 4, share: float = 0.5) -> Toy:
    """Two domains without any shift but ``share``, the target's share of class 1 (or its mean label)."""
    (ys, signal_s), (yt, signal_t) = _labels(rng, n, task), _labels(rng, n, task, share)
    return Toy(_clouds(rng, signal_s, d), ys, _clouds(rng, signal_t, d), yt)


@_shift
def no_shift(rng: Rng, n: int, task: Task) -> Toy:
    """Both domains alike."""
    return _pair(rng, n, task)


@_shift
def label_shift(rng: Rng, n: int, task: Task) -> Toy:
    """Class 1 is half of the source and nine tenths of the target (regression: the mean label moves)."""
    return _pair(rng, n, task, share=0.9)


@_shift
def unrelated(rng: Rng, n: int, task: Task) -> Toy:
    """The same columns, but the target's label has nothing to do with them."""
    toy = _pair(rng, n, task)
    return toy._replace(yt=_labels(rng, n, task)[0])


@_shift
def covariate_shift(rng: Rng, n: int, task: Task) -> Toy:
    """The target lies in one part of the source, where the curved rule looks nothing like a line through all."""
    Xs = rng.normal(size=(n, 2)) * [1.5, 1.0]
    Xt = rng.normal(size=(n, 2)) * [0.6, 1.0] + [1.5, 0.0]
    labels = []
    for X in (Xs, Xt):
        score = 1.5 * np.sin(1.5 * X[:, 0] + 2.4) + X[:, 1] + 0.3 * rng.normal(size=n)
        labels.append(score if task == "regression" else (score > 0).astype(int))
    return Toy(Xs, labels[0], Xt, labels[1])


@_shift
def site_offsets(rng: Rng, n: int, task: Task) -> Toy:
    """Two sites whose instruments have another zero and another unit in every column."""
    toy = _pair(rng, n, task)
    zero, unit = 4 * rng.normal(size=4), np.exp(rng.normal(size=4))
    return toy._replace(Xt=toy.Xt * unit + zero)


@_shift
def rotation_and_scale(rng: Rng, n: int, task: Task) -> Toy:
    """The target's columns are mixed with one another, stretched and moved, by a symmetric positive matrix."""
    toy = _pair(rng, n, task)
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    return toy._replace(Xt=toy.Xt @ (turn * [4.0, 2.0, 1.0, 0.25]) @ turn.T + 2 * rng.normal(size=4))


def _nuisance(rng: Rng, n: int, task: Task) -> tuple[Toy, Array]:
    toy = _pair(rng, n, task, d=6)
    along = np.r_[0.0, rng.normal(size=5)]
    along /= np.linalg.norm(along)
    signal = toy.ys if task == "regression" else 2 * toy.ys - 1
    return toy._replace(Xs=toy.Xs + 0.7 * np.outer(signal, along), Xt=toy.Xt + 4 * along), along


@_shift
def mean_shift_nuisance(rng: Rng, n: int, task: Task) -> Toy:
    """The target is moved along a direction that follows the label a little in the source and not at all in it."""
    return _nuisance(rng, n, task)[0]


@_shift
def class_shift(rng: Rng, n: int, task: Task) -> Toy:
    """One column follows the label in the source and its opposite in the target; the others keep their meaning."""
    toy = _pair(rng, n, task, d=5)
    for X, y, sign in ((toy.Xs, toy.ys, 1), (toy.Xt, toy.yt, -1)):
        X[:, 1] = sign * 0.7 * (2 * y - 1 if task == "classification" else y) + 0.3 * X[:, 1]
    return toy


@_shift
def subspace_shift(rng: Rng, n: int, task: Task) -> Toy:
    """Rows lie near a plane, and the plane is tilted in the target, into columns that were only noise in the source."""
    (ys, signal_s), (yt, signal_t) = _labels(rng, n, task), _labels(rng, n, task)
    tilt, domains = np.pi / 4, []
    for signal, angle in ((signal_s, 0.0), (signal_t, tilt)):
        axes = np.zeros((2, 6))
        axes[0, [0, 2]] = axes[1, [1, 3]] = np.cos(angle), np.sin(angle)
        latent = 4 * np.column_stack([signal + 0.5 * rng.normal(size=n), rng.normal(size=n)])
        domains.append(latent @ axes + 0.4 * rng.normal(size=(n, 6)))
    domains[0][:, 2] -= 0.8 * signal_s
    return Toy(domains[0], ys, domains[1], yt)


@_shift
def prevalence_shift(rng: Rng, n: int, task: Task) -> Toy:
    """As label_shift, with classes that overlap: how common a class is then decides many rows."""
    toy = _pair(rng, n, task, share=0.9)
    for X in (toy.Xs, toy.Xt):
        X[:, 0] += (1.4 if task == "classification" else 0.4) * rng.normal(size=n)
    return toy


@_shift
def drifting_rule(rng: Rng, n: int, task: Task) -> Toy:
    """Two well-separated clouds, which in the target are turned by 60 degrees about the middle."""
    (ys, signal_s), (yt, signal_t) = _labels(rng, n, task), _labels(rng, n, task)
    domains = []
    for signal, angle in ((signal_s, 0.0), (signal_t, np.pi / 3)):
        along = np.array([np.cos(angle), np.sin(angle)])
        domains.append(3 * np.outer(signal, along) + rng.normal(size=(n, 2)))
    domains[0][:, 1] -= signal_s
    return Toy(domains[0], ys, domains[1], yt)


@_shift
def contrary_majority(rng: Rng, n: int, task: Task) -> Toy:
    """Seven tenths of the source follow the opposite of the target's rule, in rows that lie a little elsewhere."""
    toy = _pair(rng, n, task)
    contrary = rng.random(n) < 0.7
    toy.Xs[contrary, 0] *= -1
    toy.Xs[contrary, 1] += 1.0
    return toy


@_shift
def several_sources(rng: Rng, n: int, task: Task) -> Toy:
    """Three sources of n rows: two that follow the target's rule in units of their own, one far away with another."""
    rows, labels = [], []
    for k in range(3):
        toy = _pair(rng, n, task)
        X = toy.Xs * np.exp(0.3 * rng.normal(size=4)) + 0.5 * rng.normal(size=4)
        if k == 2:
            X = np.column_stack([-2 * toy.Xs[:, 0], X[:, 1:]]) + 6
        rows.append(X)
        labels.append(toy.ys)
    last = _pair(rng, n, task)
    sources = np.repeat(np.arange(3), n)
    return Toy(np.concatenate(rows), np.concatenate(labels), last.Xt, last.yt, sources)


@_shift
def vocabulary_shift(rng: Rng, n: int, task: Task) -> Toy:
    """Counts of words: six speak faintly of the label in both domains, six loudly in the source, six in the target."""
    (ys, signal_s), (yt, signal_t) = _labels(rng, n, task), _labels(rng, n, task)
    domains = []
    for signal, own in ((signal_s, slice(6, 12)), (signal_t, slice(12, 18))):
        felt = np.zeros((n, 18))
        sides = np.where(np.arange(18) % 2 == 0, 1.0, -1.0)
        felt[:, :6] = 0.35 * np.outer(signal, sides[:6])
        felt[:, own] = 1.2 * np.outer(signal, sides[own])
        rate = np.zeros(18)
        rate[:6], rate[own] = 0.5, 0.5
        domains.append(rng.poisson(rate * np.exp(np.clip(felt, -2, 2))).astype(float))
    return Toy(domains[0], ys, domains[1], yt)


def _circle(rng: Rng, place: Array, turn: float = 0.0) -> Array:
    """Rows around a circle, a fifth of it for each unit of ``place`` (n,), turned by degrees; two idle columns."""
    angle = 2 * np.pi * place / 5 + np.deg2rad(turn)
    X = rng.normal(size=(len(place), 4))
    X[:, :2] = 0.8 * X[:, :2] + 3 * np.column_stack([np.cos(angle), np.sin(angle)])
    return X


@_shift
def partial_labels(rng: Rng, n: int, task: Task) -> Toy:
    """Five classes in a circle, of which the target has two (regression: half of the range); it is turned a little."""
    ys: Array
    yt: Array
    if task == "regression":
        ys, yt = 5 * rng.random(n), 2.5 * rng.random(n)
    else:
        ys, yt = rng.integers(0, 5, n), 2 * rng.integers(0, 2, n)
    return Toy(_circle(rng, ys), ys, _circle(rng, yt, turn=20), yt)


@_shift
def contrary_witness(rng: Rng, n: int, task: Task) -> Toy:
    """Two columns say the label clearly; in the target the second says the opposite, less loudly."""
    (ys, signal_s), (yt, signal_t) = _labels(rng, n, task), _labels(rng, n, task)
    domains = []
    for signal, second in ((signal_s, 1.0), (signal_t, -0.7)):
        X = 0.3 * rng.normal(size=(n, 4))
        X[:, :2] += np.outer(signal, [1.0, second])
        domains.append(X)
    return Toy(domains[0], ys, domains[1], yt)


@_shift
def unknown_class(rng: Rng, n: int, task: Task) -> Toy:
    """As mean_shift_nuisance; a fifth of the target is of a class of its own, which lies further the same way.

    Regression: that fifth has labels beyond all of the source's.
    """
    toy, along = _nuisance(rng, n, task)
    new = rng.random(n) < 0.2
    toy.Xt[new] += 6 * along
    if task == "regression":
        toy.Xt[new, 0] += 3
        toy.yt[new] += 3
    else:
        toy.Xt[new, 0] = 0.5 * rng.normal(size=new.sum())
        toy.yt[new] = 2
    return toy


@_shift
def paired_views(rng: Rng, n: int, task: Task) -> Toy:
    """Two instruments whose columns have nothing in common; half of the things were measured on both."""
    (ys, signal_s), (yt, signal_t) = _labels(rng, n, task), _labels(rng, n, task)
    half = n // 2
    yt[:half], signal_t[:half] = ys[:half], signal_s[:half]
    source, target = _clouds(rng, signal_s, 6), _clouds(rng, signal_t, 6)
    target[:half] = source[:half]
    views = [
        rows @ np.linalg.qr(rng.normal(size=(6, 6)))[0] + 0.2 * rng.normal(size=(n, 6)) for rows in (source, target)
    ]
    apart = np.full(n - half, -1)
    return Toy(views[0], ys, views[1], yt, pairs=np.r_[np.arange(half), apart, np.arange(half), apart])


@_shift
def unseen_classes(rng: Rng, n: int, task: Task) -> Toy:
    """Classes are pairs of one of four shapes and one of three colours; the target has the four that the source lacks.

    Both show in the columns each by itself. Regression: the label is what shape and colour add up to.
    """
    shapes, colours = rng.normal(size=(4, 10)), rng.normal(size=(3, 10))
    new = [(0, 0), (1, 1), (2, 2), (3, 0)]
    old = [(a, b) for a in range(4) for b in range(3) if (a, b) not in new]
    rows, labels = [], []
    for kinds in (old, new):
        a, b = np.array(kinds)[rng.integers(0, len(kinds), n)].T
        rows.append(shapes[a] + colours[b] + 0.4 * rng.normal(size=(n, 10)))
        labels.append(3 * a + b if task == "classification" else a + b + 0.3 * rng.normal(size=n))
    known = {3 * a + b: [float(a == k) for k in range(4)] + [float(b == k) for k in range(3)] for a, b in old + new}
    return Toy(rows[0], labels[0], rows[1], labels[1], attributes=known)
