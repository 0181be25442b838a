"""Telling the domains apart: level, power, and what must not leak."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from transfermap.measure.chance import auc, auc_error, auc_interval, auc_p_value, chi_square
from transfermap.measure.shift.crossfit import deal, judge, linear
from transfermap.measure.shift.domain_classifier import column_carry, domain_classifier, two_sample_test
from transfermap.measure.shift.naive_bayes import single_column


def cloud(n, d, seed, shift=0.0):
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def test_auc_counts_pairs_with_ties_as_half():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, 30), rng.integers(1, 6, 20)
    naive = np.mean([(y > x) + 0.5 * (y == x) for x in a for y in b])
    assert auc(a, b) == pytest.approx(naive)
    assert auc(a, b) == pytest.approx(mannwhitneyu(b, a).statistic / (30 * 20))


def test_error_at_one_half_is_twice_the_mann_whitney_variance():
    assert auc_error(0.5, 30, 50) ** 2 == pytest.approx(2 * (30 + 50 + 1) / (12 * 30 * 50))


@pytest.mark.parametrize("value", [0.0, 0.3, 0.5, 0.97, 1.0])
def test_interval_holds_the_value_and_stays_between_0_and_1(value):
    low, high = auc_interval(value, 40, 60)
    assert 0 <= low <= value <= high <= 1
    assert high - low > 0.005


def _mean_difference(X, side):
    """The rule for which the doubled variance is exact."""
    direction = X[side == 1].mean(axis=0) - X[side == 0].mean(axis=0)
    return lambda rows: rows @ direction


def _p(Xs, Xt, seed, learn=_mean_difference):
    X, side = np.concatenate([Xs, Xt]), np.repeat([0, 1], [len(Xs), len(Xt)])
    dealt = deal(X, side, 5, 5000, seed)
    scores = judge(X, side, dealt, learn)
    return auc_p_value(auc(scores[side == 0], scores[side == 1]), dealt.source, dealt.target)


def _rejected(d, nulls, **rule):
    p = [_p(cloud(50, d, 2 * i), cloud(60, d, 2 * i + 1), i, **rule) for i in range(nulls)]
    return np.mean(np.array(p) < 0.05)


def test_level_over_400_nulls_in_many_columns():
    assert abs(_rejected(100, 400) - 0.05) < 0.03


@pytest.mark.parametrize("d", [1, 2, 6])
def test_the_test_is_cautious_in_few_columns(d):
    assert _rejected(d, 400) < 0.08


def test_level_with_a_logistic_rule():
    assert _rejected(20, 80, learn=linear(0.1)) <= 0.13


def test_level_with_the_default_rule():
    found = [domain_classifier(cloud(50, 4, 2 * i), cloud(50, 4, 2 * i + 1), folds=2) for i in range(60)]
    # 9 or more of 60 have probability 0.003 at the level 0.05.
    assert sum(two_sample_test(f) < 0.05 for f in found) <= 8


def test_copies_do_not_raise_the_level():
    p = [_p(np.repeat(cloud(40, 30, 2 * i), 3, axis=0), cloud(60, 30, 2 * i + 1), i) for i in range(400)]
    assert abs(np.mean(np.array(p) < 0.05) - 0.05) < 0.03


@pytest.mark.parametrize(
    "change",
    [lambda X: X + np.eye(5)[0], lambda X: X * (1 + 2 * np.eye(5)[0]), lambda X: np.column_stack([X[:, :4], X[:, 0]])],
    ids=["place", "spread", "dependence"],
)
def test_power_against_shifts_of_every_kind(change):
    p = [two_sample_test(domain_classifier(cloud(250, 5, 2 * i), change(cloud(250, 5, 2 * i + 1)))) for i in range(5)]
    assert max(p) < 0.01


def test_rows_in_both_tables_do_not_leak():
    shared = cloud(150, 3, 0)
    found = domain_classifier(shared, shared[::-1])
    assert found.auc == pytest.approx(0.5)
    np.testing.assert_allclose(found.source, found.target[::-1])


def test_equal_rows_share_a_fold_unless_the_data_are_a_few_cells():
    X = np.repeat(cloud(30, 2, 0), 2, axis=0)
    side = np.tile([0, 1], 30)
    dealt = deal(X, side, 5, 5000, 0)
    np.testing.assert_array_equal(dealt.fold[::2], dealt.fold[1::2])
    assert (dealt.source, dealt.target) == (30, 30)
    binary = np.tile([[0.0], [1.0], [1.0], [0.0]], (20, 1))
    assert len(set(deal(binary, np.repeat([0, 1], 40), 5, 5000, 0).fold[binary[:, 0] == 1])) == 5


def test_a_difference_between_a_few_cells_is_found():
    rng = np.random.default_rng(0)
    Xs, Xt = rng.random((300, 1)) < 0.3, rng.random((300, 1)) < 0.6
    found = domain_classifier(Xs, Xt)
    assert found.auc == pytest.approx(0.65, abs=0.06)
    assert two_sample_test(found) < 1e-4


def test_every_fold_and_every_training_set_holds_both_sides():
    X, side = cloud(67, 3, 0), np.repeat([0, 1], [7, 60])
    dealt = deal(X, side, 5, 5000, 0)
    for k in range(dealt.rules):
        assert set(side[dealt.fold == k]) == {0, 1} == set(side[dealt.fold != k])


def test_rows_beyond_the_subsample_are_scored_but_not_learnt_from():
    Xs, Xt = cloud(120, 2, 0), cloud(80, 2, 1, shift=2)
    found = domain_classifier(Xs, Xt, most=50)
    assert (found.n_source, found.n_target) == (50, 50)
    assert found.source.shape == (120,)
    assert found.target.shape == (80,)
    assert found.target.min() > 0
    assert np.median(found.target) > 0.8 > 0.2 > np.median(found.source)


def test_scores_are_those_of_equal_sides_and_ordered_the_right_way():
    found = domain_classifier(cloud(600, 2, 0), cloud(100, 2, 1))
    assert np.mean(found.source) == pytest.approx(0.5, abs=0.1)
    shifted = domain_classifier(cloud(100, 2, 0), cloud(100, 2, 1, shift=3))
    assert shifted.target.mean() > 0.8 > 0.2 > shifted.source.mean()


def test_the_order_of_rows_does_not_matter_and_the_seed_decides():
    Xs, Xt = cloud(60, 3, 0), cloud(70, 3, 1, shift=0.5)
    found, again = domain_classifier(Xs, Xt, seed=3), domain_classifier(Xs, Xt, seed=3)
    np.testing.assert_array_equal(found.source, again.source)
    turned = domain_classifier(Xs[::-1], Xt, seed=3)
    np.testing.assert_allclose(turned.source[::-1], found.source, atol=1e-6)


def test_the_columns_that_carry_the_shift_come_first():
    Xs, Xt = cloud(500, 6, 0), cloud(500, 6, 1)
    Xt[:, 1] *= 4
    Xt[:, 2] += 1
    Xt[:, 5] += 1
    origin = ["a", "b", "c", "d", "e", "c"]
    carried = column_carry(Xs, Xt, origin)
    assert {c.column for c in carried[:2]} == {"b", "c"}
    assert [c.auc for c in carried] == sorted((c.auc for c in carried), reverse=True)
    assert sorted(c.column for c in carried) == ["a", "b", "c", "d", "e"]
    assert all(c.p_value < 1e-4 for c in carried[:2])
    assert all(c.p_value > 0.01 and c.low < 0.5 for c in carried[2:])


def test_a_twin_column_hides_nothing():
    Xs, Xt = cloud(200, 2, 0), cloud(200, 2, 1, shift=1)
    first, second = column_carry(np.repeat(Xs[:, :1], 2, axis=1), np.repeat(Xt[:, :1], 2, axis=1), ["a", "b"])
    assert first.auc == second.auc > 0.7


def test_single_column_scores_are_the_log_odds_of_the_bins():
    x = np.array([0.0] * 6 + [1.0] * 4)[:, None]
    side = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 0])
    expected = [np.log((1 + 1) / 6) - np.log((5 + 1) / 8), np.log((3 + 1) / 6) - np.log((1 + 1) / 8)]
    np.testing.assert_allclose(single_column(x, side)(np.array([[0.0], [1.0]])), expected)


@pytest.mark.parametrize(
    ("Xs", "Xt", "says"),
    [
        ([[1.0], [2.0]], [[1.0, 2.0], [2.0, 1.0]], "equal widths"),
        ([[1.0]], [[1.0], [2.0]], "at least 2 rows"),
        ([[1.0], [np.nan]], [[1.0], [2.0]], "finite"),
        ([["a"], ["b"]], [[1.0], [2.0]], "numbers"),
        ([1.0, 2.0], [[1.0], [2.0]], "shape"),
    ],
)
def test_bad_input_says_what_was_expected(Xs, Xt, says):
    with pytest.raises(ValueError, match=says):
        domain_classifier(Xs, Xt)


def test_two_rows_a_side_and_constant_columns_are_enough():
    assert 0 <= domain_classifier(np.ones((2, 2)), np.ones((2, 2))).auc <= 1
    assert two_sample_test(domain_classifier(np.ones((9, 2)), np.ones((9, 2)))) > 0.05


def test_origin_must_name_every_feature():
    with pytest.raises(ValueError, match="3 features, got 1"):
        column_carry(cloud(5, 3, 0), cloud(5, 3, 1), ["a"])


def test_chi_square_has_its_level_also_with_rare_categories():
    rng = np.random.default_rng(0)
    q = np.r_[np.full(5, 0.18), np.full(50, 0.002)]
    p = [chi_square(rng.multinomial(200, q), rng.multinomial(300, q)).p_value for _ in range(400)]
    assert abs(np.mean(np.array(p) < 0.05) - 0.05) < 0.03


def test_chi_square_agrees_with_the_textbook_and_survives_empty_sides():
    # 2 x 2: n (ad - bc)^2 / (row and column totals).
    a, b, c, d = 12, 30, 25, 18
    exact = (a + b + c + d) * (a * d - b * c) ** 2 / ((a + b) * (c + d) * (a + c) * (b + d))
    found = chi_square([a, b], [c, d])
    assert found.statistic == pytest.approx(exact)
    assert found.freedom == 1
    assert chi_square([0, 0], [3, 4]).p_value == 1
    assert chi_square([50, 1], [50, 2]).p_value == 1
