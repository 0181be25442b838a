"""Transfer components: the eigenproblem of TCA, JDA and their kin, solved without a matrix over all pairs of rows.

All of them look for directions that keep the rows' variance and lose what tells the domains apart:

    max_a  a'Ba / a'(EE' + reg I)a,      B = F'HF,  E = F'M_

with features F (n, r), the centring H, and a thin factor M_ (n, q) of the discrepancy matrix. The forms (plain columns,
linear kernel, Gaussian kernel) differ in F only; each is a :class:`Space`, in whose coordinates the penalty is the
plain norm. Rows are read in blocks, so memory grows with n, not with its square.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackError, eigsh

from transfermap.math.kernels import rbf
from transfermap.math.linalg import Array, row_space

Scale = Literal["unit", "regularizer", "constraint"]
_CHANCE = 10  # times what chance shows: :func:`chance_penalty`
_BLOCK = 4096  # rows of a kernel that are held at a time
_MOST, _ENOUGH = 100, 0.99  # where no number of components is asked for: at most, and the share that they hold
_NOISE = 1e-12  # eigenvalues below this share of the largest are rounding
_FEW = 8  # Lanczos where less than one eigenvector in this many is wanted


class Space(NamedTuple):
    """Features ``raw(x) @ basis``: ``raw(x)`` is x itself, or k(x, landmarks) where there are ``landmarks`` (m, d).

    ``basis`` is (d or m, r); ``scatter`` (r, r) holds the centred second moments of the training rows' features.
    """

    landmarks: Array | None
    gamma: float
    basis: Array
    scatter: Array


def nystroem_map(landmarks: Array, gamma: float) -> Array:
    """The W (m, r) with features ``k(x, landmarks) W``, whose products are the kernel as the landmarks see it."""
    values, vectors = np.linalg.eigh(rbf(landmarks, landmarks, gamma))
    # landmarks that repeat one another have eigenvalue 0, and 1 / sqrt of its rounding would be noise
    kept = values > values[-1] * _NOISE
    return vectors[:, kept] / np.sqrt(values[kept])


def kernel_mean(X: Array, over: Array, gamma: float) -> Array:
    """Each row's mean kernel value with the rows of ``over``, (n,)."""
    return sum(rbf(X, over[rows], gamma).sum(axis=1) for rows in _blocks(len(over))) / len(over)


def embed(X: Array, landmarks: Array | None, gamma: float, projection: Array) -> Array:
    """``raw(X) @ projection``, (n, k), in blocks of rows and in the type of ``X``."""
    Z = np.empty((len(X), projection.shape[1]), dtype=X.dtype)
    for rows in _blocks(len(X)):
        Z[rows] = _raw(X[rows], landmarks, gamma) @ projection
    return Z


def linear_space(X: Array, dual: bool) -> Space:
    """The columns themselves, or (``dual``) the linear kernel, whose penalty lies on the kernel's coefficients."""
    X = np.asarray(X, dtype=np.float64)
    axes, lengths = row_space(X)
    # the dual penalises the coefficients on rows, b'(X'X)^-1 b: long axes are cheaper, so it is another estimator
    basis = axes * lengths if dual else axes
    centred = (X - X.mean(axis=0)) @ basis
    return Space(None, 0.0, basis, centred.T @ centred)


def kernel_space(X: Array, gamma: float) -> Space:
    """The Gaussian kernel of all rows, exactly: time n^3, memory n^2."""
    K = rbf(X, X, gamma)
    centred = K - K.mean(axis=0)
    # (HK)'HK = KHK, as K is symmetric
    return Space(X, gamma, np.eye(len(X)), centred.T @ centred)


def nystroem_features(X: Array, landmarks: Array, gamma: float) -> tuple[Space, Array]:
    """Features whose products are the Gaussian kernel as ``landmarks`` (m, d) see it, and their sum of ff', (r, r)."""
    flat = Space(landmarks, gamma, nystroem_map(landmarks, gamma), np.empty((0, 0)))
    second, first = moments_of(flat, X, np.ones(len(X)))
    return flat._replace(scatter=second - np.outer(first, first) / len(X)), second


def nystroem_space(X: Array, landmarks: Array, gamma: float) -> Space:
    """The Gaussian kernel as ``landmarks`` (m, d) see it (Nystroem): time n m^2, memory m^2."""
    return coefficient_space(*nystroem_features(X, landmarks, gamma))[0]


