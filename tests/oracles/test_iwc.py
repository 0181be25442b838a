"""Clipped and flattened importance weights, against a search over a grid and the known ratio of two Gaussians."""

import numpy as np
import pytest
from scipy import sparse

from transfermap.math.logisticratio import log_ratio
from transfermap.math.ratio import ratio_weights
from transfermap.methods.weighting.iwc import IWC, flattening
from transfermap.methods.weighting.logisticratio import LogisticRatio


def effective(w):
    return w.sum() ** 2 / (w**2).sum()


def gaussians(n, shift, spread=1.0, d=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), spread * rng.normal(size=(n, d)) + shift


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7, 0.95])
def test_the_exponent_is_the_largest_that_keeps_enough_rows(share):
    logs = 3 * np.random.default_rng(0).standard_t(5, size=400)
    tau = flattening(logs, share)
    grid = np.linspace(0, 1, 5001)
    enough = [t for t in grid if effective(ratio_weights(logs, t)) >= share * 400]
    assert 0 < tau < 1
    assert tau == pytest.approx(max(enough), abs=2e-4)
    assert effective(ratio_weights(logs, tau)) >= share * 400


def test_weights_that_are_worth_enough_stay_as_they_are():
    logs = np.random.default_rng(0).normal(size=300) / 10
    assert flattening(logs, 0.5) == 1
    assert flattening(100 * logs, 0.0) == 1
    assert flattening(logs, 1.0) == 0


def test_flattening_one_shifted_gaussian_has_a_closed_form():
    # log w = shift x - shift^2 / 2, so w^tau is worth exp(-(tau shift)^2) of the rows
    Xs, Xt = gaussians(20_000, 2.0)
    iwc = IWC(share=0.4, clip=1.0, squares=False)
    iwc.weigh(Xs, None, Xt)
    assert iwc.tau_ == pytest.approx(np.sqrt(-np.log(0.4)) / 2, abs=0.04)


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_the_promise_is_kept_and_reported(share):
    Xs, Xt = gaussians(500, 2.0, d=3)
    iwc = IWC(share=share)
    w = iwc.weigh(Xs, None, Xt)
    assert iwc.effective_size_ == pytest.approx(effective(w))
    assert share * 500 <= iwc.effective_size_ <= share * 500 + 1
    assert 0 < iwc.tau_ < 1


def test_squares_see_a_change_of_spread():
    Xs, Xt = gaussians(4000, 0.0, spread=0.5)
    truth = np.log(2) + Xs[:, 0] ** 2 / 2 - 2 * Xs[:, 0] ** 2
    inner = np.abs(Xs[:, 0]) < 2
    with_squares, without = (log_ratio(Xs, Xt, squares=s) for s in (True, False))
    assert np.abs(with_squares - truth)[inner].max() < 0.6
    assert np.abs(without).max() < 0.3
    blind = IWC(squares=False).weigh(Xs, None, Xt)
    assert np.corrcoef(IWC(share=0).weigh(Xs, None, Xt), np.exp(truth))[0, 1] > 0.95 > np.corrcoef(blind, truth)[0, 1]


def test_without_its_own_devices_it_is_the_logistic_ratio():
    Xs, Xt = gaussians(200, 1.0, d=2)
    plain = IWC(share=0.0, clip=1.0, squares=False).weigh(Xs, None, Xt)
    np.testing.assert_array_equal(plain, LogisticRatio(clip=1.0).weigh(Xs, None, Xt))


def test_the_largest_weights_are_cut_before_they_are_flattened():
    Xs, Xt = gaussians(300, 1.5, d=2)
    cut = IWC(share=0.0, clip=0.8)
    w = cut.weigh(Xs, None, Xt)
    assert 50 <= (w == w.max()).sum() <= 70
    assert IWC(share=0.5, clip=0.8).weigh(Xs, None, Xt).max() <= w.max()


def test_one_row_that_the_rule_is_sure_of_does_not_decide():
    logs = np.r_[np.zeros(99), 800.0]
    w = ratio_weights(logs, flattening(logs, 0.5))
    assert effective(w) >= 50
    assert np.isfinite(w).all()


def test_equal_domains_get_weights_near_one():
    Xs, _ = gaussians(300, 0.0, d=5)
    np.testing.assert_allclose(IWC().weigh(Xs, None, Xs[::-1]), 1, atol=1e-6)


def test_sparse_tables_give_the_same():
    rng = np.random.default_rng(0)
    Xs, Xt = rng.poisson(0.5, size=(300, 5)) * 1.0, rng.poisson(0.8, size=(300, 5)) * 1.0
    dense, thin = IWC().weigh(Xs, None, Xt), IWC().weigh(sparse.csr_matrix(Xs), None, sparse.csr_matrix(Xt))
    assert np.corrcoef(dense, thin)[0, 1] > 0.95
