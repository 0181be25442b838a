"""Structural correspondence learning, against its steps written out, and against what other programs do instead."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize
from sklearn.metrics import mutual_info_score

from transfermap.data.toy import make_toy
from transfermap.methods.selection import _predictors
from transfermap.methods.selection._pivots import choose_pivots, label_information, switched_on, times_on, usual
from transfermap.methods.selection._predictors import conjugate_gradients, pivot_predictors
from transfermap.methods.selection.scl import SCL, leading_left

TOY = make_toy("vocabulary_shift", 200, 3)
X, y, d = np.r_[TOY.Xs, TOY.Xt], np.r_[TOY.ys, TOY.yt], np.repeat([1, -1], 200)


def fitted(rows=X, labels=y, **params):
    return SCL(**params).fit(rows, labels, sample_domain=d)


def naive_weights(rows, pivots, reg):
    """Ridge regression of each pivot's sign on the other columns, one after the other."""
    rest = [j for j in range(rows.shape[1]) if j not in pivots]
    A = rows[:, rest] - rows[:, rest].mean(0)
    signs = np.where(rows[:, pivots] > rows[:, pivots].mean(0), 1.0, -1.0)
    penalty = reg * A.var(0).mean() * np.eye(len(rest))
    columns = [np.linalg.solve(A.T @ A / len(A) + penalty, A.T @ (s - s.mean()) / len(A)) for s in signs.T]
    return rest, np.column_stack(columns)


@pytest.mark.parametrize("drop_negative", [False, True])
@pytest.mark.parametrize("reg", [0.1, 1.0])
def test_it_is_the_papers_steps_one_by_one(reg, drop_negative):
    model = fitted(n_components=2, reg=reg, drop_negative=drop_negative)
    assert set(model.pivots_) == set(range(6))
    rest, W = naive_weights(X, model.pivots_, reg)
    U, D, Vt = np.linalg.svd(np.maximum(W, 0) if drop_negative else W)
    signs = np.sign((model.theta_[rest] * U[:, :2]).sum(0))
    np.testing.assert_allclose(model.theta_[rest] * signs, U[:, :2], atol=1e-6)
    np.testing.assert_allclose(model.pivot_theta_ * signs, (D[:2, None] * Vt[:2]).T, atol=1e-6)
    added = X @ model.theta_
    scale = np.sqrt(X.var(0).sum() / added.var(0).sum())
    np.testing.assert_allclose(model.transform(X), np.c_[X, (added - added.mean(0)) * scale], atol=1e-8)


def test_unlike_peers_the_pivots_are_masked():
    model = fitted(n_components=3)
    assert (model.theta_[model.pivots_] == 0).all()
    louder = X.copy()
    louder[:, model.pivots_] = np.where(X[:, model.pivots_] > X[:, model.pivots_].mean(0), 9, 0)
    np.testing.assert_allclose(fitted(louder, n_components=3).theta_, model.theta_, atol=1e-9)


def test_unlike_peers_theta_is_orthonormal_and_of_the_weights_not_of_their_covariance():
    model = fitted(n_components=4)
    np.testing.assert_allclose(model.theta_.T @ model.theta_, np.eye(4), atol=1e-10)
    rest, W = naive_weights(X, model.pivots_, 1.0)
    of_covariance = np.linalg.eigh(np.cov(W))[1][:, ::-1][:, :4]
    ours = model.theta_[rest]
    assert np.linalg.norm(ours @ ours.T - of_covariance @ of_covariance.T) > 0.05
    kept = [np.linalg.norm(W - P @ P.T @ W) for P in (ours, of_covariance)]
    assert kept[0] < kept[1]


def test_with_as_many_directions_as_pivots_theta_spans_the_weights():
    W = np.random.default_rng(0).normal(size=(30, 5))
    U, seen = leading_left(W, 9)
    assert U.shape == (30, 5)
    np.testing.assert_allclose(U @ seen, W, atol=1e-10)
    nearly = np.c_[W, W @ np.ones(5)]
    assert leading_left(nearly, 9)[0].shape == (30, 5)


