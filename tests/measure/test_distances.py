"""Distances between tables: against POT, scipy, closed forms and bounds; what each is blind to."""

import numpy as np
import ot
import pytest
from scipy.linalg import sqrtm
from scipy.special import expit
from scipy.stats import wasserstein_distance

from transfermap.measure.shift.crossfit import deal, judge
from transfermap.measure.shift.distances import (
    a_distance,
    coral_distance,
    gaussian_wasserstein,
    proxy_a_distance,
    sliced_wasserstein,
    wasserstein,
    wasserstein_1d,
)
from transfermap.measure.shift.domain_classifier import DomainClassifier, domain_classifier
from transfermap.measure.transferability.layer_similarity import linear_cka, pwcca


def cloud(n, d, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def rotation(d, seed=9):
    return np.linalg.qr(cloud(d, d, seed))[0]


def test_coral_distance_is_the_formula_turns_with_the_tables_and_misses_the_mean():
    Xs, Xt = cloud(30, 4), cloud(40, 4, 1) * [1, 2, 3, 4]
    exact = ((np.cov(Xs.T) - np.cov(Xt.T)) ** 2).sum() / (4 * 16)
    assert coral_distance(Xs, Xt) == pytest.approx(exact)
    R = rotation(4)
    assert coral_distance(Xs @ R, Xt @ R) == pytest.approx(exact)
    assert coral_distance(Xs, Xs + 7) == pytest.approx(0, abs=1e-20)


def told_apart(source, target):
    source, target = np.asarray(source, float), np.asarray(target, float)
    return DomainClassifier(0.5, 0.0, 1.0, source, target, len(source), len(target))


def test_a_distance_is_twice_one_minus_twice_the_balanced_error():
    found = a_distance(told_apart([0.1, 0.2, 0.7, 0.3], [0.9, 0.5]))
    assert found.value == pytest.approx(2 * (1 - 2 * (0.25 + 0.25) / 2))
    assert 0 <= found.low < found.value < found.high <= 2
    assert a_distance(told_apart([0.9, 0.8], [0.2, 0.1])).value == 0
    assert a_distance(told_apart([0.5] * 9, [0.5] * 4)).value == 0


def test_unequal_sizes_of_the_sides_do_not_count():
    once = a_distance(told_apart([0.1, 0.7], [0.9, 0.2, 0.8]))
    often = a_distance(told_apart(np.tile([0.1, 0.7], 50), [0.9, 0.2, 0.8]))
    assert once.value == pytest.approx(often.value)
    assert often.high - often.low < once.high - once.low


def test_proxy_a_distance_nears_twice_the_total_variation():
    # N(0,1) and N(d,1): TV = 2 Phi(d/2) - 1.
    for delta, twice in ((0.0, 0.0), (1.0, 0.7658), (2.0, 1.3654), (9.0, 2.0)):
        found = proxy_a_distance(cloud(1500, 1), cloud(1500, 1, 1, shift=delta))
        assert found.value == pytest.approx(twice, abs=0.12)
        assert found.low - 0.02 <= twice <= found.high
    assert proxy_a_distance(cloud(9, 2), cloud(9, 2)).value == 0


def test_many_columns_of_noise_show_no_distance():
    Xs, Xt = cloud(60, 100), cloud(60, 100, 1)
    found = proxy_a_distance(Xs, Xt, folds=2)
    assert found.low == 0 and found.value < 0.6
    assert a_distance(domain_classifier(Xs, Xt, folds=2)) == found


def _nearer_mean(X, side):
    """The rule whose folds share the most."""
    source, target = X[side == 0].mean(axis=0), X[side == 1].mean(axis=0)
    return lambda rows: (rows - (source + target) / 2) @ (target - source)


@pytest.mark.parametrize("d", [2, 30])
def test_the_interval_of_the_a_distance_holds_zero_without_a_difference(d):
    side = np.repeat([0, 1], [50, 60])
    above = []
    for i in range(400):
        X = np.concatenate([cloud(50, d, 2 * i), cloud(60, d, 2 * i + 1)])
        scores = expit(judge(X, side, deal(X, side, 5, 5000, i), _nearer_mean))
        above.append(a_distance(told_apart(scores[:50], scores[50:])).low > 0)
    # 2.5 % of cases; more than 4.5 % have probability 0.01.
    assert np.mean(above) <= 0.045


@pytest.mark.parametrize(("n", "m"), [(50, 50), (31, 47), (12, 60), (1, 7)])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_one_dimension_agrees_with_pot_for_all_sizes(n, m, p):
    x, y = cloud(n, 1)[:, 0], 2 * cloud(m, 1, 1)[:, 0] + 1
    assert wasserstein_1d(x, y, p) == pytest.approx(ot.wasserstein_1d(x, y, p=p) ** (1 / p))
    if p == 1:
        assert wasserstein_1d(x, y) == pytest.approx(wasserstein_distance(x, y))


def test_exact_transport_agrees_with_a_dense_plan_and_with_one_dimension():
    Xs, Xt = cloud(60, 3), np.round(cloud(45, 3, 1, shift=1), 0)
    dense = ot.emd2([], [], ot.dist(Xs, Xt))
    assert wasserstein(Xs, Xt) == pytest.approx(np.sqrt(dense))
    x, y = cloud(300, 1), cloud(211, 1, 1, shift=2)
    assert wasserstein(x, y) == pytest.approx(wasserstein_1d(x[:, 0], y[:, 0], 2))


@pytest.mark.parametrize("distance", [wasserstein, gaussian_wasserstein])
def test_a_pure_shift_is_its_own_length(distance):
    X, v = cloud(80, 3, shift=100), np.array([3.0, 0.0, 4.0])
    assert distance(X, X[::-1] + v) == pytest.approx(5)
    assert distance(X, X) == pytest.approx(0, abs=1e-5)
    assert distance(1000 * X, 1000 * X[::-1] + 1000 * v) == pytest.approx(5000)


def test_slices_of_a_shift_see_one_dth_of_its_square():
    X, v = cloud(100, 5), np.array([3.0, 0.0, 4.0, 0.0, 0.0])
    assert sliced_wasserstein(X, X + v, directions=20000) ** 2 == pytest.approx(25 / 5, rel=0.03)
    assert sliced_wasserstein(X, X) == 0


def test_slices_agree_with_one_dimension_direction_by_direction():
    Xs, Xt = cloud(20, 3), cloud(33, 3, 1)
    thetas = np.random.default_rng(4).normal(size=(3, 7))
    thetas /= np.linalg.norm(thetas, axis=0)
    each = [wasserstein_1d(Xs @ theta, Xt @ theta, 2) ** 2 for theta in thetas.T]
    assert sliced_wasserstein(Xs, Xt, directions=7, seed=4) == pytest.approx(np.sqrt(np.mean(each)))
    assert sliced_wasserstein(Xs, Xt) < wasserstein(Xs, Xt)


def test_gaussian_distance_is_the_formula_with_matrix_roots():
    Xs, Xt = cloud(50, 4), cloud(70, 4, 1) @ cloud(4, 4, 2) + 1
    Cs, Ct = np.cov(Xs.T, ddof=0), np.cov(Xt.T, ddof=0)
    root = sqrtm(Cs)
    gap = Xs.mean(0) - Xt.mean(0)
    exact = gap @ gap + np.trace(Cs + Ct - 2 * sqrtm(root @ Ct @ root).real)
    assert gaussian_wasserstein(Xs, Xt) == pytest.approx(np.sqrt(exact))


@pytest.mark.parametrize("seed", range(5))
def test_gaussian_distance_is_a_lower_bound_of_the_exact_one(seed):
    Xs, Xt = cloud(40, 3, seed) ** 2, cloud(30, 3, seed + 50, shift=1)
    assert gaussian_wasserstein(Xs, Xt) <= wasserstein(Xs, Xt) + 1e-9


def test_gaussian_distance_survives_constant_columns_and_fewer_rows_than_columns():
    X = cloud(5, 20)
    X[:, 0] = 0.1
    assert gaussian_wasserstein(X, X @ np.eye(20) + 3) == pytest.approx(3 * np.sqrt(20))
    assert gaussian_wasserstein([[1.0, 2.0]], [[4.0, 6.0]]) == pytest.approx(5)


def _hsic1(K, L):
    """Song's unbiased estimate, written out with n x n matrices."""
    n = len(K)
    K, L, one = K - np.diag(np.diag(K)), L - np.diag(np.diag(L)), np.ones(n)
    last = (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2)) - 2 * (one @ K @ L @ one) / (n - 2)
    return (np.trace(K @ L) + last) / (n * (n - 3))


