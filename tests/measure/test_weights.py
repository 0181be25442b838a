"""Density-ratio weights against the closed form of two Gaussians."""

import numpy as np
import pytest

from transfermap.measure.shift.weights import density_ratio, effective_sample_size


def gaussians(n, m, d, delta, seed=0):
    rng = np.random.default_rng(seed)
    Xs, Xt = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    Xt[:, 0] += delta
    return Xs, Xt


def test_log_weights_of_two_gaussians_are_linear_with_the_true_slope():
    Xs, Xt = gaussians(4000, 3000, 1, 0.8)
    w = density_ratio(Xs, Xt, clip=1.0)
    slope, intercept = np.polyfit(Xs[:, 0], np.log(w), 1)
    assert slope == pytest.approx(0.8, abs=0.08)
    assert intercept == pytest.approx(-(0.8**2) / 2, abs=0.08)


def test_effective_sample_size_of_two_gaussians():
    Xs, Xt = gaussians(6000, 6000, 3, 0.7, seed=1)
    w = density_ratio(Xs, Xt, clip=1.0)
    assert effective_sample_size(w) / 6000 == pytest.approx(np.exp(-(0.7**2)), rel=0.12)


def test_weighted_means_move_to_the_target():
    Xs, Xt = gaussians(3000, 500, 5, 1.0)
    w = density_ratio(Xs, Xt)
    assert np.average(Xs[:, 0], weights=w) == pytest.approx(Xt[:, 0].mean(), abs=0.15)
    assert np.average(Xs[:, 1], weights=w) == pytest.approx(0, abs=0.1)


def test_without_a_shift_few_rows_are_lost_even_in_many_columns():
    Xs, Xt = gaussians(100, 100, 80, 0.0)
    assert effective_sample_size(density_ratio(Xs, Xt)) > 90


@pytest.mark.parametrize("delta", [0.0, 0.5, 3.0, 50.0])
def test_weights_are_positive_with_mean_one_and_clipped(delta):
    Xs, Xt = gaussians(300, 40, 2, delta)
    w = density_ratio(Xs, Xt)
    assert w.shape == (300,)
    assert (w > 0).all()
    assert w.mean() == pytest.approx(1)
    assert (w == w.max()).sum() >= 3


def test_separable_domains_are_betrayed_by_the_effective_size():
    Xs, Xt = gaussians(500, 500, 2, 2.5)
    assert effective_sample_size(density_ratio(Xs, Xt, clip=1.0)) < 100


def test_rows_beyond_the_subsample_get_weights_of_the_same_kind():
    Xs, Xt = gaussians(3000, 3000, 1, 0.8)
    w = density_ratio(Xs, Xt, most=800, clip=1.0)
    assert np.polyfit(Xs[:, 0], np.log(w), 1)[0] == pytest.approx(0.8, abs=0.15)


def test_the_unit_of_a_column_does_not_matter():
    Xs, Xt = gaussians(200, 200, 2, 0.5)
    np.testing.assert_allclose(density_ratio(Xs * 1000 + 5, Xt * 1000 + 5), density_ratio(Xs, Xt), rtol=1e-6)


def test_effective_sample_size_closed_forms():
    assert effective_sample_size(np.full(7, 1e-200)) == pytest.approx(7)
    assert effective_sample_size([5.0, 0, 0]) == 1
    assert effective_sample_size([1.0, 2.0]) == pytest.approx(9 / 5)


@pytest.mark.parametrize("w", [[], [0.0, 0.0], [-1.0, 2.0], [np.nan, 1.0], [[1.0]]])
def test_weights_that_are_none_are_refused(w):
    with pytest.raises(ValueError, match="w "):
        effective_sample_size(w)


def test_clip_is_a_quantile():
    with pytest.raises(ValueError, match="clip"):
        density_ratio([[1.0], [2.0]], [[1.0], [2.0]], clip=0)


def test_weights_are_finite_however_far_the_tables_lie_apart():
    rng = np.random.default_rng(0)
    Xs = np.r_[rng.normal(size=(600, 2)), [[900.0, 900.0]]]
    w = density_ratio(Xs, rng.normal(1000, 1, size=(400, 2)))
    assert np.isfinite(w).all()
    assert w.mean() == pytest.approx(1)
