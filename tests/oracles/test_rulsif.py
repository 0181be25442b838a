"""RuLSIF, against refitting without each row, its bound, its limits, and a divergence that can be integrated."""

import numpy as np
import pytest
from scipy.stats import norm

from transfermap.math.kernels import rbf
from transfermap.math.leastratio import (
    REGS,
    coefficients,
    kernel_sums,
    least_ratio,
    leave_one_out,
    relative_pearson,
)
from transfermap.math.ratio import KernelRatio, log_kernel_ratio
from transfermap.methods.weighting.rulsif import RULSIF
from transfermap.methods.weighting.ulsif import ULSIF


def gaussians(n, shift, d=1, seed=0, n_target=None):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(n_target or n, d)) + np.r_[shift, np.zeros(d - 1)]


def refitted(Ks, Kt, i, reg, alpha):
    """The error of the pair (i, i), by solving the problem anew without it."""
    Rs, Rt = np.delete(Ks, i, axis=0), np.delete(Kt, i, axis=0)
    H = alpha * Rt.T @ Rt / len(Rt) + (1 - alpha) * Rs.T @ Rs / len(Rs)
    a = np.maximum(np.linalg.solve(H + reg * np.eye(Ks.shape[1]), Rt.mean(axis=0)), 0)
    rs, rt = min(Ks[i] @ a, 1 / alpha), min(Kt[i] @ a, 1 / alpha)
    return alpha * rt**2 / 2 + (1 - alpha) * rs**2 / 2 - rt


@pytest.mark.parametrize(("n_source", "n_target"), [(30, 30), (40, 25), (20, 35), (2, 2)])
@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0])
def test_leaving_out_is_what_refitting_gives(n_source, n_target, alpha):
    Xs, Xt = gaussians(n_source, 0.7, d=2, n_target=n_target)
    C, pairs = Xt[:8], min(n_source, n_target)
    Ks, Kt = rbf(Xs, C, 0.5), rbf(Xt, C, 0.5)
    errors = leave_one_out(kernel_sums(Ks, Kt, alpha), Ks[:pairs], Kt[:pairs], REGS, alpha)
    for reg, error in zip(REGS, errors, strict=True):
        assert error == pytest.approx(np.mean([refitted(Ks, Kt, i, reg, alpha) for i in range(pairs)]), rel=1e-9)


def test_the_solution_solves_the_normal_equations():
    Xs, Xt = gaussians(200, 0.5, d=2)
    Ks, Kt = rbf(Xs, Xt[:5], 0.5), rbf(Xt, Xt[:5], 0.5)
    a = coefficients(kernel_sums(Ks, Kt, 0.3), 10.0, 0.3)
    assert (a > 0).all()
    np.testing.assert_allclose(
        0.3 * Kt.T @ (Kt @ a) / 200 + 0.7 * Ks.T @ (Ks @ a) / 200 + 10 * a, Kt.mean(axis=0), rtol=1e-9
    )


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
def test_no_value_exceeds_the_bound(alpha):
    Xs, Xt = gaussians(200, 3.0, d=2)
    free = KernelRatio(*least_ratio(Xs, Xt, Xt[:100], (2.0,), (1e-3,), alpha).ratio[:3])
    assert np.exp(log_kernel_ratio(Xt, free)).max() > 1 / alpha  # the fit by itself knows of no bound
    held = free._replace(cap=1 / alpha)
    assert np.exp(log_kernel_ratio(np.r_[Xs, Xt], held)).max() <= 1 / alpha + 1e-12
    m = RULSIF(alpha=alpha, gamma=2.0, reg=1e-3)
    w = m.weigh(Xs, None, Xt)
    r = np.exp(log_kernel_ratio(Xs, KernelRatio(m.centres_, m.gamma_, m.log_coef_, 1 / alpha)))
    np.testing.assert_allclose(w, r / r.mean())


def test_without_a_share_of_the_target_it_is_ulsif():
    Xs, Xt = gaussians(150, 1.0, d=2)
    np.testing.assert_array_equal(RULSIF(alpha=0.0).weigh(Xs, None, Xt), ULSIF().weigh(Xs, None, Xt))


def test_with_the_target_alone_for_mixture_all_weights_are_alike():
    Xs, Xt = gaussians(500, 0.5)
    w = RULSIF(alpha=1.0).weigh(Xs, None, Xt)
    inside = np.abs(Xs[:, 0] - 0.5) < 1.5
    assert w[inside].std() < 0.05
    assert RULSIF().weigh(Xs, None, Xt)[inside].std() > 0.2


def test_two_gaussians_have_the_relative_ratio():
    Xs, Xt = gaussians(2000, 1.0)
    m = RULSIF(alpha=0.5)
    w = m.weigh(Xs, None, Xt)
    p, q = norm.pdf(Xs[:, 0], 1), norm.pdf(Xs[:, 0])
    truth = p / (0.5 * p + 0.5 * q)
    assert np.corrcoef(w, truth)[0, 1] > 0.97
    grid = np.linspace(-9, 10, 20_001)
    p, q = norm.pdf(grid, 1), norm.pdf(grid)
    mixture = (p + q) / 2
    divergence = ((p / mixture - 1) ** 2 * mixture).sum() * (grid[1] - grid[0]) / 2
    assert m.divergence_ == pytest.approx(divergence, abs=0.03)


def test_the_divergence_is_that_of_its_definition():
    # a peer divides the source's term by the number of target rows
    rs, rt, alpha = np.array([0.5, 1.0, 2.0]), np.array([1.0, 3.0]), 0.2
    by_hand = -0.1 * (1 + 9) / 2 - 0.4 * (0.25 + 1 + 4) / 3 + 2 - 0.5
    assert relative_pearson(rs, rt, alpha) == pytest.approx(by_hand)
    assert relative_pearson(np.r_[rs, rs], rt, alpha) == pytest.approx(by_hand)


def test_equal_domains_have_no_divergence():
    Xs, Xt = gaussians(1000, 0.0)[0], gaussians(1000, 0.0, seed=1)[1]
    m = RULSIF()
    assert m.weigh(Xs, None, Xt).std() < 0.2
    assert abs(m.divergence_) < 0.02


def test_the_order_of_rows_changes_nothing():
    Xs, Xt = gaussians(200, 0.7, d=3)
    mixed = np.random.default_rng(3).permutation(200)
    ours, theirs = RULSIF().weigh(Xs, None, Xt)[mixed], RULSIF().weigh(Xs[mixed], None, Xt[mixed])
    np.testing.assert_allclose(theirs, ours, rtol=1e-7)
