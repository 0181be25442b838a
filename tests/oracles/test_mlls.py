"""MLLS, against a general solver of the same likelihood, known posteriors, and calibration gone wrong on purpose."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from transfermap.measure.shift.label_shift import em_shares
from transfermap.measure.validators.calibration import tempered
from transfermap.methods.weighting.bbse import BBSE
from transfermap.methods.weighting.mlls import MLLS, blunted, calibrated, likely_weights, scale_and_bias

P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.15, 0.25, 0.6])
CENTRES = np.array([[0.0, 0.0], [1.8, 0.0], [0.0, 1.8]])


def clouds(n, shares, seed):
    """Rows of three overlapping classes, the classes, and the posterior that the source's shares P imply."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n, p=shares)
    X = rng.normal(size=(n, 2)) + CENTRES[y]
    density = P * np.exp(-((X[:, None] - CENTRES) ** 2).sum(axis=2) / 2)
    return X, y, density / density.sum(axis=1, keepdims=True)


def test_true_posteriors_give_the_true_ratio():
    _, truth, Ps = clouds(20_000, P, 0)
    _, _, Pt = clouds(20_000, Q, 1)
    for how in ("none", "temperature", "bias"):
        np.testing.assert_allclose(likely_weights(Ps, truth, Pt, how), Q / P, rtol=0.06)


def test_it_iterates_on_the_calibrated_probabilities():
    # a peer calibrates the target's probabilities and then iterates on the raw ones
    _, truth, Ps = clouds(5000, P, 0)
    _, _, Pt = clouds(5000, Q, 1)
    sharp_s, sharp_t = tempered(Ps, 0.25), tempered(Pt, 0.25)
    raw = likely_weights(sharp_s, truth, sharp_t, "none")
    assert np.abs(raw - Q / P).max() > 0.3
    for how in ("temperature", "bias"):
        np.testing.assert_allclose(likely_weights(sharp_s, truth, sharp_t, how), Q / P, rtol=0.12)
        Cs, Ct = calibrated(sharp_s, truth, sharp_t, how)
        np.testing.assert_allclose(likely_weights(sharp_s, truth, sharp_t, how), em_shares(Ct, Cs.mean(0)) / Cs.mean(0))


def test_offsets_mend_what_a_slope_alone_cannot():
    _, truth, Ps = clouds(8000, P, 0)
    _, _, Pt = clouds(8000, Q, 1)
    skewed_s, skewed_t = (G * [3.0, 1.0, 0.4] / (G * [3.0, 1.0, 0.4]).sum(axis=1, keepdims=True) for G in (Ps, Pt))
    np.testing.assert_allclose(calibrated(skewed_s, truth, skewed_t, "bias")[1], Pt, atol=0.03)
    np.testing.assert_allclose(likely_weights(skewed_s, truth, skewed_t, "bias"), Q / P, rtol=0.1)
    assert np.abs(calibrated(skewed_s, truth, skewed_t, "temperature")[1] - Pt).max() > 0.1


def test_newton_finds_what_a_general_solver_finds():
    _, truth, Ps = clouds(300, P, 2)
    sharp, n = tempered(Ps, 0.4), 300
    L = np.log(blunted(sharp))

    def loss(v):
        fit = log_softmax(v[0] * L + v[1:], axis=1)[np.arange(n), truth]
        return -fit.mean() + (((v - [1, 0, 0, 0]) ** 2).sum()) / (2 * n)

    rival = minimize(loss, [1.0, 0, 0, 0], method="BFGS", options={"gtol": 1e-9}, tol=1e-14).x
    ours = scale_and_bias(sharp, truth)
    np.testing.assert_allclose(ours, rival, atol=1e-4)
    assert loss(ours) <= loss(rival) + 1e-12
    assert ours[0] == pytest.approx(0.4, abs=0.15)


def test_calibration_makes_mean_probabilities_the_shares():
    _, truth, Ps = clouds(5000, P, 0)
    held, _ = calibrated(tempered(Ps, 0.3), truth, Ps, "bias")
    np.testing.assert_allclose(held.mean(axis=0), np.bincount(truth) / 5000, atol=1e-3)