def test_words_that_go_with_the_same_pivots_come_to_lie_together():
    rng = np.random.default_rng(0)
    topic = rng.integers(0, 2, 600)
    pivots = rng.random((600, 4)) < np.where(topic[:, None] == [0, 0, 1, 1], 0.8, 0.1)
    own = rng.random((600, 4)) < np.where(topic[:, None] == [0, 1, 0, 1], 0.8, 0.1)
    own[:300, 2:], own[300:, :2] = False, False
    domain = np.repeat([1, -1], 300)
    model = SCL(n_components=1, pivots="frequency").fit(np.c_[pivots, own] * 1.0, topic, sample_domain=domain)
    here, there = model.theta_[4:6, 0], model.theta_[6:, 0]
    assert (here * there > 0).all() and here[0] * here[1] < 0
    names = ["dull", "poor", "superb", "great", "tedious", "gripping", "flimsy", "sturdy"]
    found = model.correspondences(2, names)
    assert {pair[1:] for pair in found} == {("tedious", "flimsy"), ("gripping", "sturdy")}
    assert all(
        pivot in ({"dull", "poor"} if source == "tedious" else {"superb", "great"}) for pivot, source, _ in found
    )
    asked = model.correspondences(2, names, of="sturdy")
    assert {pivot for pivot, *_ in asked} == {"superb", "great"}
    assert {pair[1:] for pair in asked} == {("gripping", "sturdy")}
    with pytest.raises(ValueError, match="8 columns"):
        model.correspondences(2, names[:3])
    with pytest.raises(ValueError, match="'loud'"):
        model.correspondences(2, names, of="loud")


def huber_by_scipy(A, s, penalty):
    def loss(v):
        a = s * (A @ v[:-1] + v[-1])
        return np.where(a >= -1, np.maximum(1 - a, 0) ** 2, -4 * a).mean() + penalty * (v[:-1] ** 2).sum()

    return minimize(loss, np.zeros(A.shape[1] + 1), method="BFGS", options={"gtol": 1e-7}).x[:-1]


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("reg", [0.01, 1.0])
def test_the_modified_huber_loss_is_minimised(kind, reg):
    A, on = X[:, 6:], X[:, :2] > 0
    W = pivot_predictors(kind(A), kind(on), reg, "huber")
    for w, s in zip(W.T, np.where(on, 1.0, -1.0).T, strict=True):
        expected = huber_by_scipy(A, s, reg * A.var(0).mean())
        np.testing.assert_allclose(w, expected, atol=2e-3 * np.abs(expected).max())


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_rows_products_and_conjugate_gradients_give_what_factoring_gives(kind, monkeypatch):
    rng = np.random.default_rng(0)
    A, on = rng.poisson(0.4, (60, 90)).astype(float), rng.random((60, 140)) < 0.3
    found = {}
    for way, most in {"columns": 100, "rows": 70, "gradients": 10}.items():
        monkeypatch.setattr(_predictors, "_DIRECT", most)
        found[way] = pivot_predictors(kind(A), kind(on), 0.3, "squared")
    np.testing.assert_allclose(found["rows"], found["columns"], atol=1e-9)
    apart = np.linalg.norm(found["gradients"] - found["columns"], axis=0)
    assert (apart < 5e-3 * np.linalg.norm(found["columns"], axis=0)).all()


def test_conjugate_gradients_solve_all_right_sides():
    rng = np.random.default_rng(0)
    half, B = rng.normal(size=(40, 20)), rng.normal(size=(20, 7)) * [1, 1e-6, 1e6, 1, 0, 1, 1]
    H = half.T @ half * np.outer(*[np.logspace(0, 3, 20)] * 2)
    V = conjugate_gradients(lambda A: H @ A, B, np.diag(H)[:, None], tol=1e-12, most=500)
    assert (np.linalg.norm(H @ V - B, axis=0) <= 1e-10 * np.linalg.norm(B, axis=0)).all()