@pytest.mark.parametrize("d", [3, 40])
def test_cka_agrees_with_gram_matrices_whether_features_are_few_or_many(d):
    F, G = cloud(20, d, shift=3), cloud(20, 5, 1) + cloud(20, d)[:, :1]
    K, L, H = F @ F.T, G @ G.T, np.eye(20) - 1 / 20
    naive = np.sum(H @ K @ H * L) / np.sqrt(np.sum(H @ K @ H * K) * np.sum(H @ L @ H * L))
    assert linear_cka(F, G) == pytest.approx(naive)
    unbiased = _hsic1(K, L) / np.sqrt(_hsic1(K, K) * _hsic1(L, L))
    assert linear_cka(F, G, unbiased=True) == pytest.approx(unbiased)


@pytest.mark.parametrize("unbiased", [False, True])
def test_cka_ignores_turns_shifts_and_one_scale_but_not_one_column_s(unbiased):
    F = cloud(60, 6)
    assert linear_cka(F, -3 * F @ rotation(6) + 8, unbiased) == pytest.approx(1)
    assert linear_cka(F, F * [9, 1, 1, 1, 1, 1], unbiased) < 0.9
    assert linear_cka(F, np.full((60, 2), 0.1), unbiased) == 0


def test_only_the_unbiased_cka_sees_that_wide_noise_is_unrelated():
    pairs = [(cloud(20, 300, 2 * i), cloud(20, 300, 2 * i + 1)) for i in range(30)]
    assert np.mean([linear_cka(*pair) for pair in pairs]) > 0.9
    unbiased = np.array([linear_cka(*pair, unbiased=True) for pair in pairs])
    assert abs(unbiased.mean()) < 4 * unbiased.std() / np.sqrt(30)


