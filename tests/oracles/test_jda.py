"""JDA, against the paper's loop written with full n x n matrices, and its known limits."""

from functools import partial

import numpy as np
import pytest
from scipy.linalg import eig

from transfermap.data.toy import make_toy
from transfermap.math.components import components, linear_space
from transfermap.methods.alignment import _joint
from transfermap.methods.alignment._joint import balanced_factor, some_of_each
from transfermap.methods.alignment.jda import JDA
from transfermap.methods.alignment.tca import TCA

toy = make_toy("class_shift", n=60)
Xs, ys, Xt = toy.Xs, toy.ys, toy.Xt
X, d = np.r_[Xs, Xt], np.repeat([1, -1], 60)
y = np.r_[ys, toy.yt]


def printed(F, Xs, ys, Xt, reg, k, rounds):
    """The paper's procedure over features F (r, n): full M, a general eigensolver, neighbours by loops."""
    ns, nt, classes = len(Xs), len(Xt), np.unique(ys)
    n = ns + nt
    H, guess = np.eye(n) - 1 / n, None
    for _ in range(rounds):
        M = np.zeros((n, n))
        e0 = np.r_[np.full(ns, 1 / ns), np.full(nt, -1 / nt)]
        M += len(classes) * np.outer(e0, e0)
        for c in classes:
            if guess is not None and (guess == c).any():
                e = np.r_[(ys == c) / (ys == c).sum(), -1.0 * (guess == c) / (guess == c).sum()]
                M += np.outer(e, e)
        M /= np.linalg.norm(M)
        values, A = eig(np.linalg.solve(F @ M @ F.T + reg * np.eye(len(F)), F @ H @ F.T))
        A = A[:, np.argsort(-values.real)[:k]].real
        Z = (A / np.linalg.norm(A, axis=0)).T @ F
        Z = (Z / np.linalg.norm(Z, axis=0)).T
        guess = np.array([ys[np.argmin(((Z[:ns] - z) ** 2).sum(1))] for z in Z[ns:]])
    return Z, guess


@pytest.mark.parametrize("rounds", [1, 2, 3])
@pytest.mark.parametrize("labels", [[0, 1], [7, -3]])
def test_it_is_the_papers_loop_over_columns(rounds, labels):
    named = np.array(labels)[ys]
    Z, guess = printed(X.T, Xs, named, Xt, 1.0, 3, rounds)
    jda = JDA(n_components=3, kernel="primal", reg=1.0, max_iter=rounds)
    ours = jda.fit_transform(X, np.array(labels)[y], sample_domain=d)
    np.testing.assert_allclose(np.abs(ours), np.abs(Z), atol=1e-6)
    np.testing.assert_array_equal(jda.guess_, guess)


def test_it_is_the_papers_loop_with_a_linear_kernel():
    Z, guess = printed(X @ X.T, Xs, ys, Xt, 1.0, 3, 3)
    jda = JDA(n_components=3, kernel="linear", reg=1.0, max_iter=3)
    np.testing.assert_allclose(np.abs(jda.fit_transform(X, y, sample_domain=d)), np.abs(Z), atol=1e-5)
    np.testing.assert_array_equal(jda.guess_, guess)


@pytest.mark.parametrize("kernel", ["rbf", "linear", "primal"])
def test_one_round_is_tca(kernel):
    params = {"kernel": kernel, "n_components": 3, "reg": 1.0}
    jda = JDA(max_iter=1, normalize=False, **params).fit_transform(X, y, sample_domain=d)
    np.testing.assert_allclose(jda, TCA(**params).fit_transform(X, sample_domain=d), atol=1e-8)


def test_one_class_is_tca_too():
    jda = JDA(kernel="primal", n_components=2, reg=1.0, normalize=False)
    Z = jda.fit_transform(X, np.full(120, "only"), sample_domain=d)
    expected = TCA(kernel="primal", n_components=2, reg=1.0).fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(Z, expected, atol=1e-6)
    assert set(jda.guess_) == {"only"}


def test_with_the_true_labels_and_no_penalty_all_class_means_agree():
    factor = balanced_factor(ys, toy.yt, 2, 0.5)
    Z = X @ components(linear_space(X, dual=False), X, factor, 1e-10, 2, "unit")
    for c in (0, 1):
        np.testing.assert_allclose(Z[:60][ys == c].mean(0), Z[60:][toy.yt == c].mean(0), atol=1e-4)


def test_a_class_that_nobody_is_guessed_to_be_leaves_no_trace():
    factor = np.sqrt(2) * balanced_factor(np.array([0, 0, 1, 2]), np.array([0, 2, 2]), 3, 0.5)
    np.testing.assert_array_equal(factor[:, 2], 0)
    np.testing.assert_allclose(factor[:, 1], [0.5, 0.5, 0, 0, -1, 0, 0])
    np.testing.assert_allclose(factor[:, 0], np.sqrt(3) * np.r_[np.full(4, 0.25), np.full(3, -1 / 3)])
    one_sided = make_toy("no_shift", n=40)
    Xu = np.r_[one_sided.Xs, one_sided.Xt[one_sided.yt == 1]]
    du = np.repeat([1, -1], [40, (one_sided.yt == 1).sum()])
    yu = np.r_[one_sided.ys, np.full(len(Xu) - 40, -1)]
    assert np.isfinite(JDA().fit_transform(Xu, yu, sample_domain=du)).all()


def test_it_stops_when_the_guess_stays():
    clear, named = X.copy(), np.where(y == 1, "yes", "no")
    clear[:, 0] += 20 * (y - 0.5)
    jda = JDA(max_iter=50).fit(clear, named, sample_domain=d)
    assert 1 < jda.n_iter_ < 5
    np.testing.assert_array_equal(jda.guess_, named[60:])
    again = JDA(max_iter=jda.n_iter_).fit(clear, named, sample_domain=d)
    np.testing.assert_array_equal(again.projection_, jda.projection_)


def test_new_rows_get_the_stored_map():
    for kernel in ("rbf", "linear", "primal"):
        jda = JDA(kernel=kernel)
        Z = jda.fit_transform(X, y, sample_domain=d)
        np.testing.assert_allclose(jda.transform(Xt), Z[60:], atol=1e-10)
        np.testing.assert_allclose(np.linalg.norm(Z, axis=1), 1)


def test_of_many_source_rows_the_same_share_of_each_class_is_asked():
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [3000, 900, 7]))
    some = some_of_each(labels, most=1000)
    np.testing.assert_array_equal(np.bincount(labels[some]), np.ceil(np.array([3000, 900, 7]) * 1000 / 3907))
    assert len(set(some)) == len(some)
    assert list(some) == sorted(some)
    np.testing.assert_array_equal(some_of_each(labels[:10], most=10), np.arange(10))
    assert not np.array_equal(some, some_of_each(labels, most=1000, seed=1))


def test_guesses_are_made_among_some_of_many_rows(monkeypatch):
    clear, domain = np.r_[X, X[:60]], np.r_[d, np.full(60, 1)]
    clear[:, 0] += 20 * (np.r_[y, ys] - 0.5)
    few = partial(some_of_each, most=10)
    monkeypatch.setattr(_joint, "some_of_each", few)
    jda = JDA().fit(clear, np.r_[y, ys], sample_domain=domain)
    assert (jda.guess_ == toy.yt).mean() > 0.95
