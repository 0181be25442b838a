"""uLSIF, against refitting without each row, the normal equations, and the known ratio of two Gaussians."""

import numpy as np
import pytest

from transfermap.math.kernels import rbf
from transfermap.math.leastratio import REGS, coefficients, kernel_sums, least_ratio, leave_one_out
from transfermap.math.ratio import KernelRatio, log_kernel_ratio, try_gammas
from transfermap.methods.weighting.ulsif import ULSIF


def gaussians(n, shift, d=1, seed=0, n_target=None):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(n_target or n, d)) + np.r_[shift, np.zeros(d - 1)]


def refitted(Ks, Kt, i, reg):
    """The error of the pair (i, i), by solving the problem anew without it."""
    Rs, Rt = np.delete(Ks, i, axis=0), np.delete(Kt, i, axis=0)
    a = np.linalg.solve(Rs.T @ Rs / len(Rs) + reg * np.eye(Ks.shape[1]), Rt.mean(axis=0))
    a = np.maximum(a, 0)
    return (Ks[i] @ a) ** 2 / 2 - Kt[i] @ a


@pytest.mark.parametrize(("n_source", "n_target"), [(30, 30), (40, 25), (20, 35), (2, 2)])
def test_leaving_out_is_what_refitting_gives(n_source, n_target):
    # a peer forgets a denominator in the leave-one-out formula
    Xs, Xt = gaussians(n_source, 0.7, d=2, n_target=n_target)
    C, pairs = Xt[:8], min(n_source, n_target)
    Ks, Kt = rbf(Xs, C, 0.5), rbf(Xt, C, 0.5)
    errors = leave_one_out(kernel_sums(Ks, Kt, 0.0), Ks[:pairs], Kt[:pairs], REGS, 0.0)
    for reg, error in zip(REGS, errors, strict=True):
        assert error == pytest.approx(np.mean([refitted(Ks, Kt, i, reg) for i in range(pairs)]), rel=1e-9)


def test_the_denominator_that_a_peer_omits_matters():
    Xs, Xt = gaussians(30, 0.7, d=2)
    n, C, reg = 30, Xt[:8], 0.01
    Ks, Kt = rbf(Xs, C, 0.5), rbf(Xt, C, 0.5)
    B = Ks.T @ Ks / n + reg * (n - 1) / n * np.eye(8)
    P, Q, h = np.linalg.solve(B, Kt.T), np.linalg.solve(B, Ks.T), Kt.mean(axis=0)
    own = n - (Ks.T * Q).sum(axis=0)
    B0 = np.linalg.solve(B, h)[:, None] + Q * (h @ Q / own)

    def error(B1):
        A = np.maximum((n - 1) / (n * (n - 1)) * (n * B0 - B1), 0)
        return ((Ks.T * A).sum(axis=0) ** 2 / 2 - (Kt.T * A).sum(axis=0)).mean()

    ours = leave_one_out(kernel_sums(Ks, Kt, 0.0), Ks, Kt, (reg,), 0.0)[0]
    cross = (Kt.T * Q).sum(axis=0)
    assert ours == pytest.approx(error(P + Q * (cross / own)), rel=1e-9)  # the paper's formula
    assert abs(ours - error(P + Q * cross)) > 0.01  # the peer's


def test_the_solution_solves_the_normal_equations():
    Xs, Xt = gaussians(200, 0.5, d=2)
    Ks, Kt = rbf(Xs, Xt[:5], 0.5), rbf(Xt, Xt[:5], 0.5)
    a = coefficients(kernel_sums(Ks, Kt, 0.0), 10.0, 0.0)
    assert (a > 0).all()
    np.testing.assert_allclose(Ks.T @ (Ks @ a) / 200 + 10 * a, Kt.mean(axis=0))


def test_the_choice_is_the_best_of_all_pairs_of_kernel_and_penalty():
    Xs, Xt = gaussians(60, 1.0)
    gammas = try_gammas(Xs, Xt)
    found = least_ratio(Xs, Xt, Xt[:20], gammas, REGS, 0.0)
    alone = [least_ratio(Xs, Xt, Xt[:20], (g,), (r, r), 0.0).error for g in gammas for r in REGS]
    assert found.error == pytest.approx(min(alone))
    best = int(np.argmin(alone))
    assert (found.ratio.gamma, found.reg) == (gammas[best // len(REGS)], REGS[best % len(REGS)])


def test_two_gaussians():
    Xs, Xt = gaussians(1000, 1.0)
    assert np.corrcoef(ULSIF().weigh(Xs, None, Xt), np.exp(Xs[:, 0]))[0, 1] > 0.9


def test_equal_domains_get_weights_near_one():
    for d in (1, 10):
        w = ULSIF().weigh(gaussians(1000, 0.0, d)[0], None, gaussians(1000, 0.0, d, seed=1)[1])
        assert w.std() < 0.3


@pytest.mark.parametrize("unit", [1e-6, 1e4])
def test_the_unit_of_the_columns_changes_nothing(unit):
    # a peer passes a distance for an inverse squared one, and its weights collapse on columns that are not scaled
    Xs, Xt = gaussians(100, 1.0, d=2)
    np.testing.assert_allclose(ULSIF().weigh(Xs, None, Xt), ULSIF().weigh(unit * Xs, None, unit * Xt), rtol=1e-6)


def test_the_order_of_rows_changes_nothing():
    Xs, Xt = gaussians(1500, 0.7, d=3)
    mixed = np.random.default_rng(3).permutation(1500)
    np.testing.assert_allclose(ULSIF().weigh(Xs[mixed], None, Xt[mixed]), ULSIF().weigh(Xs, None, Xt)[mixed], rtol=1e-7)


def test_the_fitted_function_gives_the_weights():
    Xs, Xt = gaussians(150, 1.0, d=2)
    m = ULSIF()
    w = m.weigh(Xs, None, Xt)
    assert m.centres_.shape == (100, 2)
    assert {tuple(c) for c in m.centres_} < {tuple(x) for x in Xt}
    r = np.exp(log_kernel_ratio(Xs, KernelRatio(m.centres_, m.gamma_, m.log_coef_)))
    np.testing.assert_allclose(w, r / r.mean())
    np.testing.assert_allclose(r, rbf(Xs, m.centres_, m.gamma_) @ np.exp(m.log_coef_), rtol=1e-9)


def test_weights_exist_where_all_kernels_round_to_zero():
    Xs, Xt = gaussians(40, 500.0)
    w = ULSIF(gamma=1.0).weigh(Xs, None, Xt)
    assert np.isfinite(w).all()
    assert w.argmax() == Xs[:, 0].argmax()
