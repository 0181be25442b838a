"""Shift column by column, false discoveries, and rows beyond the source."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control

from transfermap.measure.shift.column_shift import (
    category_shift,
    false_discovery,
    number_shift,
    outside_support,
    rescaled,
)


def normal(n, seed=0):
    return np.random.default_rng(seed).normal(size=n)


def test_a_shift_of_place_is_read_off():
    x = normal(4000)
    moved = number_shift(x, x + 0.5 * x.std())
    assert moved.wasserstein == pytest.approx(0.5)
    assert moved.mean_difference == pytest.approx(0.5)
    assert moved.spread_ratio == pytest.approx(1)
    assert moved.ks == pytest.approx(0.197, abs=0.02)
    assert moved.p_value < 1e-6


def test_distribution_gap_agrees_with_a_loop():
    a, b = np.round(normal(40), 1), np.round(normal(25, 1) + 0.3, 1)
    naive = max(abs((a <= v).mean() - (b <= v).mean()) for v in np.concatenate([a, b]))
    assert number_shift(a, b).ks == pytest.approx(naive)


def test_no_measure_but_the_gap_depends_on_the_unit():
    a, b = normal(100), 2 * normal(80, 1) + 1
    np.testing.assert_allclose(number_shift(a, b), number_shift(1000 * a - 7, 1000 * b - 7), rtol=1e-9)


def test_wasserstein_of_a_change_of_spread():
    # W1 between N(0,1) and N(0,4) is E|Z| = sqrt(2/pi), both being quantile functions of one Z.
    assert number_shift(normal(20000), 2 * normal(20000, 1)).wasserstein == pytest.approx(np.sqrt(2 / np.pi), rel=0.05)


def test_constant_columns_have_no_spread():
    same = number_shift([3.0, 3.0], [3.0, 3.0, 3.0])
    assert (same.ks, same.mean_difference, same.spread_ratio, same.wasserstein) == (0, 0, 1, 0)
    apart = number_shift([0.1] * 3, [0.3] * 3)
    assert apart.ks == 1
    assert apart.wasserstein == pytest.approx(2)
    assert number_shift([1.0, 1.0], [1.0, 2.0]).spread_ratio == np.inf


def test_missing_numbers_are_counted_and_tested():
    moved = number_shift(np.r_[normal(90), [np.nan] * 10], np.r_[normal(60, 1), [np.inf] * 40])
    assert (moved.missing_source, moved.missing_target) == (0.1, 0.4)
    assert moved.missing_p_value < 1e-4
    assert moved.p_value > 0.001
    empty = number_shift([1.0, 2.0], [None, None])
    assert np.isnan(empty[:5]).all()
    assert empty.missing_target == 1


def test_nullable_columns_of_pandas_are_read():
    assert number_shift(pd.Series([1, None], dtype="Int64"), [1.0, 1.0]).missing_source == 0.5
    assert category_shift(pd.Series(["a", None], dtype="string"), pd.Categorical(["a", "b"])).missing_source == 0.5


def test_category_shift_reads_shares_and_new_values():
    cs = ["a"] * 60 + ["b"] * 40
    ct = ["a"] * 30 + ["b"] * 40 + ["d"] * 10 + ["c"] * 20
    moved = category_shift(cs, ct)
    assert moved.total_variation == pytest.approx(0.3)
    assert moved.unseen == ("c", "d")
    assert moved.unseen_share == pytest.approx(0.3)
    assert moved.p_value < 1e-6
    assert category_shift(ct, cs).unseen == ()


def test_categories_keep_their_kind_and_missing_is_none_of_them():
    moved = category_shift([1, "1", None, float("nan")], [1, "1"])
    assert moved.total_variation == 0
    assert (moved.missing_source, moved.missing_target) == (0.5, 0)
    assert category_shift([None], ["a"]).unseen == ()


def test_identifiers_say_nothing_about_shift_but_are_all_unseen():
    moved = category_shift([f"s{i}" for i in range(300)], [f"t{i}" for i in range(300)])
    assert moved.p_value == 1
    assert moved.unseen_share == 1


def test_false_discovery_agrees_with_scipy_and_leaves_gaps():
    p = np.random.default_rng(0).random(40) ** 2
    np.testing.assert_allclose(false_discovery(p), false_discovery_control(p))
    found = false_discovery(np.r_[np.nan, p])
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1:], false_discovery_control(p))
    assert np.isnan(false_discovery([np.nan])).all()


def test_false_discovery_writes_nothing_to_its_argument():
    p = np.array([0.01, 0.5])
    false_discovery(p)
    assert p.tolist() == [0.01, 0.5]


def test_rows_beyond_the_source_are_found():
    rng = np.random.default_rng(0)
    Xs = rng.normal(size=(800, 3))
    Xt = np.concatenate([rng.normal(size=(300, 3)), rng.normal(size=(100, 3)) + 8])
    outside = outside_support(Xs, Xt)
    assert outside[300:].all()
    assert outside[:300].mean() < 0.04


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: number_shift(["x"], [1.0]), "column of numbers"),
        (lambda: number_shift([], [1.0]), "n > 0"),
        (lambda: number_shift([[1.0]], [1.0]), "shape"),
        (lambda: category_shift([], ["a"]), "n > 0"),
        (lambda: category_shift([[1], [1, 2]], ["a"]), "told apart|shape|column"),
        (lambda: false_discovery([1.5]), "between 0 and 1"),
    ],
)
def test_bad_input_says_what_was_expected(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_another_unit_is_read_off_and_outliers_do_not_turn_it():
    celsius, again = normal(800) * 8 + 15, normal(800, 1) * 8 + 15
    fahrenheit = np.r_[1.8 * again + 32, [1e6] * 5, [np.nan] * 20]
    found = rescaled(celsius, fahrenheit)
    assert found.stretch == pytest.approx(1.8, rel=0.05) and found.move == pytest.approx(32, abs=2)
    assert found.p_value > 0.05 and found.ks < 0.07


def test_another_shape_is_not_the_same_rescaled():
    x = normal(800)
    assert rescaled(x, np.exp(normal(800, 1))).p_value < 1e-4
    # two classes whose shares have changed: each half is where it was
    few, many = (np.r_[normal(n, 2), normal(800 - n, 3) + 5] for n in (100, 700))
    assert rescaled(few, many).p_value < 1e-4


def test_turned_scant_and_discrete_columns_have_no_line():
    x = normal(200)
    assert rescaled(x[:49], x) is None and rescaled(x, x[:49]) is None
    assert rescaled(np.round(x), x) is None
    assert rescaled(x, np.r_[np.zeros(480), np.arange(20.0)]) is None
    assert rescaled(x, np.repeat(np.arange(19.0), 20)) is None