def test_pwcca_ignores_any_invertible_map_and_weighs_by_what_is_carried():
    F = cloud(100, 4)
    assert pwcca(F, F @ cloud(4, 4, 3) + 5) == pytest.approx(1)
    assert pwcca(F @ np.diag([50, 1, 1, 1]), F[:, :1]) > 0.9  # the carried direction is kept
    assert pwcca(F @ np.diag([50, 1, 1, 1]), cloud(100, 1, 8)) < 0.4


def test_pwcca_of_orthogonal_columns_is_a_weighted_mean():
    e = np.eye(8) - 1 / 8
    Q = np.linalg.qr(e[:, :4])[0]
    F, G = np.column_stack([3 * Q[:, 0], Q[:, 1]]), np.column_stack([Q[:, 0], 0.6 * Q[:, 1] + 0.8 * Q[:, 2]])
    assert pwcca(F, G) == pytest.approx((3 * 1 + 1 * 0.6) / 4)
    assert pwcca(F, np.full((8, 1), 0.3)) == 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: coral_distance([[1.0]], [[1.0]]), "at least 2 rows"),
        (lambda: wasserstein_1d([1.0], [1.0], p=0.5), "p >= 1"),
        (lambda: wasserstein_1d([], [1.0]), "xs"),
        (lambda: sliced_wasserstein([[1.0]], [[1.0]], directions=0), "direction"),
        (lambda: wasserstein([[np.nan]], [[1.0]]), "finite"),
        (lambda: gaussian_wasserstein([[1.0]], [[1.0, 2.0]]), "equal widths"),
        (lambda: linear_cka([[1.0], [2.0]], [[1.0]] * 3), "same rows, got 2 and 3"),
        (lambda: linear_cka([[1.0]] * 3, [[1.0]] * 3, unbiased=True), "at least 4 rows"),
        (lambda: pwcca([[1.0, 2.0], [2.0, 1.0]], [[1.0], [2.0]]), "more rows than columns"),
    ],
)
def test_bad_input_says_what_was_expected(call, says):
    with pytest.raises(ValueError, match=says):
        call()
