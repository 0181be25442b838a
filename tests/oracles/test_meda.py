"""MEDA, against the paper's loop written with full matrices, kernel ridge regression, and its two forms."""

import tracemalloc

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from transfermap.data.toy import make_toy
from transfermap.math import graph
from transfermap.math.graph import similarity
from transfermap.math.kernels import rbf
from transfermap.methods.alignment.meda import (
    MEDA,
    aligned,
    feature_system,
    kernel_system,
    weighted_factor,
)
from transfermap.methods.subspace.gfk import GFK

toy = make_toy("class_shift", n=60)
Xs, ys, Xt = toy.Xs, toy.ys, toy.Xt
X, d = np.r_[Xs, Xt], np.repeat([1, -1], 60)
y = np.r_[ys, toy.yt]
rng = np.random.default_rng(0)


def unit(Z):
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


def links(Z, k):
    """D^(-1/2) W D^(-1/2) by loops."""
    n, W = len(Z), np.zeros((len(Z), len(Z)))
    C = Z @ Z.T
    for i in range(n):
        for j in sorted(range(n), key=lambda j: -C[i, j] if j != i else np.inf)[:k]:
            W[i, j] = W[j, i] = max(C[i, j], 0)
    degree = W.sum(1)
    return W / np.sqrt(np.outer(degree, degree))


def printed(Z, ys, ns, rounds, mu, lam, eta, rho, k):
    """The paper's procedure over rows Z of length one: full M, full L, the inverse as printed."""
    n, classes = len(Z), np.unique(ys)
    nt = n - ns
    K = np.exp(-((Z[:, None] - Z[None]) ** 2).sum(-1) / 2)
    L, A, Y = np.eye(n) - links(Z, k), np.diag(np.r_[np.ones(ns), np.zeros(nt)]), np.zeros((n, len(classes)))
    for i in range(ns):
        Y[i, np.flatnonzero(classes == ys[i])] = 1
    guess = np.array([ys[np.argmin(((Z[:ns] - z) ** 2).sum(1))] for z in Z[ns:]])
    for _ in range(rounds):
        e0 = np.r_[np.full(ns, 1 / ns), np.full(nt, -1 / nt)]
        M = (1 - mu) * len(classes) * np.outer(e0, e0)
        for c in classes:
            if (guess == c).any():
                e = np.r_[(ys == c) / (ys == c).sum(), -1.0 * (guess == c) / (guess == c).sum()]
                M += mu * np.outer(e, e)
        M /= np.linalg.norm(M)
        beta = np.linalg.solve((A + lam * M + rho * L) @ K + eta * np.eye(n), A @ Y)
        guess = classes[(K @ beta)[ns:].argmax(1)]
    return beta, guess


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize(("mu", "mmd", "rho"), [(0.5, 10.0, 1.0), (0.0, 3.0, 0.5), (1.0, 10.0, 0.0), (0.3, 0.0, 2.0)])
def test_it_is_the_papers_loop(rounds, mu, mmd, rho):
    params = {"n_components": 2, "neighbors": 4, "mu": mu, "mmd": mmd, "rho": rho, "ridge": 0.2}
    Z = unit(GFK(n_components=2).fit_transform(X, sample_domain=d))
    beta, guess = printed(Z, ys, 60, rounds, mu, mmd, 0.2, rho, 4)
    meda = MEDA(max_iter=rounds, **params).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(meda.coef_, beta, atol=1e-7)
    np.testing.assert_array_equal(meda.guess_, guess)
    assert meda.mu_ == mu


def test_without_alignment_and_graph_it_is_kernel_ridge_on_the_source():
    Z = unit(GFK(n_components=2).fit_transform(X, sample_domain=d))
    meda = MEDA(n_components=2, mmd=0, rho=0, ridge=0.3).fit(X, y, sample_domain=d)
    ridge = KernelRidge(alpha=0.3, kernel="rbf", gamma=0.5).fit(Z[:60], np.eye(2)[ys])
    np.testing.assert_allclose(meda.coef_[:60], ridge.dual_coef_, atol=1e-9)
    np.testing.assert_allclose(meda.coef_[60:], 0, atol=1e-9)
    np.testing.assert_allclose(meda.decision_function(Xt), meda.sharpness_ * ridge.predict(Z[60:]) @ [-1, 1], atol=1e-7)


def test_between_equal_domains_alignment_changes_nothing():
    same = np.r_[Xs, Xs], np.r_[ys, ys]
    free, held = (MEDA(mmd=mmd, rho=0, mu=0.5).fit(*same, sample_domain=d) for mmd in (0, 100))
    np.testing.assert_allclose(free.decision_function(Xs), held.decision_function(Xs), atol=1e-7)


