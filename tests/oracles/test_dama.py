"""Manifold alignment by labels, against the paper's matrices over all rows, written out and solved as they stand."""

import tracemalloc

import numpy as np
import pytest
from scipy.linalg import block_diag, eigh
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from transfermap.adapted import Adapted
from transfermap.methods.heterogeneous.dama import DAMA, Side, label_scatters, topology_scatter
from transfermap.runs.model_file import load, save


def laplacian(W):
    return np.diag(W.sum(axis=1)) - W


def dense_labels(sides):
    """Z L_s Z' and Z L_d Z' with every pair of rows looked at; weights of sum one."""
    Z = block_diag(*[side.X.T for side in sides])
    codes = np.concatenate([side.codes for side in sides])
    n = len(codes)
    same, other = np.zeros((n, n)), np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if codes[i] >= 0 and codes[j] >= 0:
                same[i, j], other[i, j] = codes[i] == codes[j], codes[i] != codes[j]
    return [Z @ laplacian(W / W.sum()) @ Z.T for W in (same, other)]


def dense_neighbours(X, k, gamma):
    n = len(X)
    squared = np.array([[((X[i] - X[j]) ** 2).sum() for j in range(n)] for i in range(n)])
    near = [[j for j in np.argsort(squared[i]) if j != i][:k] for i in range(n)]
    if gamma is None:
        gamma = 1 / np.mean([squared[i, j] for i in range(n) for j in near[i]])
    W = np.zeros((n, n))
    for i in range(n):
        for j in near[i]:
            W[i, j] = W[j, i] = np.exp(-gamma * squared[i, j])
    return W


def dense_topology(sides, k, gamma):
    Z, W = block_diag(*[side.X.T for side in sides]), block_diag(*[dense_neighbours(s.X, k, gamma) for s in sides])
    return Z @ laplacian(W / W.sum()) @ Z.T


def three_sides(wide=4):
    rng = np.random.default_rng(0)
    sizes, widths = (14, 20, 11), (3, wide, 2)
    sides = [
        Side(rng.normal(size=(n, p)) * rng.uniform(0.5, 3, p), rng.integers(-1, 3, n))
        for n, p in zip(sizes, widths, strict=True)
    ]
    return [Side(side.X - side.X.mean(axis=0), side.codes) for side in sides]


def mixture(seed, n=200, few=12, classes=4, widths=(3, 7)):
    """A latent of three dimensions, seen through other columns in each domain: X with NaN, y, truth, d, latent."""
    rng = np.random.default_rng(seed)
    truth = np.arange(2 * n) % classes
    latent = 3 * rng.normal(size=(classes, 3))[truth] + rng.normal(size=(2 * n, 3))
    X, split = np.full((2 * n, sum(widths)), np.nan), widths[0]
    X[:n, :split] = latent[:n] @ rng.normal(size=(3, split))
    X[n:, split:] = latent[n:] @ rng.normal(size=(3, widths[1])) + 5 * rng.normal(size=widths[1])
    X += 0.1 * rng.normal(size=X.shape)
    y = np.where(np.arange(2 * n) < n + few, truth, -1)
    return X, y, truth, np.repeat([0, -1], n), latent


def test_the_scatters_are_those_of_the_graphs_over_all_rows():
    sides = three_sides()
    for found, expected in zip(label_scatters(sides, 3), dense_labels(sides), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)
    for k, gamma in ((3, None), (1, 0.5), (30, 1.0)):
        np.testing.assert_allclose(
            topology_scatter(sides, k, gamma, 100, 0), dense_topology(sides, k, gamma), atol=1e-12
        )


