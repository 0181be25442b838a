"""TCA, against the paper's n x n problem solved as it is printed, and the limits that are known."""

import tracemalloc

import numpy as np
import pytest
from scipy.linalg import eig, eigh, subspace_angles
from sklearn.decomposition import PCA

from transfermap.math.components import domain_factor, leading
from transfermap.math.kernels import rbf
from transfermap.methods.alignment.tca import TCA

rng = np.random.default_rng(0)
Xs, Xt = rng.normal(size=(40, 3)) * [2, 1.5, 1], rng.normal(size=(30, 3)) * [2, 1.5, 1] + [0, 1, 2]
X, d = np.r_[Xs, Xt], np.repeat([1, -1], [40, 30])


def printed(K, n_source, reg, k):
    """The k leading eigenvectors of (K L K + reg I)^-1 K H K and their eigenvalues, by a general eigensolver."""
    n = len(K)
    e = domain_factor(n_source, n - n_source)
    L = e @ e.T / np.linalg.norm(e @ e.T)
    H = np.eye(n) - 1 / n
    values, vectors = eig(np.linalg.solve(K @ L @ K + reg * np.eye(n), K @ H @ K))
    best = np.argsort(-values.real)[:k]
    return vectors[:, best].real, values[best].real


def angle(A, B):
    """The largest principal angle between two embeddings' column spaces, in degrees."""
    return np.degrees(subspace_angles(A - A.mean(0), B - B.mean(0)).max())


def same_up_to_sign_and_common_size(Z, expected):
    Z, expected = (A / np.sqrt(A.var(axis=0).mean()) for A in (Z, expected))
    np.testing.assert_allclose(np.abs(Z), np.abs(expected), atol=1e-6)