@pytest.mark.parametrize("rho", [0.0, 1.0])
def test_the_feature_form_with_all_rows_as_landmarks_is_the_kernel_form(rho):
    Z, labelled = unit(rng.normal(size=(70, 4))), np.repeat([1.0, 0.0], [40, 30])
    codes, guess = np.arange(40) % 3, np.arange(30) % 3
    Y = np.r_[np.eye(3)[codes], np.zeros((30, 3))]
    given = (Z, labelled, similarity(Z, 5, 0), rho, 0.1, 0.5)
    E = weighted_factor(codes, guess, 3, 0.4)
    exact, features = kernel_system(*given), feature_system(*given, Z)
    f, g = (system.rows @ aligned(system, Y, E, 10.0) for system in (exact, features))
    np.testing.assert_allclose(f, g, atol=1e-6)
    assert np.abs(f - exact.rows @ aligned(exact, Y, E, 0.0)).max() > 1e-3
    # the symmetric positive definite system with the same solution
    K, S = rbf(Z, Z, 0.5), np.diag(labelled) + 10 * E @ E.T + rho * (np.eye(70) - similarity(Z, 5, 0).toarray())
    left = K @ S @ K + 0.1 * K
    np.testing.assert_allclose(left, left.T, atol=1e-10)
    assert np.linalg.eigvalsh(left).min() > -1e-8
    b = aligned(exact, Y, E, 10.0)
    np.testing.assert_allclose(left @ b, K @ (labelled[:, None] * Y), atol=1e-8)


def test_few_landmarks_predict_much_the_same():
    exact, seen = (MEDA(max_exact=m, landmarks=60).fit(X, y, sample_domain=d) for m in (2000, 0))
    assert seen.landmarks_.shape[0] == 60
    assert (exact.predict(Xt) == seen.predict(Xt)).mean() > 0.95


def test_the_factor_has_size_one_and_weighs_whole_against_classes():
    codes, guess = np.array([0, 0, 1, 2]), np.array([0, 2, 2])
    e0 = np.r_[np.full(4, 0.25), np.full(3, -1 / 3)]
    for mu in (0, 0.25, 1):
        E = weighted_factor(codes, guess, 3, mu)
        M = E @ E.T
        assert np.linalg.norm(M) == pytest.approx(1)
        np.testing.assert_array_equal(E[:, 2], 0)  # nobody is guessed to be 1
        if mu == 0:
            np.testing.assert_allclose(M, np.outer(e0, e0) / (e0 @ e0), atol=1e-12)
    assert abs(e0 @ weighted_factor(codes, guess, 3, 1.0)[:, 0]) == 0


def test_the_graph_is_that_of_the_nearest_rows():
    Z = unit(rng.normal(size=(50, 3)))
    S = similarity(Z, 4, 0)
    np.testing.assert_allclose(S.toarray(), links(Z, 4), atol=1e-12)
    assert S.nnz < 50 * 9


def test_long_tables_are_searched_in_cells_and_keep_most_neighbours(monkeypatch):
    Z = unit(rng.normal(size=(2000, 4)))
    exact = similarity(Z, 5, 0) > 0
    monkeypatch.setattr(graph, "_CELL", 300)
    cells = similarity(Z, 5, 0)
    assert (abs(cells - cells.T) > 1e-12).nnz == 0
    found = (cells > 0).multiply(exact).nnz / exact.nnz
    assert found > 0.8
    assert cells.nnz < 3 * exact.nnz
    assert abs(cells - similarity(Z, 5, 0)).nnz == 0


def test_new_rows_need_neither_the_graph_nor_each_other():
    for max_exact in (2000, 0):
        meda = MEDA(max_exact=max_exact, landmarks=40).fit(X, np.where(y == 1, "yes", "no"), sample_domain=d)
        np.testing.assert_array_equal(meda.predict(Xt), meda.guess_)
        assert 0 <= meda.mu_ <= 1
        np.testing.assert_allclose(meda.predict_proba(Xt).sum(1), 1)


def test_no_matrix_over_all_pairs_of_rows_is_held():
    big = make_toy("class_shift", n=3000)
    rows, labels = np.r_[big.Xs, big.Xt], np.r_[big.ys, big.yt]
    tracemalloc.start()
    MEDA(landmarks=50, max_iter=2, mu=0.5).fit(rows, labels, sample_domain=np.repeat([1, -1], 3000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.15 * 8 * 6000**2