def moments_of(space: Space, X: Array, w: Array) -> tuple[Array, Array]:
    """The sums over rows of w f f' and of w f, (r, r) and (r,), with the space's features f and weights ``w`` (n,)."""
    width = len(space.basis)
    second, first = np.zeros((width, width)), np.zeros(width)
    for rows in _blocks(len(X)):
        F = _raw(X[rows], space.landmarks, space.gamma)
        # the root on both sides: a product A'A is symmetric to the bit, and takes half of the work
        half = F * np.sqrt(w[rows])[:, None]
        second += half.T @ half
        first += w[rows] @ F
    return space.basis.T @ second @ space.basis, space.basis.T @ first


def coefficient_space(space: Space, G: Array) -> tuple[Space, Array]:
    """From directions b, penalised themselves, to b = F'W with the penalty W'R^-1 W on a coefficient W for each row.

    With ``G`` (r, r) = F'RF, the best W that gives b is RF G^-1 b, whose penalty b'G^-1 b is the plain norm after
    b = G^(1/2) v. Also returns D (d or m, r'), with W = R raw(X) D v.
    """
    values, vectors = np.linalg.eigh(G)
    kept = values > max(values[-1], 0) * _NOISE
    # also where G is zero one direction stays
    kept[-1] = True
    lengths, vectors = np.sqrt(np.maximum(values[kept], np.finfo(float).tiny)), vectors[:, kept]
    root = vectors * lengths
    scatter = root.T @ space.scatter @ root
    # rounding makes it unsymmetric, and the solvers read one triangle only
    changed = Space(space.landmarks, space.gamma, space.basis @ root, (scatter + scatter.T) / 2)
    return changed, space.basis @ (vectors / lengths)


def domain_factor(n_source: int, n_target: int) -> Array:
    """The column e with e'f = mean of f over the source - mean over the target; source rows first. (n, 1)."""
    return np.concatenate([np.full(n_source, 1 / n_source), np.full(n_target, -1 / n_target)])[:, None]


def class_factor(ys: Array, yt: Array, n_classes: int) -> Array:
    """One such column a class, (n, n_classes); zero for a class that one side lacks. Labels are 0 ... n_classes - 1."""
    sides = [np.eye(n_classes)[y] for y in (ys, yt)]
    counts = [side.sum(axis=0) for side in sides]
    # a class that one side lacks has no mean there, and no say: 0, where 1 / its count would be inf
    both = (counts[0] > 0) & (counts[1] > 0)
    share = [both / np.maximum(count, 1) for count in counts]
    return np.concatenate([sides[0] * share[0], -sides[1] * share[1]])


def components(space: Space, X: Array, factor: Array, reg: float, k: int | None, scale: Scale) -> Array:
    """The projection (d or m, at most k) of ``raw(x)`` onto the leading transfer components, best first.

    Parameters
    ----------
    space : Space
    X : ndarray of shape (n, d)
        The rows that ``space`` was made from.
    factor : ndarray of shape (n, q)
        M = factor factor', scaled here to Frobenius norm one, so that ``reg`` means the same at every n.
    reg : float
        Penalty, > 0.
    k : int or None
        Number of components; fewer come back where the data has fewer. None: the fewest, of at most 100, that hold
        99 % of the quotients' sum, less those whose discrepancy exceeds their penalty.
    scale : {"unit", "regularizer", "constraint"}
        Relative length of the components: a'a = 1, a'(EE' + reg I)a = 1, or equal variance. The whole is then scaled so
        that their variance over the training rows is 1 on average.
    """
    # the norm as in the JDA authors' program; in TCA's paper the meaning of the penalty changes with n
    E = pull(space, X, unit_norm(factor))
    share, vectors = leading(space.scatter, E, reg, k or _MOST)
    if k is None:
        vectors = worthwhile(share, vectors, E, reg)
    return scaled(space, vectors, len(X), scale)


def scaled(space: Space, vectors: Array, n: int, scale: Scale) -> Array:
    """Solutions (r, k) as a projection (d or m, k), of the lengths that ``scale`` names, signs settled."""
    # the papers ask for a'Ba = 1, but their figures are those of unit vectors: JDA on the twelve SURF tasks has
    # 46.31 % with these, as printed, and 35.66 % with the constraint
    directions = vectors / np.linalg.norm(vectors, axis=0) if scale == "unit" else vectors
    variance = np.einsum("rk,rk->k", directions, space.scatter @ directions) / n
    size = variance if scale == "constraint" else np.full_like(variance, variance.mean())
    # a direction without variance keeps its length
    return _oriented(space.basis @ (directions / np.sqrt(np.where(size > 0, size, 1))))


