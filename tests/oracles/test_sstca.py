"""SSTCA, against the paper's n x n problem solved as it is printed, its graph by loops, and the limits it has."""

import numpy as np
import pytest
from scipy.linalg import eig, eigh

from transfermap.data.toy import make_toy
from transfermap.math.components import linear_space
from transfermap.math.kernels import rbf
from transfermap.methods.alignment import sstca
from transfermap.methods.alignment.sstca import SSTCA, dependence_on, label_factor, neighbour_graph, roughness
from transfermap.methods.alignment.tca import TCA

rng = np.random.default_rng(0)
Xs, Xt = rng.normal(size=(30, 3)) * [2, 1.5, 1], rng.normal(size=(25, 3)) * [2, 1.5, 1] + [0, 1, 2]
ys = np.array(["a", "b", "c"])[rng.integers(0, 3, 30)]
X, d, y = np.r_[Xs, Xt], np.repeat([1, -1], [30, 25]), np.r_[ys, np.full(25, "?")]
n = 55


def laplacian(k):
    """Of the graph, pair by pair: half the weight where one row is among the other's nearest, all where both are."""
    D = np.sqrt(((X[:, None] - X) ** 2).sum(axis=2))
    near = np.zeros((n, n), dtype=bool)
    for i in range(n):
        near[i, [j for j in np.argsort(D[i]) if j != i][:k]] = True
    sigma = D[near].mean()
    A = np.exp(-(D**2) / (2 * sigma**2)) * (near + near.T.astype(float)) / 2
    return (np.diag(A.sum(axis=1)) - A) * n / A.sum()


def label_kernel(centring):
    K = np.zeros((n, n))
    for i in range(30):
        for j in range(30):
            K[i, j] = (ys[i] == ys[j]) * 3 / 30
    if centring == "labelled":
        C = np.eye(n)
        C[:30, :30] -= 1 / 30
        K = C @ K @ C
    return K


def printed(K, centring, gamma, locality, reg, k):
    e = np.r_[np.full(30, 1 / 30), np.full(25, -1 / 25)]
    L, H = np.outer(e, e) / (e @ e), np.eye(n) - 1 / n
    inner = H @ (gamma * label_kernel(centring) + (1 - gamma) * np.eye(n)) @ H
    A = K @ (L + locality / n * laplacian(4)) @ K + reg * np.eye(n)
    values, W = eig(np.linalg.solve(A, K @ inner @ K))
    W = W[:, np.argsort(-values.real)[:k]].real
    return K @ (W / np.linalg.norm(W, axis=0))


def same_up_to_sign_and_common_size(Z, expected):
    Z, expected = (A / np.sqrt(A.var(axis=0).mean()) for A in (Z, expected))
    np.testing.assert_allclose(np.abs(Z), np.abs(expected), atol=1e-5)


@pytest.mark.parametrize("centring", ["labelled", "all"])
@pytest.mark.parametrize(("dependence", "locality"), [(0.5, 1.0), (0.9, 0.0), (0.0, 30.0)])
@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_it_solves_the_printed_problem(kernel, dependence, locality, centring):
    K, k = (rbf(X, X, 0.2), 3) if kernel == "rbf" else (X @ X.T, 2)
    expected = printed(K, centring, dependence, locality, 0.8, k)
    params = {"dependence": dependence, "locality": locality, "n_neighbors": 4, "centring": centring}
    model = SSTCA(n_components=k, kernel=kernel, gamma=0.2, reg=0.8, **params)
    same_up_to_sign_and_common_size(model.fit_transform(X, y, sample_domain=d), expected)


@pytest.mark.parametrize("kernel", ["rbf", "linear", "primal"])
@pytest.mark.parametrize("k", [2, None])
def test_without_labels_and_neighbours_it_is_tca(kernel, k):
    ours = SSTCA(dependence=0, locality=0, kernel=kernel, n_components=k).fit_transform(X, y, sample_domain=d)
    tca = TCA(kernel=kernel, n_components=k).fit_transform(X, sample_domain=d)
    same_up_to_sign_and_common_size(ours, tca)


def test_labels_alone_leave_one_component_less_than_classes():
    params = {"dependence": 1.0, "locality": 0.0, "reg": 1e-3, "kernel": "primal"}
    assert SSTCA(n_components=3, **params).fit(X, y, sample_domain=d).projection_.shape == (3, 2)
    # as printed, telling labelled rows from others counts as following the labels: one direction more
    assert SSTCA(n_components=3, centring="all", **params).fit(X, y, sample_domain=d).projection_.shape == (3, 3)


