"""Kernel mean matching, against a general solver on small data, the conditions of optimality, and closed forms."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, minimize
from sklearn.exceptions import ConvergenceWarning

from transfermap.math.boxslab import BoxSlab, dense, low_rank, minimize_quadratic
from transfermap.math.components import pick_landmarks
from transfermap.math.kernels import median_bandwidth, mmd2, rbf
from transfermap.methods.weighting.kmm import KMM, exact_match, mean_matching_weights, nystroem_match

rng = np.random.default_rng(0)
Xs, Xt = rng.normal(size=(30, 2)), rng.normal(size=(25, 2)) * 0.7 + 0.8
GAMMA = 0.4


def objective(b, Xs, Xt, gamma):
    """The squared distance of the means, term by term."""
    K, k, c = rbf(Xs, Xs, gamma), rbf(Xs, Xt, gamma), rbf(Xt, Xt, gamma).mean()
    return b @ K @ b / len(Xs) ** 2 - 2 * b @ k.mean(1) / len(Xs) + c


@pytest.mark.parametrize(("B", "eps"), [(1000.0, None), (3.0, 0.05), (1.5, 0.3), (1.05, 0.5)])
def test_no_general_solver_finds_better_weights(B, eps):
    n = len(Xs)
    e = (np.sqrt(n) - 1) / np.sqrt(n) if eps is None else eps
    problem, goal = exact_match(Xs, Xt, GAMMA)
    b, error = minimize_quadratic(problem, goal, BoxSlab(B, n * (1 - e), n * (1 + e)), 1e-10, 100)
    assert error <= 1e-10
    assert -1e-9 <= b.min() <= b.max() <= B + 1e-9
    assert n * (1 - e) - 1e-6 <= b.sum() <= n * (1 + e) + 1e-6
    slab = LinearConstraint(np.ones((1, n)), n * (1 - e), n * (1 + e))
    K, k = rbf(Xs, Xs, GAMMA) / n, rbf(Xs, Xt, GAMMA).mean(1)
    rival = minimize(
        lambda v: v @ K @ v / 2 - k @ v,
        np.ones(n),
        jac=lambda v: K @ v - k,
        bounds=[(0, B)] * n,
        constraints=slab,
        method="SLSQP",
        options={"maxiter": 2000, "ftol": 1e-14},
    )
    ours, theirs = (objective(v, Xs, Xt, GAMMA) for v in (b, rival.x))
    assert ours <= theirs + 1e-7
    assert ours < objective(np.ones(n), Xs, Xt, GAMMA)


def test_the_conditions_of_optimality_hold():
    n, B = len(Xs), 3.0
    problem, goal = exact_match(Xs, Xt, GAMMA)
    b, _ = minimize_quadratic(problem, goal, BoxSlab(B, n * 0.95, n * 1.05), 1e-11, 100)
    slope = rbf(Xs, Xs, GAMMA) @ b / n - goal
    free = (b > 1e-4) & (b < B - 1e-4)
    level = slope[free].mean()  # the price of the slab: zero unless the sum is at a bound
    assert free.sum() >= 3
    np.testing.assert_allclose(slope[free], level, atol=1e-6)
    assert (slope[b < 1e-6] >= level - 1e-6).all()
    assert (slope[b > B - 1e-6] <= level + 1e-6).all()


def test_equal_domains_weigh_all_rows_alike():
    np.testing.assert_array_equal(KMM().weigh(Xs, None, Xs), 1)
    np.testing.assert_allclose(KMM().weigh(Xs, None, Xs[::-1]), 1, atol=1e-6)


def test_a_row_that_stands_twice_shares_its_weight():
    problem, goal = exact_match(Xs, Xt, GAMMA)
    whole = BoxSlab(1000.0, 1e-3, 1e6)
    b, _ = minimize_quadratic(problem, goal, whole, 1e-12, 100)
    twice = np.r_[Xs, Xs[:1]]
    c, _ = minimize_quadratic(*exact_match(twice, Xt, GAMMA), whole, 1e-12, 100)
    merged = np.r_[c[0] + c[30], c[1:30]] * 30 / 31
    assert objective(merged, Xs, Xt, GAMMA) == pytest.approx(objective(b, Xs, Xt, GAMMA), abs=1e-8)


def test_the_order_of_target_rows_changes_nothing():
    np.testing.assert_allclose(KMM().weigh(Xs, None, Xt), KMM().weigh(Xs, None, Xt[::-1]), atol=1e-6)


def test_every_row_gets_a_weight_at_any_size():
    # a peer splits 1,001 rows into halves of 500 and forgets the last one
    many, goal = rng.normal(size=(1001, 2)), rng.normal(size=(300, 2)) * 0.5
    w = KMM(max_exact=500, landmarks=100).weigh(many, None, goal)
    assert w.shape == (1001,)
    assert w.mean() == pytest.approx(1)
    near = np.linalg.norm(many, axis=1) < 0.5
    assert w[near].mean() > 2 * w[~near].mean()


def test_landmarks_reach_almost_the_exact_objective():
    many, goal = rng.normal(size=(400, 3)), rng.normal(size=(400, 3)) * 0.6 + 0.5
    exact, _ = mean_matching_weights(exact_match(many, goal, 0.2), 1000.0, None, 1e-7, 100)
    approximate = nystroem_match(many, goal, 0.2, pick_landmarks(many, goal, 150, 0))
    w, _ = mean_matching_weights(approximate, 1000.0, None, 1e-7, 100)
    best, reached, start = (objective(v, many, goal, 0.2) for v in (exact, w, np.ones(400)))
    assert start == pytest.approx(mmd2(many, goal, 0.2))
    assert reached - best < 0.01 * (start - best)


def test_both_ways_to_solve_agree():
    Phi, c = rng.normal(size=(40, 5)), rng.normal(size=40)
    within = BoxSlab(4.0, 20.0, 60.0)
    (one, exact), (two, error) = (
        minimize_quadratic(q, c, within, 1e-9, 100) for q in (dense(Phi @ Phi.T), low_rank(Phi))
    )
    assert exact < 1e-8
    # how far the low-rank steps get depends on the processor's rounding; their duality gap bounds what is left
    assert error < 1e-3
    values = [0.5 * np.sum((Phi.T @ w) ** 2) - c @ w for w in (one, two)]
    assert abs(values[0] - values[1]) <= error
    np.testing.assert_allclose(one, two, atol=1e-3)


def test_too_few_steps_are_told():
    with pytest.warns(ConvergenceWarning, match="duality gap"):
        KMM(max_iter=1, tol=1e-12).weigh(Xs, None, Xt)


def test_in_many_columns_the_landmarks_weights_are_near_the_exact_ones():
    rng = np.random.default_rng(1)
    Xs, Xt = rng.normal(size=(600, 50)), rng.normal(size=(600, 50)) + 0.6 * rng.normal(size=50)
    gamma = 1 / (2 * median_bandwidth(np.r_[Xs, Xt]))
    exact, _ = mean_matching_weights(exact_match(Xs, Xt, gamma), 1000, None, 1e-8, 100)
    near, _ = mean_matching_weights(
        nystroem_match(Xs, Xt, gamma, pick_landmarks(Xs, Xt, 120, 0)), 1000, None, 1e-8, 100
    )
    assert np.corrcoef(exact, near)[0, 1] > 0.95
