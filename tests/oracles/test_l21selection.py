"""Row-sparse selection: its objective falls, its constraint holds, and no other feasible projection does better."""

import numpy as np
import pytest
from scipy.linalg import eigh
from scipy.optimize import minimize

from transfermap.methods.selection.l21selection import L21Selection, pooled_scatter, row_sparse

rng = np.random.default_rng(0)
turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
Xs = rng.normal(size=(120, 6)) * [3, 2, 2, 1, 1, 0.5] @ turn
Xt = rng.normal(size=(80, 6)) * [3, 2, 2, 1, 1, 0.5] @ turn + [0, 4, 0, 0, 1, 0]
X, d = np.r_[Xs, Xt], np.repeat([1, -1], [120, 80])
MEAN, S, GAP = pooled_scatter(Xs, Xt)


def objective(A, mu):
    return np.linalg.norm(A, axis=1).sum() + mu * ((GAP @ A) ** 2).sum()


def test_moments_are_those_of_all_rows():
    np.testing.assert_allclose(S, np.cov(X.T, ddof=0), atol=1e-10)
    np.testing.assert_allclose(GAP, Xs.mean(0) - Xt.mean(0), atol=1e-10)


@pytest.mark.parametrize("mu", [0.0, 1.0, 100.0])
@pytest.mark.parametrize("k", [1, 2, 4, 6])
def test_the_objective_never_rises_and_the_constraint_holds(mu, k):
    A, values = row_sparse(S, GAP, mu, k, 200)
    assert (np.diff(values) <= 1e-9).all()
    np.testing.assert_allclose(A.T @ S @ A, np.eye(k), atol=1e-8)
    assert values[-1] == pytest.approx(objective(A, mu), rel=1e-4)


def test_one_component_is_what_a_general_optimiser_finds():
    A, _ = row_sparse(S, GAP, 2.0, 1, 500)

    def of_direction(v):
        a = v[:, None] / np.sqrt(v @ S @ v)
        return objective(a, 2.0)

    starts = np.random.default_rng(1).normal(size=(60, 6))
    best = min(minimize(of_direction, v, method="Powell", options={"maxiter": 4000}).fun for v in starts)
    assert objective(A, 2.0) <= best * 1.02
    assert objective(A, 2.0) >= best * 0.98


def test_it_is_no_plain_eigenproblem_rows_vanish():
    A, _ = row_sparse(S, GAP, 1.0, 1, 200)
    plain = eigh(np.outer(GAP, GAP) + np.eye(6), S, subset_by_index=[0, 0])[1]
    assert objective(A, 1.0) < objective(plain / np.sqrt(plain.T @ S @ plain), 1.0) - 1e-3
    lengths = np.linalg.norm(A, axis=1)
    assert (lengths < 1e-4 * lengths.max()).any()


def test_a_mere_domain_indicator_loses_its_weight_as_mu_grows():
    alike = rng.normal(size=(2, 100, 2)) * [1, 0.5]
    alike -= alike.mean(axis=1, keepdims=True)
    mark = np.r_[np.zeros(100), np.full(100, 4.0)] + 0.3 * rng.normal(size=200)
    rows = np.c_[np.concatenate(alike), mark]
    _, scatter, gap = pooled_scatter(rows[:100], rows[100:])
    weights = [np.linalg.norm(row_sparse(scatter, gap, mu, 1, 300).A[2]) for mu in (0.0, 0.05, 10.0, 1e6)]
    assert weights[0] > 0.3
    assert max(weights[2:]) < 1e-4


def test_equal_columns_share_their_weight():
    twin = np.c_[X, X[:, 0]]
    scores = L21Selection(n_components=2, threshold=0.0).fit(twin, sample_domain=d).scores_
    assert scores[0] == pytest.approx(scores[6], rel=1e-6)


def test_the_components_have_equal_means_and_variance_one():
    Z = L21Selection(n_components=3, mu=1e6).fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(np.cov(Z.T, ddof=0), np.eye(3), atol=1e-6)
    np.testing.assert_allclose(Z[d > 0].mean(0), Z[d < 0].mean(0), atol=1e-3)


def test_columns_come_back_as_they_are_and_dropped_ones_count_for_nothing():
    columns = L21Selection(n_components=2, n_features=3, output="columns").fit(X, sample_domain=d)
    assert columns.get_support().sum() == 3
    np.testing.assert_array_equal(columns.transform(X), X[:, columns.kept_])
    assert set(np.flatnonzero(columns.kept_)) == set(np.argsort(columns.scores_)[3:])
    mixed = L21Selection(n_components=2, n_features=3).fit(X, sample_domain=d)
    elsewhere = X.copy()
    elsewhere[:, ~mixed.kept_] = 7
    np.testing.assert_array_equal(mixed.transform(elsewhere), mixed.transform(X))
    np.testing.assert_allclose(mixed.projection_.T @ S @ mixed.projection_, np.eye(2), atol=1e-8)


def test_none_takes_the_fewest_that_hold_nine_tenths():
    shares = np.cumsum(np.linalg.eigvalsh(S)[::-1]) / np.trace(S)
    assert L21Selection().fit(X, sample_domain=d).projection_.shape[1] == 1 + (shares < 0.9).sum()


def test_where_columns_depend_there_are_no_more_components_than_the_data_has():
    thin = np.c_[X[:, :2], X[:, :2] @ rng.normal(size=(2, 3))]
    Z = L21Selection(n_components=5).fit_transform(thin, sample_domain=d)
    assert Z.shape[1] == 2
    np.testing.assert_allclose(np.cov(Z.T, ddof=0), np.eye(2), atol=1e-6)


def test_too_wide_a_table_is_refused_at_once():
    with pytest.raises(ValueError, match="raise max_columns"):
        L21Selection(max_columns=5).fit(X, sample_domain=d)
