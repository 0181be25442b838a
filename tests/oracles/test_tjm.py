"""TJM, against reweighted least squares written with full n x n matrices, and what it is without reweighting."""

import tracemalloc

import numpy as np
import pytest
from scipy.linalg import eigh

from transfermap.data.toy import make_toy
from transfermap.math.kernels import rbf
from transfermap.methods.alignment.tca import TCA
from transfermap.methods.alignment.tjm import TJM

rng = np.random.default_rng(0)
Xs, Xt = rng.normal(size=(35, 3)) * [2, 1.5, 1], rng.normal(size=(25, 3)) * [2, 1.5, 1] + [0, 1, 2]
X, d = np.r_[Xs, Xt], np.repeat([1, -1], [35, 25])


def printed(K, reg, k, rounds, factor):
    """The problem over A (n, k) as it stands, solved on the kernel's range, with G of the round before."""
    n, ns = 60, 35
    e = np.r_[np.full(ns, 1 / ns), np.full(n - ns, -1 / (n - ns))]
    M, H, g = np.outer(e, e) / (e @ e), np.eye(n) - 1 / n, np.ones(n)
    for _ in range(rounds):
        _, A = eigh(K @ H @ K, K @ M @ K + reg * np.diag(g), subset_by_index=[n - k, n - 1])
        A = A[:, ::-1] / np.linalg.norm(A[:, ::-1], axis=0)
        norms = np.linalg.norm(A, axis=1)
        g = np.r_[1 / (factor * norms[:ns] + 1e-8), np.ones(n - ns)]
    return K @ A, norms[:ns]


def same_up_to_sign_and_common_size(Z, expected):
    Z, expected = (A / np.sqrt(A.var(axis=0).mean()) for A in (Z, expected))
    np.testing.assert_allclose(np.abs(Z), np.abs(expected), atol=1e-5)


@pytest.mark.parametrize("rounds", [1, 2, 4])
@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize(("norm", "factor"), [("paper", 2), ("code", 1)])
def test_it_is_the_papers_reweighting(kernel, rounds, norm, factor):
    K, k = (X @ X.T, 2) if kernel == "linear" else (rbf(X, X, 0.2), 4)
    expected, norms = printed(K, 0.7, k, rounds, factor)
    tjm = TJM(n_components=k, kernel=kernel, gamma=0.2, reg=0.7, norm=norm, max_iter=rounds)
    same_up_to_sign_and_common_size(tjm.fit_transform(X, sample_domain=d), expected)
    np.testing.assert_allclose(tjm.row_norms_, norms, atol=1e-6)


@pytest.mark.parametrize("scale", ["unit", "regularizer", "constraint"])
@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_without_reweighting_it_is_tca(kernel, scale):
    params = {"kernel": kernel, "n_components": 3, "reg": 0.5, "gamma": 0.2, "scale": scale}
    ours = TJM(max_iter=1, **params).fit_transform(X, sample_domain=d)
    same_up_to_sign_and_common_size(ours, TCA(**params).fit_transform(X, sample_domain=d))


def test_rows_of_the_source_that_do_not_help_are_left_out():
    dull = np.r_[Xs, np.zeros((20, 3)), Xt]
    domain = np.repeat([1, -1], [55, 25])
    one, many = (TJM(n_components=2, reg=1.0, max_iter=r).fit(dull, sample_domain=domain).row_norms_ for r in (1, 10))
    assert many[35:].max() < 1e-12
    assert (many > 1e-3 * many.max()).sum() < (one > 1e-3 * one.max()).sum()
    assert many.sum() < one.sum()


def test_labels_are_not_looked_at():
    # a widely copied version adds JDA's class terms, and piles them up from round to round
    toy = make_toy("class_shift", n=40)
    rows, domain = np.r_[toy.Xs, toy.Xt], np.repeat([1, -1], 40)
    a, b = (TJM().fit_transform(rows, y, sample_domain=domain) for y in (None, rng.integers(0, 2, 80)))
    np.testing.assert_array_equal(a, b)


def test_it_stops_when_the_lengths_stay():
    tjm = TJM(n_components=2, reg=1e-3, max_iter=500).fit(X, sample_domain=d)
    assert 1 < tjm.n_iter_ < 500
    more = TJM(n_components=2, reg=1e-3, max_iter=tjm.n_iter_ + 1).fit(X, sample_domain=d)
    np.testing.assert_array_equal(more.projection_, tjm.projection_)


def test_landmarks_come_close_to_the_exact_kernel():
    r = np.random.default_rng(1)
    rows, domain = r.normal(size=(600, 3)) + np.repeat([[0, 0, 0], [0.5, 0, 0]], 300, axis=0), np.repeat([1, -1], 300)
    params = {"n_components": 3, "kernel": "rbf", "gamma": 0.1, "reg": 1.0, "max_iter": 3}
    exact = TJM(**params).fit_transform(rows, sample_domain=domain)
    near = TJM(max_exact=0, landmarks=150, **params).fit_transform(rows, sample_domain=domain)
    for j in range(3):
        assert abs(np.corrcoef(exact[:, j], near[:, j])[0, 1]) > 0.99


def test_no_matrix_over_all_pairs_of_rows_is_held():
    rows, domain = rng.normal(size=(8000, 10)), np.repeat([1, -1], 4000)
    tracemalloc.start()
    TJM(n_components=5, max_iter=3).fit(rows, sample_domain=domain).transform(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 8000**2 / 20