def test_labels_alone_are_the_class_means_directions():
    halves = np.r_[Xs, Xs]  # no shift
    params = {"dependence": 1.0, "locality": 0.0, "reg": 1.0, "kernel": "primal", "n_components": 2}
    Z = SSTCA(**params).fit_transform(halves, np.r_[ys, ys], sample_domain=np.repeat([1, -1], 30))
    means = np.array([Xs[ys == c].mean(axis=0) - Xs.mean(axis=0) for c in "abc"])
    weights = np.array([(ys == c).sum() for c in "abc"])
    _, V = eigh((means * weights[:, None] ** 2).T @ means)
    same_up_to_sign_and_common_size(Z, halves @ V[:, :0:-1])


def test_numbers_have_a_linear_label_kernel():
    y = np.array([0.5, 1.5, 4.0])
    Y = label_factor(y)
    np.testing.assert_allclose(Y @ Y.T * 3, np.outer(y - 2, y - 2) / y.var())
    np.testing.assert_array_equal(label_factor(np.array([1, 2, 4]), "numbers").shape, (3, 1))
    assert label_factor(np.array([1.0, 2.0, 4.0])).shape == (3, 3)
    assert label_factor(y, "classes").shape == (3, 3)
    np.testing.assert_array_equal(label_factor(np.ones(3), "numbers"), 0)


def test_numbers_are_followed():
    toy = make_toy("mean_shift_nuisance", n=200, task="regression")
    rows, domain = np.r_[toy.Xs, toy.Xt], np.repeat([1, -1], 200)
    Z = SSTCA(n_components=1, dependence=1.0).fit_transform(rows, np.r_[toy.ys, toy.yt * np.nan], sample_domain=domain)
    assert abs(np.corrcoef(Z[200:, 0], toy.yt)[0, 1]) > 0.8


def test_a_high_price_of_locality_gives_smooth_components():
    params = {"n_components": 1, "kernel": "rbf", "gamma": 0.5, "reg": 1.0}

    def rough(locality):
        z = SSTCA(locality=locality, **params).fit_transform(X, y, sample_domain=d)[:, 0]
        return z @ laplacian(5) @ z / (n * z.var())

    assert rough(1e4) < 0.9 * rough(0.0)


def test_the_laplacian_over_features_is_that_of_the_full_graph():
    for anchors in (np.arange(n), rng.permutation(n)):
        ours = roughness(linear_space(X, dual=False), X, anchors, neighbour_graph(X, anchors, 4))
        basis = linear_space(X, dual=False).basis
        np.testing.assert_allclose(ours, basis.T @ X.T @ laplacian(4) @ X @ basis, atol=1e-8)


def test_with_some_anchors_each_row_is_linked_to_the_nearest_of_them():
    anchors = np.array([3, 10, 40, 50])
    graph = neighbour_graph(X, anchors, 2).toarray()
    for i in range(n):
        others = [j for j in np.argsort(((X[anchors] - X[i]) ** 2).sum(1)) if anchors[j] != i]
        assert set(np.flatnonzero(graph[i])) == set(others[:2])
    S = roughness(linear_space(X, dual=False), X, anchors, neighbour_graph(X, anchors, 2))
    assert np.linalg.eigvalsh(S).min() > -1e-9


def test_copies_of_a_row_are_neighbours_of_each_other(monkeypatch):
    twins = np.repeat(X, 2, axis=0)
    graph = neighbour_graph(twins, np.arange(2 * n), 1)
    assert graph.shape == (2 * n, 2 * n)
    np.testing.assert_array_equal(graph.diagonal(), 0)
    np.testing.assert_array_equal(neighbour_graph(np.ones((4, 2)), np.arange(4), 5).sum(axis=1), 3)
    monkeypatch.setattr(sstca, "_ANCHORS", 20)
    assert np.isfinite(SSTCA().fit_transform(X, y, sample_domain=d)).all()


def test_the_label_term_is_that_of_the_matrices():
    space = linear_space(X, dual=True)
    F = (X @ space.basis).T
    H = np.eye(n) - 1 / n
    for centring in ("labelled", "all"):
        B = dependence_on(space, X, label_factor(ys), 0.4, centring)
        expected = F @ H @ (0.4 * label_kernel(centring) + 0.6 * np.eye(n)) @ H @ F.T
        np.testing.assert_allclose(B, expected, atol=1e-6 * np.abs(expected).max())
