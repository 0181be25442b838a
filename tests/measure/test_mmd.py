"""The maximum mean discrepancy and its tests: against loops, closed forms, and over many draws."""

import numpy as np
import pytest

from transfermap.math.kernels import median_bandwidth, mmd2, rbf
from transfermap.measure.shift.classwise import class_distances
from transfermap.measure.shift.mmd import mmd, mmd_linear, mmd_random_features, mmd_test


def cloud(n, d, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


@pytest.mark.parametrize("unbiased", [False, True])
def test_mmd_is_that_of_the_median_width_and_of_no_unit(unbiased):
    Xs, Xt = cloud(40, 3), cloud(30, 3, 1, shift=0.5)
    gamma = 1 / (2 * median_bandwidth(np.concatenate([Xs, Xt])))
    assert mmd(Xs, Xt, unbiased=unbiased) == mmd2(Xs, Xt, gamma, unbiased)
    assert mmd(100 * Xs, 100 * Xt, unbiased=unbiased) == pytest.approx(mmd(Xs, Xt, unbiased=unbiased))
    assert mmd(Xs, Xt, 0.7, unbiased) == mmd2(Xs, Xt, 0.7, unbiased)


def _permuted(Xs, Xt, gamma, rng):
    """The statistic of one shuffle, with the kernel computed anew."""
    pool = rng.permutation(np.concatenate([Xs, Xt]))
    return mmd2(pool[: len(Xs)], pool[len(Xs) :], gamma, unbiased=True)


def test_the_permutation_p_value_agrees_with_one_that_recomputes_the_kernel():
    Xs, Xt, rng = cloud(15, 2), cloud(20, 2, 1, shift=0.45), np.random.default_rng(5)
    found = mmd_test(Xs, Xt, draws=4999)
    assert found.value == pytest.approx(mmd(Xs, Xt, unbiased=True), abs=1e-12)
    naive = np.mean([_permuted(Xs, Xt, found.gamma, rng) >= found.value for _ in range(4000)])
    assert 0.005 < naive < 0.5
    assert found.p_value == pytest.approx(naive, abs=4 * np.sqrt(2 * naive / 4000))


def test_level_of_the_permutation_test_over_400_nulls():
    p = np.array([mmd_test(cloud(20, 2, 2 * i), cloud(30, 2, 2 * i + 1), draws=99, seed=i).p_value for i in range(400)])
    assert abs((p <= 0.05).mean() - 0.05) < 0.03
    assert abs((p <= 0.5).mean() - 0.5) < 0.08


def test_level_holds_for_few_distinct_values():
    rng = np.random.default_rng(0)
    coins = [(rng.integers(0, 2, (20, 1)), rng.integers(0, 2, (20, 1))) for _ in range(400)]
    assert np.mean([mmd_test(a, b, draws=99, seed=i).p_value <= 0.05 for i, (a, b) in enumerate(coins)]) < 0.08


@pytest.mark.parametrize(
    "change",
    [lambda X: X + np.eye(3)[0], lambda X: X * [2.5, 1, 1], lambda X: np.column_stack([X[:, :2], X[:, 0]])],
    ids=["place", "spread", "dependence"],
)
def test_power_of_the_permutation_test(change):
    p = [mmd_test(cloud(150, 3, 2 * i), change(cloud(150, 3, 2 * i + 1)), draws=99).p_value for i in range(20)]
    assert np.mean(np.array(p) <= 0.05) > 0.95


def test_p_value_of_equal_tables_is_one_and_never_zero():
    X = cloud(30, 2)
    assert mmd_test(X, X, draws=99).p_value > 0.95
    assert mmd_test(np.ones((5, 2)), np.ones((9, 2))).p_value == 1
    assert mmd_test(X, X + 50, draws=99).p_value == 0.01


def test_the_subsample_and_the_seed_decide():
    Xs, Xt = cloud(300, 2), cloud(200, 2, 1, shift=1)
    found = mmd_test(Xs, Xt, most=50, seed=3)
    assert found == mmd_test(Xs, Xt, most=50, seed=3)
    assert found.value != mmd_test(Xs, Xt, most=50, seed=4).value
    assert found.p_value < 0.05


def test_linear_time_statistic_is_a_mean_over_disjoint_pairs():
    Xs, Xt = cloud(9, 2), cloud(7, 2, 1)
    rng = np.random.default_rng(3)
    x, y = rng.permutation(Xs)[:6], rng.permutation(Xt)[:6]
    K = lambda a, b: rbf([a], [b], 0.4)[0, 0]  # noqa: E731
    terms = [K(x[i], x[i + 3]) + K(y[i], y[i + 3]) - K(x[i], y[i + 3]) - K(x[i + 3], y[i]) for i in range(3)]
    found = mmd_linear(Xs, Xt, 0.4, seed=3)
    assert found.value == pytest.approx(np.mean(terms))
    assert found.error == pytest.approx(np.std(terms, ddof=1) / np.sqrt(3))


def test_linear_time_statistic_has_the_mean_of_the_unbiased_one():
    d, s2, delta = 3, 2.0, np.array([1.0, 0.5, 0.0])
    exact = 2 * (1 + 2 / s2) ** (-d / 2) * (1 - np.exp(-delta @ delta / (2 * (s2 + 2))))
    found = mmd_linear(cloud(60000, d), cloud(60000, d, 1) + delta, 1 / (2 * s2))
    assert abs(found.value - exact) < 4 * found.error
    assert found.error < exact / 20


def test_level_and_power_of_the_linear_test():
    null = [mmd_linear(cloud(150, 3, 2 * i), cloud(150, 3, 2 * i + 1)).p_value for i in range(400)]
    assert abs(np.mean(np.array(null) < 0.05) - 0.05) < 0.03
    pairs = [(cloud(1500, 3, 2 * i), cloud(1500, 3, 2 * i + 1) + np.eye(3)[0]) for i in range(40)]
    shifted = [mmd_linear(*pair, gamma=0.2).p_value for pair in pairs]
    assert np.mean(np.array(shifted) < 0.05) > 0.95
    assert mmd_linear(np.ones((6, 1)), np.ones((6, 1))).p_value == 0.5


@pytest.mark.parametrize("unbiased", [False, True])
def test_random_features_near_the_kernel(unbiased):
    Xs, Xt = cloud(1100, 4), cloud(400, 4, 1, shift=0.4)
    exact = mmd(Xs, Xt, 0.1, unbiased)
    drawn = [mmd_random_features(Xs, Xt, 0.1, features=300, unbiased=unbiased, seed=i) for i in range(20)]
    assert np.mean(drawn) == pytest.approx(exact, abs=4 * np.std(drawn) / np.sqrt(20))
    assert np.std(drawn) < exact / 4
    assert mmd_random_features(Xs, Xt, 0.1, features=5000, unbiased=unbiased) == pytest.approx(exact, rel=0.1)


def test_only_the_moved_class_is_far_and_the_result_says_what_it_rests_on():
    X, y = cloud(300, 2), np.array(["a", "b", "c"])[np.arange(300) % 3]
    Xt, yt = X[150:] + 2.0 * (y[150:] == "b")[:, None], y[150:]
    measured = class_distances(X[:150], y[:150], Xt, yt=yt, draws=199)
    assumed = class_distances(X[:150], y[:150], Xt, predicted=np.where(yt == "c", "a", yt), draws=199)
    assert (measured.basis, assumed.basis) == ("measured", "assumed")
    assert measured.classes.tolist() == ["a", "b", "c"]
    assert (measured.p_value < 0.01).tolist() == [False, True, False]
    exact = mmd(X[:150][y[:150] == "b"], Xt[yt == "b"], unbiased=True)
    assert measured.value[1] == pytest.approx(exact)
    assert measured.n_target.tolist() == [50, 50, 50]
    assert assumed.n_target.tolist() == [100, 50, 0]
    assert np.isnan(assumed.value[2]) and np.isnan(assumed.p_value[2])


def test_shares_that_move_move_no_class():
    y, p = np.repeat([0, 1], 200), []
    one, other = np.r_[0:100, 200:230], np.r_[100:130, 230:330]
    for seed in range(60):
        X = cloud(400, 2, seed) + 4 * y[:, None]
        assert mmd_test(X[one], X[other], draws=99).p_value == 0.01
        p += class_distances(X[one], y[one], X[other], yt=y[other], draws=99).p_value.tolist()
    # 14 or more of 120 have probability 0.003 at the level 0.05.
    assert np.sum(np.array(p) <= 0.05) <= 13


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: mmd([[1.0]], [[1.0], [2.0]]), "at least 2 rows"),
        (lambda: mmd([[1.0], [2.0]], [[1.0], [2.0]], gamma=-1), "gamma > 0, got -1"),
        (lambda: mmd_test([[1.0], [2.0]], [[1.0], [2.0]], draws=5), "at least 19 draws"),
        (lambda: mmd_test([[1.0], [2.0]], [[1.0, 2.0], [2.0, 1.0]]), "equal widths"),
        (lambda: mmd_linear([[1.0], [2.0]], [[1.0], [2.0]]), "at least 4 rows"),
        (lambda: mmd_random_features([[1.0], [2.0]], [[1.0], [2.0]], features=0), "at least one feature"),
        (lambda: class_distances([[1.0]], [0], [[1.0]]), "either yt"),
        (lambda: class_distances([[1.0]], [0], [[1.0]], yt=[0], predicted=[0]), "either yt"),
        (lambda: class_distances([[1.0]], [0], [[1.0]], predicted=[0, 1]), r"predicted to have shape \(1,\)"),
    ],
)
def test_bad_input_says_what_was_expected(call, says):
    with pytest.raises(ValueError, match=says):
        call()
