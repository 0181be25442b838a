"""Gaussian kernels and the maximum mean discrepancy, against loops and closed forms."""

import numpy as np
import pytest

from transfermap.math.kernels import median_bandwidth, mmd2, rbf


def cloud(n, d, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def test_bandwidth_is_half_the_median_squared_distance():
    X = cloud(30, 4)
    naive = [np.sum((X[i] - X[j]) ** 2) for i in range(30) for j in range(i)]
    assert median_bandwidth(X) == pytest.approx(np.median(naive) / 2)


def test_bandwidth_leaves_out_equal_rows_and_is_never_zero():
    assert median_bandwidth([[0.0], [0.0], [0.0], [2.0]]) == pytest.approx(2.0)
    assert median_bandwidth(np.ones((5, 3))) == 1.0
    assert median_bandwidth([[7.0]]) == 1.0


def test_bandwidth_scales_with_the_square_of_the_data():
    X = cloud(1500, 3)
    assert median_bandwidth(10 * X, seed=4) == pytest.approx(100 * median_bandwidth(X, seed=4))


def test_rbf_agrees_with_a_loop_also_far_from_zero():
    X, Y = cloud(6, 3, shift=1e6), cloud(5, 3, 1, shift=1e6)
    naive = [[np.exp(-0.3 * np.sum((x - y) ** 2)) for y in Y] for x in X]
    np.testing.assert_allclose(rbf(X, Y, 0.3), naive, rtol=1e-8)


@pytest.mark.parametrize("unbiased", [False, True])
def test_mmd_agrees_with_the_full_matrices_across_block_borders(unbiased):
    Xs, Xt = cloud(1203, 2), cloud(1001, 2, 1, shift=0.3)
    ss, tt, st = rbf(Xs, Xs, 0.5), rbf(Xt, Xt, 0.5), rbf(Xs, Xt, 0.5)
    if unbiased:
        n, m = len(Xs), len(Xt)
        within = (ss.sum() - n) / (n * (n - 1)) + (tt.sum() - m) / (m * (m - 1))
    else:
        within = ss.mean() + tt.mean()
    assert mmd2(Xs, Xt, 0.5, unbiased) == pytest.approx(within - 2 * st.mean(), abs=1e-12)


def test_mmd_of_two_gaussians_has_its_closed_form():
    d, s2, delta = 3, 2.0, np.array([1.0, 0.5, 0.0])
    exact = 2 * (1 + 2 / s2) ** (-d / 2) * (1 - np.exp(-delta @ delta / (2 * (s2 + 2))))
    found = mmd2(cloud(3000, d), cloud(3000, d, 1) + delta, 1 / (2 * s2), unbiased=True)
    assert found == pytest.approx(exact, rel=0.1)


def test_unbiased_mmd_has_mean_zero_without_a_difference_and_the_biased_one_does_not():
    pairs = [(cloud(20, 2, 2 * i), cloud(20, 2, 2 * i + 1)) for i in range(300)]
    unbiased = np.array([mmd2(a, b, 0.5, unbiased=True) for a, b in pairs])
    assert abs(unbiased.mean()) < 3 * unbiased.std() / np.sqrt(300)
    assert (unbiased < 0).any()
    assert np.mean([mmd2(a, b, 0.5) for a, b in pairs]) > 0.03


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: rbf([[1.0]], [[1.0, 2.0]], 1.0), "equal numbers of columns"),
        (lambda: rbf([[1.0]], [[1.0]], 0.0), "gamma > 0"),
        (lambda: rbf([[np.nan]], [[1.0]], 1.0), "finite"),
        (lambda: median_bandwidth([["a"]]), "table of numbers"),
        (lambda: median_bandwidth(np.empty((0, 2))), "non-empty"),
        (lambda: mmd2([[1.0]], [[1.0]], 1.0, unbiased=True), "two rows a side"),
    ],
)
def test_bad_input_says_what_was_expected(call, says):
    with pytest.raises(ValueError, match=says):
        call()
