"""CORAL, against its closed form written with general matrix functions, and the moments it has to match."""

import numpy as np
import pytest
from scipy.linalg import fractional_matrix_power

from transfermap.methods.subspace.coral import CORAL, coral_map

rng = np.random.default_rng(0)
Xs = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4)) + 1
Xt = rng.normal(size=(150, 4)) @ rng.normal(size=(4, 4)) - 2


@pytest.mark.parametrize("reg", [0.0, 0.1, 1.0])
def test_the_map_is_the_papers(reg):
    A, b = coral_map(Xs, Xt, reg)
    Cs, Ct = np.cov(Xs.T), np.cov(Xt.T)
    ridge = reg * (np.trace(Cs) + np.trace(Ct)) / 8 * np.eye(4)
    expected = fractional_matrix_power(Cs + ridge, -0.5) @ fractional_matrix_power(Ct + ridge, 0.5)
    np.testing.assert_allclose(A, expected.real, atol=1e-8)
    np.testing.assert_allclose(Xs.mean(0) @ A + b, Xt.mean(0), atol=1e-10)


def test_without_a_ridge_mean_and_covariance_are_the_targets():
    A, b = coral_map(Xs, Xt, 0)
    Z = Xs @ A + b
    np.testing.assert_allclose(np.cov(Z.T), np.cov(Xt.T), atol=1e-8)
    np.testing.assert_allclose(Z.mean(0), Xt.mean(0), atol=1e-8)


def test_between_equal_domains_nothing_moves():
    A, b = coral_map(Xs, Xs, 0.01)
    np.testing.assert_allclose(A, np.eye(4), atol=1e-8)
    np.testing.assert_allclose(b, 0, atol=1e-8)


def test_turning_both_domains_turns_the_result():
    Q = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    A, b = coral_map(Xs, Xt, 0.1)
    turned, shift = coral_map(Xs @ Q, Xt @ Q, 0.1)
    np.testing.assert_allclose(Xs @ Q @ turned + shift, (Xs @ A + b) @ Q, atol=1e-8)


def test_the_target_stays():
    d = np.repeat([1, -1], [200, 150])
    np.testing.assert_array_equal(CORAL().fit_transform(np.r_[Xs, Xt], sample_domain=d)[200:], Xt)