def unit_norm(factor: Array) -> Array:
    """``factor`` (n, q) scaled such that factor factor' has Frobenius norm one; as it is where it is zero."""
    size = np.sqrt(np.linalg.norm(factor.T @ factor))
    return factor / size if size > 0 else factor


def chance_penalty(space: Space, X: Array, n_source: int) -> float:
    """Ten times the discrepancy that chance alone shows along the leading direction: only what stands out then counts.

    Between two samples of one distribution, the scaled discrepancy of a direction is its variance within the domains.
    """
    # at norm one, EE' is exactly the scatter between the domains: what is left lies within them
    between = pull(space, X, unit_norm(domain_factor(n_source, len(X) - n_source)))
    within = float(_largest(space.scatter - between @ between.T, 1)[0][0]) / len(X)
    return _CHANCE * within if within > 0 else 1.0


def pull(space: Space, X: Array, factor: Array) -> Array:
    """Features' * factor, (r, q)."""
    total = sum(_raw(X[rows], space.landmarks, space.gamma).T @ factor[rows] for rows in _blocks(len(X)))
    return space.basis.T @ total


def pick_landmarks(Xs: Array, Xt: Array, m: int, seed: int) -> Array:
    """``m`` rows (all, where there are fewer), drawn in equal parts from both domains as far as they reach."""
    n_source = min(max(m // 2, m - len(Xt)), len(Xs))
    rng = np.random.default_rng(seed)
    shares = ((Xs, n_source), (Xt, min(m - n_source, len(Xt))))
    return np.concatenate([X[np.sort(rng.choice(len(X), share, replace=False))] for X, share in shares])


def leading(B: Array, E: Array, reg: float, k: int) -> tuple[Array, Array]:
    """The k largest solutions of ``B v = w (EE' + reg I) v``, fewer where the others are rounding; at least one.

    Returns each w's share of the sum of all, and the v (r, k), v'(EE' + reg I)v = 1.

    The penalty differs from a multiple of the identity in the few directions of E (r, q) only, and so does its root.
    """
    U, s, _ = np.linalg.svd(E, full_matrices=False)
    shrink = 1 - np.sqrt(reg / (reg + s**2))

    def eased(V: Array) -> Array:
        return (V - (U * shrink) @ (U.T @ V)) / np.sqrt(reg)

    # A^(-1/2) B A^(-1/2) with A the penalty: an ordinary symmetric problem. A general solver for the pair (A, B),
    # of which one is singular, gives unsorted and complex vectors (docs/errors.md)
    S = eased(eased(B).T)
    w, V = _largest(S, k)
    # B is zero where all rows are equal: one direction is left, so that there are columns to learn from
    kept = w > w[0] * _NOISE if w[0] > 0 else np.arange(len(w)) == 0
    return w[kept] / max(float(np.trace(S)), np.finfo(float).tiny), eased(V[:, kept])


def worthwhile(share: Array, vectors: Array, E: Array, reg: float) -> Array:
    """Of the leading directions (r, k) those that together hold nearly all of the sum, and do not tell domains."""
    vectors = vectors[:, : 1 + np.count_nonzero(np.cumsum(share) < _ENOUGH)]
    # at most half of the quotient's denominator comes from the domains' difference
    alike = ((E.T @ vectors) ** 2).sum(axis=0) <= reg * (vectors**2).sum(axis=0)
    return vectors[:, alike] if alike.any() else vectors[:, :1]


def _largest(S: Array, k: int) -> tuple[Array, Array]:
    """The (at most) k largest eigenvalues of a symmetric matrix, falling, and their vectors."""
    n = len(S)
    if k * _FEW < n:
        try:
            # a start drawn for its size alone: the result is the same at every call
            values, vectors = eigsh(S, k, which="LA", v0=np.random.default_rng(n).normal(size=n))
        except ArpackError:  # such as a matrix of zeros
            pass
        else:
            falling = np.argsort(-values)
            return values[falling], vectors[:, falling]
    values, vectors = eigh(S, subset_by_index=[max(n - k, 0), n - 1])
    return values[::-1], vectors[:, ::-1]


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, n, _BLOCK))


def _raw(X: Array, landmarks: Array | None, gamma: float) -> Array:
    return np.asarray(X, dtype=np.float64) if landmarks is None else rbf(X, landmarks, gamma)


def _oriented(projection: Array) -> Array:
    """An eigenvector's sign is anybody's choice: make its largest entry positive."""
    largest = np.argmax(np.abs(projection), axis=0)
    return projection * np.where(projection[largest, np.arange(projection.shape[1])] < 0, -1, 1)