def test_separable_classes_stay_finite():
    truth = np.repeat([0, 1], 20)
    sure = np.eye(2)[truth]
    assert np.isfinite(scale_and_bias(sure, truth)).all()
    np.testing.assert_allclose(likely_weights(sure, truth, sure[:25], "bias"), [1.6, 0.4], atol=0.01)


@pytest.mark.parametrize("how", ["bias", "temperature", "none"])
def test_equal_predictions_give_exactly_one(how):
    _, truth, Ps = clouds(300, P, 0)
    np.testing.assert_allclose(likely_weights(Ps, truth, Ps[::-1], how), 1, atol=1e-12)


def test_the_weights_maximise_the_likelihood_and_no_round_lowers_it():
    _, truth, Ps = clouds(400, P, 0)
    _, _, Pt = clouds(400, Q, 1)
    Cs, Ct = calibrated(Ps, truth, Pt, "bias")
    prior = Cs.mean(axis=0)

    def likelihood(q):
        return np.log(Ct @ (q / prior)).mean()

    ours = likely_weights(Ps, truth, Pt, "bias") * prior
    assert ours.sum() == pytest.approx(1)
    rival = minimize(lambda z: -likelihood(softmax(z)), np.zeros(3), tol=1e-12).x
    assert likelihood(ours) >= likelihood(softmax(rival)) - 1e-8
    np.testing.assert_allclose(ours, softmax(rival), atol=1e-3)
    path = [likelihood(em_shares(Ct, prior, most=k)) for k in range(40)]
    assert (np.diff(path) >= -1e-12).all()
    assert path[-1] > path[0] + 0.01


def fitted(cls, n, seed, **params):
    (Xs, ys, _), (Xt, _, _) = clouds(n, P, seed), clouds(n, Q, 100 + seed)
    y = np.r_[ys, np.full(n, -1)]
    return cls(**params).fit(np.r_[Xs, Xt], y, sample_domain=np.repeat([0, -1], n)), ys


def test_shares_are_recovered_and_better_than_by_counting():
    errors = {BBSE: [], MLLS: []}
    for seed in range(12):
        for cls, found in errors.items():
            found.append(np.abs(fitted(cls, 400, seed)[0].shares_ - Q).max())
    assert np.mean(errors[MLLS]) < 0.06
    assert np.mean(errors[MLLS]) < np.mean(errors[BBSE])


def test_attributes_hang_together():
    mlls, ys = fitted(MLLS, 300, 0)
    assert mlls.classes_.tolist() == [0, 1, 2]
    assert mlls.shares_.sum() == pytest.approx(1)
    np.testing.assert_allclose(mlls.class_weights_ * np.bincount(ys) / 300, mlls.shares_)
    np.testing.assert_allclose(mlls.weights_, mlls.class_weights_[ys])
    np.testing.assert_array_equal(fitted(MLLS, 300, 0, gamma=0.0)[0].weights_, 1)


def test_without_a_shift_weights_stay_near_one():
    for seed in range(4):
        (Xs, ys, _), (Xt, _, _) = clouds(1500, P, seed), clouds(1500, P, seed + 50)
        assert np.abs(MLLS().weigh(Xs, ys, Xt) - 1).max() < 0.3


def test_names_of_classes_and_order_of_rows_change_nothing():
    (X, y, _), (Xt, _, _) = clouds(200, P, 0), clouds(200, Q, 1)
    mixed, straight = np.random.default_rng(0).permutation(200), MLLS().weigh(X, y, Xt)
    np.testing.assert_allclose(MLLS().weigh(X, np.array(["b", "c", "z"])[y], Xt), straight)
    np.testing.assert_allclose(MLLS().weigh(X[mixed], y[mixed], Xt[::-1]), straight[mixed], atol=1e-8)


def test_a_class_that_the_target_lacks_is_held_back_but_not_dropped():
    (Xs, ys, _), (Xt, _, _) = clouds(1000, P, 0), clouds(1000, [0.5, 0.5, 0.0], 1)
    mlls = MLLS(clip=20.0).fit(np.r_[Xs, Xt], np.r_[ys, np.full(1000, -1)], sample_domain=np.repeat([0, -1], 1000))
    assert 0 < mlls.class_weights_[2] < 0.3
    assert (mlls.weights_ > 0).all()