@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_the_scale_of_the_table_does_not_matter_and_sparse_is_dense(loss):
    model = fitted(n_components=3, loss=loss)
    np.testing.assert_allclose(fitted(1000 * X, n_components=3, loss=loss).theta_, model.theta_, atol=1e-3)
    thin = SCL(n_components=3, loss=loss).fit(sparse.csr_matrix(X), y, sample_domain=d)
    np.testing.assert_allclose(thin.theta_, model.theta_, atol=1e-3)
    np.testing.assert_allclose(thin.transform(sparse.csr_matrix(X)).toarray(), model.transform(X), atol=1e-2)


def test_the_callers_sparse_matrix_stays_whole():
    rows = sparse.csr_matrix(np.where(X > 0, X, 0))
    before = [part.copy() for part in (rows.data, rows.indices, rows.indptr)]
    fitted(rows).transform(rows)
    assert all(np.array_equal(a, b) for a, b in zip(before, (rows.data, rows.indices, rows.indptr), strict=True))
    assert rows.nnz == before[2][-1]


def test_pivots_are_at_work_in_both_domains_and_ranked_by_information_or_frequency():
    on = switched_on(X, usual(X))
    np.testing.assert_array_equal(on, X - X.mean(0) > 0)
    predicted = [mutual_info_score(y[:200], column) for column in on[:200].T]
    np.testing.assert_allclose(label_information(on[:200], y[:200]), predicted, atol=1e-12)
    shares = np.min([counts for side in (on[:200], on[200:]) for counts in (side.sum(0), (~side).sum(0))], axis=0)
    best = {"information": predicted, "frequency": shares}
    for rank, values in best.items():
        allowed = [j for j in np.argsort(-np.asarray(values), kind="stable") if shares[j] >= 10]
        np.testing.assert_array_equal(fitted(pivots=rank, n_pivots=4).pivots_, allowed[:4])
    assert fitted(min_count=5, n_pivots=99).pivots_.size <= 9
    assert choose_pivots((np.array([5, 50]), np.array([50, 50])), (99, 99), None, 2, 10).tolist() == [1]


def test_a_word_is_on_where_it_occurs_and_a_measurement_where_it_is_high():
    rare = (np.random.default_rng(0).random((50, 3)) < 0.2) * 2.5
    both = np.c_[rare, np.linspace(-5, 20, 50), np.full(50, 1e6 + 0.1), np.linspace(-9, -1, 50)]
    on = switched_on(both, usual(both))
    np.testing.assert_array_equal(on[:, :3], rare > 0)
    np.testing.assert_array_equal(on[:, 3], both[:, 3] > 7.5)
    assert not on[:, 4].any()
    np.testing.assert_array_equal(on[:, 5], both[:, 5] < -5)
    thin = sparse.csr_matrix(both)
    np.testing.assert_array_equal(switched_on(thin, usual(thin)).toarray(), on)
    np.testing.assert_array_equal(times_on(switched_on(thin, usual(thin))), on.sum(0))


def test_columns_of_measurements_correspond_too():
    def blurred(signal, seed):
        return signal[:, None] + 0.7 * np.random.default_rng(seed).normal(size=(len(signal), 3))

    hidden = np.random.default_rng(0).normal(size=1000)
    label, domain = (hidden > 0).astype(int), np.repeat([1, -1], 500)
    own = blurred(hidden, 1)[:, :2]
    own[:500, 1], own[500:, 0] = 0, 0
    rows = np.c_[blurred(hidden, 2), own]
    model = SCL(n_components=1).fit(rows, label, sample_domain=domain)
    assert model.pivots_.max() < 3
    assert model.theta_[3, 0] * model.theta_[4, 0] > 0.1


def test_without_pivots_or_size_the_rows_come_back_as_they_are():
    for model in (fitted(min_count=1000), fitted(alpha=0.0)):
        np.testing.assert_array_equal(model.transform(X), X)
    assert fitted(min_count=1000).correspondences() == []


def test_equal_variance_and_alpha_say_how_large_the_added_columns_are():
    for equal in (False, True):
        added = fitted(n_components=3, alpha=2.0, equal_variance=equal).transform(X)[:, 18:]
        np.testing.assert_allclose(added.mean(0), 0, atol=1e-9)
        assert added.var(0).sum() == pytest.approx(4 * X.var(0).sum())
        assert np.ptp(added.var(0)) < 1e-9 or not equal
