"""Exact transport, against sorted matching, the assignment problem, linear programming and POT's dense simplex."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, linprog

from transfermap.math.earthmover import exact_plan, staircase
from transfermap.math.transport import Cost, centred, distinct
from transfermap.methods.transport.emd import EMD

rng = np.random.default_rng(0)


def domains(ns, nt):
    return np.repeat([1, -1], [ns, nt])


def mapped(Xs, Xt, **params):
    return EMD(**params).fit_transform(np.r_[Xs, Xt], sample_domain=domains(len(Xs), len(Xt)))[: len(Xs)]


def squares(Xs, Xt):
    return ((Xs[:, None] - Xt[None]) ** 2).sum(axis=2)


def naive_plan(a, b, C):
    """The linear programme itself."""
    n, m = C.shape
    rows, columns = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    found = linprog(C.ravel(), A_eq=np.r_[rows, columns], b_eq=np.r_[a, b], method="highs")
    return found.x.reshape(n, m), found.fun


@pytest.mark.parametrize("n", [7, 400])
def test_one_column_is_sorted_matching(n):
    xs, xt = rng.normal(size=n), rng.exponential(size=n) * 3 + 100
    expected = np.empty(n)
    expected[np.argsort(xs)] = np.sort(xt)
    np.testing.assert_allclose(mapped(xs[:, None], xt[:, None]).ravel(), expected, atol=1e-9)


def test_a_translation_is_undone_exactly():
    X, v = rng.normal(size=(500, 3)), np.array([30.0, -2.0, 0.1])
    np.testing.assert_allclose(mapped(X, (X + v)[rng.permutation(500)]), X + v, atol=1e-9)


@pytest.mark.parametrize("n", [20, 350])
def test_equally_many_rows_are_the_assignment_problem(n):
    Xs, Xt = rng.normal(size=(n, 4)), rng.normal(size=(n, 4)) * 2 + 1
    i, j = linear_sum_assignment(squares(Xs, Xt))
    np.testing.assert_allclose(mapped(Xs, Xt)[i], Xt[j], atol=1e-9)


def test_unequal_numbers_are_the_linear_programme():
    Xs, Xt = rng.normal(size=(12, 2)), rng.normal(size=(17, 2)) + 3
    P, _ = naive_plan(np.full(12, 1 / 12), np.full(17, 1 / 17), squares(Xs, Xt))
    np.testing.assert_allclose(mapped(Xs, Xt), 12 * P @ Xt, atol=1e-8)


@pytest.mark.parametrize(("n", "m", "d"), [(230, 310, 1), (300, 210, 2), (250, 250, 30)])
def test_candidate_pairs_lose_nothing(n, m, d):
    from ot.lp import emd2

    a, b = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    cost = centred(rng.normal(size=(n, d)), rng.normal(size=(m, d)) * 1.5 + 1)
    cost = cost._replace(codes=rng.integers(0, 3, n), table=rng.exponential(size=(3, m)))
    C = squares(cost.Xs, cost.Xt) + cost.table[cost.codes]
    plan, g = exact_plan(cost, a, b)
    assert float((plan.toarray() * C).sum()) == pytest.approx(emd2(a, b, C, numItermax=10**7), rel=1e-9)
    np.testing.assert_allclose(plan.sum(axis=1), a, atol=1e-12)
    np.testing.assert_allclose(plan.sum(axis=0), b, atol=1e-12)
    assert plan.nnz <= n + m - 1
    # a feasible dual of the same value proves that the plan is optimal, whoever found it
    f = (C - g).min(axis=1)
    assert float(a @ f + b @ g) == pytest.approx(float((plan.toarray() * C).sum()), rel=1e-8)


def test_more_pivots_than_pots_default_allows():
    from ot.lp import emd2

    n = 900
    Xs, Xt = rng.integers(0, 12, size=(n, 3)) * 1.0, rng.integers(3, 15, size=(n, 3)) * 1.0
    (rows, a, _), (goals, b, _) = distinct(Xs), distinct(Xt)
    plan, _ = exact_plan(centred(rows, goals), a, b)
    C = squares(rows, goals)
    assert float((plan.toarray() * C).sum()) == pytest.approx(emd2(a, b, C, numItermax=10**7), rel=1e-9)


def test_the_staircase_holds_a_plan():
    for n, m in ((1, 1), (1, 5), (4, 4), (6, 3)):
        a, b = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
        allowed = np.zeros(n * m)
        allowed[staircase(a, b)] = 1
        P, _ = naive_plan(a, b, 1 - allowed.reshape(n, m))
        assert float(P.ravel() @ (1 - allowed)) == pytest.approx(0, abs=1e-9)
        assert allowed.sum() <= 3 * (n + m)


def test_the_plan_of_a_chain_of_far_groups_is_found():
    centres = np.arange(30)[:, None] * 1e3
    Xs = np.concatenate([centres + rng.normal(size=(30, 2)) for _ in range(8)])
    Xt = np.concatenate([centres + rng.normal(size=(30, 2)) for _ in range(8)])
    i, j = linear_sum_assignment(squares(Xs, Xt))
    np.testing.assert_allclose(mapped(Xs, Xt)[i], Xt[j], atol=1e-6)


def test_rows_twice_there_are_rows_of_twice_the_mass():
    Xs, Xt = rng.normal(size=(40, 3)), rng.normal(size=(40, 3)) + 2
    twice = mapped(np.r_[Xs, Xs], np.r_[Xt, Xt])
    np.testing.assert_allclose(twice[:40], mapped(Xs, Xt), atol=1e-9)
    np.testing.assert_allclose(twice[40:], twice[:40], atol=1e-12)


def test_the_map_turns_with_the_rows_and_knows_no_units():
    Xs, Xt = rng.normal(size=(60, 3)), rng.normal(size=(60, 3)) * 2 + 1
    Q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    np.testing.assert_allclose(mapped(Xs @ Q, Xt @ Q), mapped(Xs, Xt) @ Q, atol=1e-9)
    np.testing.assert_allclose(mapped(1e6 * Xs + 5, 1e6 * Xt + 5), 1e6 * mapped(Xs, Xt) + 5, rtol=1e-9)


def test_new_rows_move_as_their_nearest_neighbour_and_target_rows_stay():
    Xs, Xt = rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 5
    X, d = np.r_[Xs, Xt], domains(50, 50)
    emd = EMD().fit(X, sample_domain=d)
    new = rng.normal(size=(9, 2)) * 2
    near = squares(new, Xs).argmin(axis=1)
    shifts = emd.transform(Xs, sample_domain=np.ones(50)) - Xs
    np.testing.assert_allclose(emd.transform(new, sample_domain=np.ones(9)), new + shifts[near], atol=1e-12)
    np.testing.assert_array_equal(emd.transform(Xt), Xt)


def test_a_plan_without_room_is_refused_at_once_with_a_way_out():
    X = rng.normal(size=(60_000, 2))
    with pytest.raises(ValueError, match=r"30000 and 30000 .* 3\.4 GiB, more than max_gb=2; use MiniBatchTransport"):
        EMD().fit(X, sample_domain=domains(30_000, 30_000))


def test_a_cost_may_hold_prices_only():
    same = np.zeros((3, 1))
    table = np.array([[5.0, 0.0, 5.0], [0.0, 5.0, 5.0], [5.0, 5.0, 0.0]])
    plan, _ = exact_plan(Cost(same, same, np.arange(3), table), *np.full((2, 3), 1 / 3))
    np.testing.assert_allclose(3 * plan.toarray(), table == 0)
