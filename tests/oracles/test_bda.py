"""BDA, against the paper's loop written with full n x n matrices, and the two methods that it holds at its ends."""

import numpy as np
import pytest
from scipy.linalg import eig

from transfermap.data.toy import make_toy
from transfermap.methods.alignment._joint import balanced_factor
from transfermap.methods.alignment.bda import BDA
from transfermap.methods.alignment.jda import JDA
from transfermap.methods.alignment.tca import TCA

toy = make_toy("class_shift", n=50, seed=3)
Xs, ys, Xt = toy.Xs, toy.ys, toy.Xt
ys = np.where((ys == 1) & (Xs[:, 2] > 0), 2, ys)  # three classes
X, y, d = np.r_[Xs, Xt], np.r_[ys, np.zeros(50, int)], np.repeat([1, -1], 50)


def printed(mu, rounds, guess=None):
    """The paper's procedure over the columns: full M, a general eigensolver, neighbours by loops."""
    n, classes = 100, np.unique(ys)
    e0 = np.r_[np.full(50, 1 / 50), np.full(50, -1 / 50)]
    for _ in range(rounds):
        M = (1 - mu if guess is not None else 1) * len(classes) * np.outer(e0, e0)
        for c in classes:
            if guess is not None and (guess == c).any():
                e = np.r_[(ys == c) / (ys == c).sum(), -1.0 * (guess == c) / (guess == c).sum()]
                M += mu * np.outer(e, e)
        M /= np.linalg.norm(M)
        values, A = eig(np.linalg.solve(X.T @ M @ X + 0.5 * np.eye(5), X.T @ (np.eye(n) - 1 / n) @ X))
        A = A[:, np.argsort(-values.real)[:3]].real
        Z = X @ (A / np.linalg.norm(A, axis=0))
        Z /= np.linalg.norm(Z, axis=1, keepdims=True)
        guess = np.array([ys[np.argmin(((Z[:50] - z) ** 2).sum(1))] for z in Z[50:]])
    return Z, guess


def ours(mu, rounds, **params):
    bda = BDA(mu=mu, n_components=3, kernel="primal", reg=0.5, max_iter=rounds, **params)
    return bda.fit_transform(X, y, sample_domain=d), bda


@pytest.mark.parametrize("mu", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("rounds", [1, 2, 4])
def test_it_is_the_papers_loop_and_the_first_term_stays_what_it_is(mu, rounds):
    # the released JDA and BDA build the first term from the last class's column from the third round on
    Z, guess = printed(mu, rounds)
    got, bda = ours(mu, rounds)
    np.testing.assert_allclose(np.abs(got), np.abs(Z), atol=1e-6)
    np.testing.assert_array_equal(bda.guess_, guess)


def test_it_may_start_from_the_nearest_source_rows():
    nearest = np.array([ys[np.argmin(((Xs - x) ** 2).sum(1))] for x in Xt])
    for rounds in (1, 2):
        Z, guess = printed(0.7, rounds, nearest)
        got, bda = ours(0.7, rounds, start="nearest")
        np.testing.assert_allclose(np.abs(got), np.abs(Z), atol=1e-6)
        np.testing.assert_array_equal(bda.guess_, guess)


@pytest.mark.parametrize("kernel", ["rbf", "linear", "primal"])
def test_one_half_is_jda_and_zero_is_tca(kernel):
    params = {"kernel": kernel, "n_components": 3, "reg": 0.5}
    half, jda = (m.fit_transform(X, y, sample_domain=d) for m in (BDA(mu=0.5, **params), JDA(**params)))
    np.testing.assert_allclose(half, jda, atol=1e-8)
    none = BDA(mu=0, **params).fit_transform(X, y, sample_domain=d)
    np.testing.assert_allclose(none, TCA(normalize=True, **params).fit_transform(X, sample_domain=d), atol=1e-8)
    assert not np.allclose(BDA(mu=1, **params).fit_transform(X, y, sample_domain=d), jda, atol=1e-3)


def test_the_factor_is_the_weighted_sum_of_the_matrices():
    guess = np.array([0, 1, 1, 0, 1])
    labels = np.array([0, 0, 1])
    E = balanced_factor(labels, guess, 3, 0.2)  # nobody is of class 2
    e = [np.r_[np.full(3, 1 / 3), np.full(5, -0.2)], np.r_[0.5, 0.5, 0, -0.5, 0, 0, -0.5, 0]]
    e.append(np.r_[0, 0, 1, 0, -1 / 3, -1 / 3, 0, -1 / 3])
    M = 0.8 * 3 * np.outer(e[0], e[0]) + 0.2 * (np.outer(e[1], e[1]) + np.outer(e[2], e[2]))
    np.testing.assert_allclose(E @ E.T, M, atol=1e-12)
