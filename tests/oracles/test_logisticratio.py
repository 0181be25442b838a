"""Logistic-ratio weights, against the known ratio of two Gaussians and an unhurried fit row by row."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from transfermap.math import logisticratio
from transfermap.math.logisticratio import log_ratio
from transfermap.math.ratio import ratio_weights
from transfermap.methods.weighting.logisticratio import LogisticRatio


def gaussians(n, shift, d=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(n, d)) + np.r_[shift, np.zeros(d - 1)]


def test_two_gaussians_have_a_linear_log_ratio():
    Xs, Xt = gaussians(20_000, 1.0)
    logs, truth = log_ratio(Xs, Xt), Xs[:, 0] - 0.5
    slope, level = np.polyfit(Xs[:, 0], logs, 1)
    assert slope == pytest.approx(1, abs=0.05)
    assert level == pytest.approx(-0.5, abs=0.05)
    assert np.abs(logs - truth).max() < 0.3
    w = ratio_weights(logs)
    # Kish's effective size of the true weights is exp(-shift^2) of all rows
    assert w.sum() ** 2 / (w**2).sum() / len(w) == pytest.approx(np.exp(-1), abs=0.05)


def test_sizes_of_the_domains_cancel():
    Xs, Xt = gaussians(8000, 0.7)
    few = log_ratio(Xs, Xt[:1000])
    assert np.abs(few - (0.7 * Xs[:, 0] - 0.245)).max() < 0.6


def test_each_row_is_judged_by_a_rule_that_never_saw_it():
    Xs, Xt = gaussians(12, 1.0, d=2)
    logs = log_ratio(Xs, Xt, C=1.0, folds=12)
    direction = np.random.default_rng(0).normal(size=2)
    rank_s, rank_t = (np.argsort(np.argsort(X @ direction)) for X in (Xs, Xt))
    for i in range(12):
        keep_s, keep_t = rank_s != rank_s[i], rank_t != rank_s[i]
        X, side = np.r_[Xs[keep_s], Xt[keep_t]], np.repeat([0, 1], [keep_s.sum(), keep_t.sum()])
        mean, spread = X.mean(0), X.std(0)
        rule = LogisticRegression(max_iter=1000).fit((X - mean) / spread, side)
        assert logs[i] == pytest.approx(rule.decision_function((Xs[i : i + 1] - mean) / spread)[0], abs=1e-6)


@pytest.mark.parametrize("d", [1, 10, 40])
def test_equal_domains_get_weights_near_one(d):
    Xs, _ = gaussians(200, 0.0, d)
    np.testing.assert_allclose(LogisticRatio().weigh(Xs, None, Xs[::-1]), 1, atol=1e-6)
    drawn_alike = LogisticRatio().weigh(gaussians(2000, 0.0, d)[0], None, gaussians(2000, 0.0, d, seed=1)[1])
    assert drawn_alike.std() < 0.4


def test_weights_are_cut_flattened_and_average_to_one():
    logs = np.log([1.0, 2.0, 3.0, 100.0])
    np.testing.assert_allclose(ratio_weights(logs), np.array([1, 2, 3, 100]) / 26.5)
    np.testing.assert_allclose(ratio_weights(logs, tau=0.0), 1)
    np.testing.assert_allclose(ratio_weights(logs, tau=0.5), np.sqrt([1, 2, 3, 100]) / np.sqrt([1, 2, 3, 100]).mean())
    cut = np.quantile([1, 2, 3, 100], 0.75)
    np.testing.assert_allclose(ratio_weights(logs, clip=0.75), np.array([1, 2, 3, cut]) / np.mean([1, 2, 3, cut]))
    assert np.isfinite(ratio_weights(np.array([0.0, 1000.0, 5000.0]))).all()


def test_the_weights_lean_towards_the_target():
    # a peer has the ratio upside down
    Xs, Xt = gaussians(500, 1.0)
    assert np.corrcoef(LogisticRatio().weigh(Xs, None, Xt), np.exp(Xs[:, 0]))[0, 1] > 0.9


def test_sparse_tables_give_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    Xs, Xt = rng.poisson(0.5, size=(300, 5)) * 1.0, rng.poisson(0.8, size=(300, 5)) * 1.0
    thin = sparse.csr_matrix(Xs), sparse.csr_matrix(Xt)
    np.testing.assert_allclose(log_ratio(Xs, Xt), log_ratio(*thin))
    monkeypatch.setattr(logisticratio, "_SMALL", 0)
    np.testing.assert_allclose(log_ratio(Xs, Xt, folds=5), log_ratio(*thin), atol=0.01)