@pytest.mark.parametrize("reg", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_it_solves_the_printed_problem(kernel, reg):
    K = rbf(X, X, 0.2) if kernel == "rbf" else X @ X.T
    k = 4 if kernel == "rbf" else 3
    W, _ = printed(K, 40, reg, k)
    W /= np.linalg.norm(W, axis=0)
    Z = TCA(n_components=k, kernel=kernel, gamma=0.2, reg=reg).fit_transform(X, sample_domain=d)
    same_up_to_sign_and_common_size(Z, K @ W)


@pytest.mark.parametrize("reg", [0.1, 10.0])
def test_the_primal_form_solves_the_problem_over_the_columns(reg):
    e, H = domain_factor(40, 30), np.eye(70) - 1 / 70
    M = e @ e.T / np.linalg.norm(e @ e.T)
    values, A = eig(np.linalg.solve(X.T @ M @ X + reg * np.eye(3), X.T @ H @ X))
    A = A[:, np.argsort(-values.real)].real
    Z = TCA(n_components=3, kernel="primal", reg=reg).fit_transform(X, sample_domain=d)
    same_up_to_sign_and_common_size(Z, X @ (A / np.linalg.norm(A, axis=0)))


@pytest.mark.parametrize("scale", ["unit", "regularizer", "constraint"])
def test_the_scale_changes_only_the_length_of_components(scale):
    K = rbf(X, X, 0.2)
    W, _ = printed(K, 40, 1.0, 4)
    e = domain_factor(40, 30)
    own = W.T @ (K @ e @ e.T @ K / np.linalg.norm(e @ e.T) + np.eye(70)) @ W
    variance = (K @ W).var(axis=0)
    length = {"unit": np.linalg.norm(W, axis=0), "regularizer": np.sqrt(np.diag(own)), "constraint": np.sqrt(variance)}
    Z = TCA(kernel="rbf", n_components=4, gamma=0.2, reg=1.0, scale=scale).fit_transform(X, sample_domain=d)
    same_up_to_sign_and_common_size(Z, K @ W / length[scale])
    assert Z.var(axis=0).mean() == pytest.approx(1)
    centred = Z - Z.mean(0)
    np.testing.assert_allclose(centred.T @ centred / 70, np.diag(Z.var(axis=0)), atol=1e-8)  # W'KHKW is diagonal


@pytest.mark.parametrize("reg", [0.01, 100.0])
def test_without_a_shift_it_is_pca_at_any_penalty(reg):
    same, halves = np.r_[Xs, Xs], np.repeat([1, -1], 40)
    K = rbf(same, same, 0.2)
    _, W = eigh(K @ (np.eye(80) - 1 / 80) @ K, subset_by_index=[77, 79])
    Z = TCA(kernel="rbf", n_components=3, gamma=0.2, reg=reg).fit_transform(same, sample_domain=halves)
    assert angle(Z, K @ W) < 1e-3
    flat = TCA(n_components=2, kernel="primal", reg=reg).fit_transform(same, sample_domain=halves)
    assert angle(flat, PCA(2).fit_transform(same)) < 1e-3


def test_a_small_penalty_makes_the_means_equal_and_drops_the_shifted_column():
    moved = np.r_[Xs, rng.normal(size=(30, 3)) * [2, 1.5, 1] + [0, 0, 50]]
    tca = TCA(n_components=2, kernel="primal", reg=1e-9).fit(moved, sample_domain=d)
    Z = tca.transform(moved)
    np.testing.assert_allclose(Z[:40].mean(0), Z[40:].mean(0), atol=1e-6)
    assert np.abs(tca.projection_[2]).max() < 0.05 * np.abs(tca.projection_).max()


def test_rows_may_stand_in_any_order_within_their_domain():
    mixed = np.r_[rng.permutation(40), 40 + rng.permutation(30)]
    for kernel in ("rbf", "linear", "primal"):
        tca = TCA(kernel=kernel, n_components=3)
        Z = tca.fit_transform(X, sample_domain=d)
        np.testing.assert_allclose(tca.fit_transform(X[mixed], sample_domain=d), Z[mixed], atol=1e-6)


def test_by_default_a_shifted_direction_goes_and_without_a_shift_all_stay():
    r = np.random.default_rng(5)
    alike, halves = r.normal(size=(400, 4)), np.repeat([1, -1], 200)
    assert TCA().fit_transform(alike, sample_domain=halves).shape == (400, 4)
    moved = alike + np.where(halves < 0, 5, 0)[:, None] * [0.6, 0.8, 0, 0]
    tca = TCA().fit(moved, sample_domain=halves)
    assert tca.projection_.shape == (4, 3)
    assert np.abs(tca.projection_.T @ [0.6, 0.8, 0, 0]).max() < 0.2


def test_rotating_all_rows_changes_nothing():
    Q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    for kernel in ("rbf", "linear", "primal"):
        one, two = (TCA(kernel=kernel, n_components=2).fit_transform(A, sample_domain=d) for A in (X, X @ Q))
        np.testing.assert_allclose(np.abs(one), np.abs(two), atol=1e-6)


def test_more_components_than_there_are_give_what_there_is():
    assert TCA(n_components=50, kernel="primal").fit_transform(X, sample_domain=d).shape == (70, 3)
    assert TCA(n_components=50, kernel="linear").fit_transform(X[:, :1], sample_domain=d).shape == (70, 1)


def test_wide_tables_give_what_the_full_problem_gives():
    wide, dw = rng.normal(size=(20, 100)), np.repeat([1, -1], 10)
    e = domain_factor(10, 10)
    A = wide.T @ (e @ e.T) @ wide / np.linalg.norm(e @ e.T) + np.eye(100)
    _, V = eigh(wide.T @ (np.eye(20) - 1 / 20) @ wide, A, subset_by_index=[97, 99])
    V = V[:, ::-1] / np.linalg.norm(V[:, ::-1], axis=0)
    Z = TCA(n_components=3, kernel="primal", reg=1.0).fit_transform(wide, sample_domain=dw)
    same_up_to_sign_and_common_size(Z, wide @ V)


def decaying(n, seed=0):
    """``n`` rows a side in 50 columns whose spread falls by a tenth from each to the next, as in most real tables."""
    r = np.random.default_rng(seed)
    spread = 0.9 ** np.arange(50)
    source, target = r.normal(size=(n, 50)) * spread, 1.2 * r.normal(size=(n, 50)) * spread
    source[:, 0] += 2 * r.integers(0, 2, n)
    target[:, 0] += 2 * r.integers(0, 2, n)
    return np.r_[source, target + 0.3 * spread * r.normal(size=50)], np.repeat([1, -1], n)


@pytest.mark.parametrize("landmarks", [500, 1000])
def test_landmarks_find_the_exact_subspace_to_within_a_degree_at_2000_rows(landmarks):
    rows, domain = decaying(1000)
    gamma, k = 0.05, 5
    K = rbf(rows, rows, gamma)
    Ke = K @ domain_factor(1000, 1000) / np.sqrt(2 / 1000)
    HK = K - K.mean(axis=0)
    _, W = eigh(HK.T @ HK, Ke @ Ke.T + np.eye(2000), subset_by_index=[2000 - k, 1999])
    tca = TCA(kernel="rbf", n_components=k, gamma=gamma, reg=1.0, max_exact=0, landmarks=landmarks)
    assert angle(tca.fit_transform(rows, sample_domain=domain), K @ W) < 1
    assert len(tca.landmarks_) == landmarks


@pytest.mark.parametrize("reg", [1e-4, 1.0])
def test_a_few_components_of_many_are_those_of_the_dense_solver(reg):
    rows, domain = decaying(150)
    K, e = rbf(rows, rows, 0.05), domain_factor(150, 150)
    A = K @ e @ e.T @ K / np.linalg.norm(e @ e.T) + reg * np.eye(300)
    _, W = eigh(K @ (np.eye(300) - 1 / 300) @ K, A, subset_by_index=[294, 299])
    W = W[:, ::-1] / np.linalg.norm(W[:, ::-1], axis=0)
    Z = TCA(kernel="rbf", n_components=6, gamma=0.05, reg=reg).fit_transform(rows, sample_domain=domain)
    same_up_to_sign_and_common_size(Z, K @ W)


def test_the_root_of_the_penalty_is_exact():
    r = np.random.default_rng(2)
    G, E = r.normal(size=(40, 30)), r.normal(size=(30, 4)) * [100, 1, 1e-3, 0]
    B, A = G.T @ G, E @ E.T + 0.01 * np.eye(30)
    w, V = leading(B, E, 0.01, 30)
    assert w.sum() == pytest.approx(1)
    w = w * np.trace(np.linalg.solve(A, B))
    np.testing.assert_allclose(B @ V, A @ V * w, atol=1e-6 * np.abs(B).max())
    np.testing.assert_allclose(V.T @ A @ V, np.eye(30), atol=1e-8)
    w, V = leading(np.zeros((300, 300)), np.ones((300, 1)), 0.1, 2)  # nothing to find, nothing to fail on
    assert V.shape == (300, 1) and np.isfinite(V).all()


def test_rows_may_be_returned_with_length_one():
    Z = TCA(normalize=True, n_components=2).fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(np.linalg.norm(Z, axis=1), 1)
    plain = TCA(n_components=2).fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(Z, plain / np.linalg.norm(plain, axis=1, keepdims=True))


def test_no_matrix_over_all_pairs_of_rows_is_held():
    rows, domain = decaying(4000)
    tca = TCA(kernel="rbf", n_components=5, landmarks=100)
    tracemalloc.start()
    tca.fit(rows, sample_domain=domain).transform(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 8000**2 / 10
    assert sum(v.nbytes for v in vars(tca).values() if isinstance(v, np.ndarray)) < 100_000