@pytest.mark.parametrize("wide", [4, 60])
@pytest.mark.parametrize("params", [{}, {"mu": 2.0, "gamma": 1.0, "n_neighbors": 99}, {"center": False, "reg": 0.1}])
def test_it_solves_the_papers_eigenproblem(wide, params):
    sides = three_sides(wide)
    if not params.get("center", True):
        sides = [Side(side.X + 1, side.codes) for side in sides]
    codes = [np.where(s.codes < 0, 0, s.codes) for s in sides[1:]]  # the paper's sources may lack labels, ours do not
    sides = [sides[0], *(Side(s.X, c) for s, c in zip(sides[1:], codes, strict=True))]
    X = np.full((45, sum(s.X.shape[1] for s in sides)), np.nan)
    X[:14, :3], X[14:34, 3 : 3 + wide], X[34:, 3 + wide :] = (s.X for s in sides)
    d, y = np.repeat([-1, 2, 6], [14, 20, 11]), np.concatenate([s.codes for s in sides])
    Z = DAMA(other_columns=True, n_components=2, **params).fit_transform(X, y, sample_domain=d)

    same, other = dense_labels(sides)
    topology = dense_topology(sides, params.get("n_neighbors", 5), params.get("gamma"))
    left = same + params.get("mu", 0.1) * topology
    ranks = [np.linalg.matrix_rank(s.X) for s in sides]
    edges = np.cumsum([0] + [s.X.shape[1] for s in sides])
    for a, b, rank in zip(edges[:-1], edges[1:], ranks, strict=True):
        left[a:b, a:b] += params.get("reg", 0.001) * np.trace(left[a:b, a:b]) / rank * np.eye(b - a)
    ratio, V = eigh(other, left)
    assert ratio[-1] > ratio[-2] * 1.001 > ratio[-3] * 1.002
    expected = np.concatenate([s.X @ V[a:b, [-1, -2]] for s, a, b in zip(sides, edges[:-1], edges[1:], strict=True)])
    expected /= np.sqrt(expected.var(axis=0).mean())
    signs = np.sign((Z * expected).sum(axis=0))
    np.testing.assert_allclose(Z, expected * signs, atol=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_three_and_seven_columns_are_mapped_onto_the_same_latent(seed):
    X, y, truth, d, latent = mixture(seed, few=60, classes=12)  # enough classes for their means to span the latent
    Z = DAMA(other_columns=True, n_components=3).fit_transform(X, y, sample_domain=d)
    assert Z.shape == (400, 3)
    s = d >= 0
    assert LinearRegression().fit(Z[s], latent[s]).score(Z[~s], latent[~s]) > 0.9
    gaps = [np.linalg.norm(Z[s & (truth == c)].mean(0) - Z[~s & (truth == c)].mean(0)) for c in range(12)]
    assert max(gaps) < 0.5


def test_a_source_with_other_columns_helps_where_target_labels_are_few():
    gains = []
    for seed in range(10, 18):
        X, y, truth, d, _ = mixture(seed, few=8, widths=(3, 12))
        new = (d < 0) & (y < 0)
        known = (d < 0) & (y >= 0)
        alone = LogisticRegression(max_iter=2000).fit(X[known][:, 3:], y[known]).score(X[new][:, 3:], truth[new])
        model = Adapted(DAMA(other_columns=True), LogisticRegression(max_iter=2000)).fit(X, y, sample_domain=d)
        gains.append(model.score(X[new], truth[new]) - alone)
    assert np.mean(gains) > 0.02


def test_turning_moving_and_stretching_one_domain_changes_nothing():
    X, y, _, d, _ = mixture(1, widths=(3, 3))
    X = np.where(np.isnan(X), 0, X)[:, :3] + np.where(np.isnan(X), 0, X)[:, 3:]
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    moved = np.where(d[:, None] < 0, 7 * X @ turn + 3, X)
    # the distances between neighbours are measured in each domain's own unit, which the other domain does not have
    before, after = (np.abs(DAMA(mu=mu).fit_transform(A, y, sample_domain=d)) for mu, A in ((0, X), (0, moved)))
    np.testing.assert_allclose(after, before, atol=1e-7)
    turned = np.where(d[:, None] < 0, X @ turn + 3, X)
    before, after = (np.abs(DAMA().fit_transform(A, y, sample_domain=d)) for A in (X, turned))
    np.testing.assert_allclose(after, before, atol=1e-7)


def test_without_topology_and_centring_unlabelled_rows_only_set_the_size_of_the_whole():
    X, y, _, d, _ = mixture(2)
    kept = (d >= 0) | (y >= 0)
    every, labelled = (DAMA(other_columns=True, mu=0, center=False) for _ in range(2))
    A = every.fit(X, y, sample_domain=d).transform(X, sample_domain=d)
    B = labelled.fit(X[kept], y[kept], sample_domain=d[kept]).transform(X, sample_domain=d)
    np.testing.assert_allclose(A / A.std(), B / B.std(), atol=1e-7)


def test_new_rows_are_mapped_by_their_domain_and_its_own_columns_only():
    X, y, _, d, _ = mixture(3)
    fitted = DAMA(other_columns=True).fit(X, y, sample_domain=d)
    Z, junk = fitted.transform(X, sample_domain=d), np.where(np.isnan(X), 1e9, X)
    np.testing.assert_array_equal(fitted.transform(junk, sample_domain=d), Z)
    np.testing.assert_allclose(fitted.transform(X[-1:]), Z[-1:], atol=1e-12)
    with pytest.raises(ValueError, match=r"\[4\].*\[0\]"):
        fitted.transform(X, sample_domain=np.where(d < 0, 4, d))


def test_columns_must_be_whole_and_somebodys():
    X, y, _, d, _ = mixture(4)
    model = Adapted(DAMA(other_columns=True), LogisticRegression())
    with pytest.raises(ValueError, match="contains NaN"):
        Adapted(DAMA(), LogisticRegression()).fit(X, y, sample_domain=d)
    holed = X.copy()
    holed[0, 1] = np.nan
    with pytest.raises(ValueError, match="column 1 is NaN in 1 of 200 rows of source 0"):
        model.fit(holed, y, sample_domain=d)
    holed = X.copy()
    holed[-3:, 5] = np.nan
    with pytest.raises(ValueError, match="column 5 is NaN in 3 of 200 rows of the target"):
        model.fit(holed, y, sample_domain=d)
    with pytest.raises(ValueError, match="column 10 is NaN in every row of every domain"):
        model.fit(np.c_[X, np.full(400, np.nan)], y, sample_domain=d)
    with pytest.raises(ValueError, match="all columns of the target are NaN"):
        model.fit(np.where(d[:, None] < 0, np.nan, np.nan_to_num(X)), y, sample_domain=d)
    with pytest.raises(ValueError, match="column 5 is NaN in rows of the target, which had it"):
        model.fit(X, y, sample_domain=d).predict(holed[-3:])


def test_it_goes_through_a_pipeline_and_a_file(tmp_path):
    X, y, truth, d, _ = mixture(5)
    piped = make_pipeline(StandardScaler(), Adapted(DAMA(other_columns=True), LogisticRegression()))
    piped.fit(X, y, adapted__sample_domain=d)
    assert piped.score(X[d < 0], truth[d < 0]) > 0.9
    save(piped[-1], tmp_path / "model.tmap")
    scaled = piped[0].transform(X[d < 0])
    np.testing.assert_array_equal(load(tmp_path / "model.tmap").predict(scaled), piped.predict(X[d < 0]))


def test_memory_grows_with_rows_not_with_their_pairs():
    X, y, _, d, _ = mixture(6, n=10_000)
    tracemalloc.start()
    DAMA(other_columns=True, max_graph=500).fit(X, y, sample_domain=d)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 * X.nbytes < 1e8
