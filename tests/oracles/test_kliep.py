"""KLIEP, against a general solver, the conditions of optimality, closed forms, and the known ratio of two Gaussians."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, minimize
from sklearn.exceptions import ConvergenceWarning

from transfermap.math.kernels import rbf
from transfermap.math.kliep import choose_gamma, held_out_score, kliep_ratio, likeliest_mixture, log_mean_kernel
from transfermap.math.ratio import (
    KernelRatio,
    draw_rows,
    log_kernel_ratio,
    log_sum,
    ratio_weights,
    squared_distances,
    stripes,
    try_gammas,
)
from transfermap.methods.weighting.kliep import KLIEP


def gaussians(n, shift, d=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(n, d)) + np.r_[shift, np.zeros(d - 1)]


def fitted(Xs, Xt, centres, gamma, tol=1e-9):
    return kliep_ratio(squared_distances(Xs, centres), squared_distances(Xt, centres), centres, gamma, tol, 100)


@pytest.mark.parametrize("gamma", [0.1, 1.0, 10.0])
def test_no_general_solver_finds_a_larger_likelihood(gamma):
    Xs, Xt = gaussians(60, 0.8, d=2)
    C = Xt[:12]
    ratio, gap = fitted(Xs, Xt, C, gamma)
    assert gap <= 1e-9
    A, b = rbf(Xt, C, gamma), rbf(Xs, C, gamma).mean(axis=0)
    alpha = np.exp(ratio.log_coef)
    assert alpha @ b == pytest.approx(1)
    rival = minimize(
        lambda a: -np.log(A @ a).mean(),
        np.full(12, 1 / b.sum()),
        jac=lambda a: -(A / (A @ a)[:, None]).mean(axis=0),
        bounds=[(0, None)] * 12,
        constraints=LinearConstraint(b[None], 1, 1),
        method="SLSQP",
        options={"maxiter": 2000, "ftol": 1e-13},
    )
    assert np.log(A @ alpha).mean() == pytest.approx(-rival.fun, abs=1e-6)
    assert np.log(A @ alpha).mean() >= -rival.fun - 1e-8


def test_the_conditions_of_optimality_hold():
    rng = np.random.default_rng(1)
    A = rng.random((200, 30)) ** 6
    b, gap = likeliest_mixture(np.log(A), 1e-10, 100)
    slope = (A / (A @ b)[:, None]).mean(axis=0)
    assert gap <= 1e-10
    assert b.sum() == pytest.approx(1, abs=1e-12)
    assert 3 < (b > 0).sum() < 25
    np.testing.assert_allclose(slope[b > 1e-6], 1, atol=1e-5)
    assert slope.max() <= 1 + 1e-9


def test_the_gap_bounds_what_is_missing():
    rng = np.random.default_rng(2)
    A = rng.random((100, 20)) ** 4
    best = np.log(A @ likeliest_mixture(np.log(A), 1e-11, 100)[0]).mean()
    for steps in range(1, 8):
        b, gap = likeliest_mixture(np.log(A), 1e-11, steps)
        assert -1e-10 <= best - np.log(A @ b).mean() <= gap + 1e-10


def test_a_peer_stops_where_it_starts():
    # a peer's step is the machine's smallest number, which leaves the likelihood of equal coefficients
    Xs, Xt = gaussians(300, 1.0)
    C = Xt[draw_rows(Xt, 100)]
    ratio, _ = fitted(Xs, Xt, C, 2.0)
    even = np.full(100, 1 / rbf(Xs, C, 2.0).mean(axis=0).sum())
    assert log_kernel_ratio(Xt, ratio).mean() > np.log(rbf(Xt, C, 2.0) @ even).mean() + 0.05


def test_the_mean_over_the_source_is_one_and_equal_domains_get_weights_near_one():
    Xs, Xt = gaussians(200, 1.0, d=3)
    ratio, _ = fitted(Xs, Xt, Xt[:50], 0.3)
    assert np.exp(log_kernel_ratio(Xs, ratio)).mean() == pytest.approx(1)
    alike, _ = fitted(Xs, Xs[::-1], Xs, 0.3)
    # w = 1 would give 0, the most there can be by Jensen's inequality; no sum of Gaussians is quite that
    assert -0.01 < log_kernel_ratio(Xs, alike).mean() <= 0
    (Xs, _), (_, Xt) = gaussians(1000, 0.0), gaussians(1000, 0.0, seed=1)
    assert KLIEP().weigh(Xs, None, Xt).std() < 0.3


def test_the_unit_of_the_columns_changes_nothing():
    Xs, Xt = gaussians(100, 1.0, d=2)
    np.testing.assert_allclose(KLIEP().weigh(Xs, None, Xt), KLIEP().weigh(1e4 * Xs, None, 1e4 * Xt), rtol=1e-5)


def test_two_gaussians():
    Xs, Xt = gaussians(1000, 1.0)
    w = KLIEP().weigh(Xs, None, Xt)
    assert np.corrcoef(w, np.exp(Xs[:, 0]))[0, 1] > 0.9


def test_the_order_of_rows_changes_nothing():
    Xs, Xt = gaussians(150, 0.7, d=3)
    mixed = np.random.default_rng(3).permutation(150)
    np.testing.assert_allclose(KLIEP().weigh(Xs[mixed], None, Xt[mixed]), KLIEP().weigh(Xs, None, Xt)[mixed], rtol=1e-7)


def test_nothing_underflows_where_domains_lie_far_apart():
    Xs, Xt = gaussians(50, 300.0)
    ratio, gap = fitted(Xs, Xt, Xt, 1.0)
    assert np.isfinite(gap)
    assert np.isfinite(log_kernel_ratio(Xs, ratio)).all()
    w = ratio_weights(log_kernel_ratio(Xs, ratio))
    assert w.argmax() == Xs[:, 0].argmax()
    assert np.isfinite(KLIEP().weigh(Xs, None, Xt)).all()


def test_rows_left_out_are_scored_by_a_fit_without_them():
    Xs, Xt = gaussians(40, 0.8)
    C, gamma = Xt[:10], 0.7
    fold_s, fold_t = stripes(Xs, 4), stripes(Xt, 4)
    Ds, Dt = squared_distances(Xs, C), squared_distances(Xt, C)
    both, target = [], []
    for k in range(4):
        r, _ = fitted(Xs[fold_s != k], Xt[fold_t != k], C, gamma, 1e-5)
        rs, rt = (np.exp(log_kernel_ratio(X[f == k], r)) for X, f in ((Xs, fold_s), (Xt, fold_t)))
        both.append(np.log(rt / (1 + rt)).mean() + np.log(1 / (1 + rs)).mean())
        r, _ = fitted(Xs, Xt[fold_t != k], C, gamma, 1e-5)
        target.append(log_kernel_ratio(Xt[fold_t == k], r).mean())
    assert held_out_score(Ds, Dt, fold_s, fold_t, gamma) == pytest.approx(np.mean(both), abs=1e-9)
    assert held_out_score(Ds, Dt, fold_s, fold_t, gamma, "target") == pytest.approx(np.mean(target), abs=1e-9)


def test_leaving_out_both_domains_keeps_the_kernel_from_being_too_narrow():
    # 1,000 rows a side in two columns, target N(1, 0.64 I): the target's likelihood alone asks for the narrowest kernel
    rng = np.random.default_rng(0)
    Xs, Xt = rng.normal(size=(1000, 2)), 0.8 * rng.normal(size=(1000, 2)) + 1
    true = np.exp((Xs**2).sum(axis=1) / 2 - ((Xs - 1) ** 2).sum(axis=1) / 1.28)
    both, target = (np.corrcoef(KLIEP(held_out=h).weigh(Xs, None, Xt), true)[0, 1] for h in ("both", "target"))
    assert both > 0.9
    assert both >= target


def test_the_chosen_kernel_is_the_best_scored():
    Xs, Xt = gaussians(120, 1.0)
    C, gammas = Xt[draw_rows(Xt, 100)], try_gammas(Xs, Xt)
    Ds, Dt = squared_distances(Xs, C), squared_distances(Xt, C)
    chosen = choose_gamma(Xs, Xt, Ds, Dt, gammas, 5, "both")
    scores = [held_out_score(Ds, Dt, stripes(Xs, 5), stripes(Xt, 5), g) for g in gammas]
    assert chosen == gammas[int(np.argmax(scores))]


def test_the_fitted_function_gives_the_weights():
    Xs, Xt = gaussians(100, 1.0, d=2)
    m = KLIEP()
    w = m.weigh(Xs, None, Xt)
    r = np.exp(log_kernel_ratio(Xs, KernelRatio(m.centres_, m.gamma_, m.log_coef_)))
    np.testing.assert_allclose(w, r / r.mean())
    np.testing.assert_allclose(r, rbf(Xs, m.centres_, m.gamma_) @ np.exp(m.log_coef_))


def test_logarithms_of_sums_are_those():
    L = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(log_sum(L.copy(), axis=1), np.log(np.exp(L).sum(axis=1)))
    np.testing.assert_allclose(log_mean_kernel(L**2, 2.0), np.log(np.exp(-2 * L**2).mean(axis=0)))
    assert log_sum(np.array([[-5000.0, -5000.0]]), axis=1)[0] == pytest.approx(-5000 + np.log(2))


def test_centres_are_drawn_once_each_by_what_the_rows_hold():
    X = np.random.default_rng(0).normal(size=(500, 3))
    mixed = np.random.default_rng(1).permutation(500)
    drawn = draw_rows(X, 100)
    assert len(set(drawn)) == 100
    np.testing.assert_array_equal(X[drawn], X[mixed][draw_rows(X[mixed], 100)])
    assert set(draw_rows(X, 100, seed=1)) != set(drawn)
    assert sorted(draw_rows(X, 900)) == list(range(500))


def test_too_few_steps_are_told():
    Xs, Xt = gaussians(50, 1.0)
    with pytest.warns(ConvergenceWarning, match="duality gap"):
        KLIEP(gamma=1.0, max_iter=1, tol=1e-12).weigh(Xs, None, Xt)
