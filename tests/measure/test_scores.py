"""Scores with labels: closed forms, peers, and coverage of the intervals."""

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp
from sklearn.metrics import balanced_accuracy_score, mean_absolute_error, r2_score

from transfermap.measure.quality import accuracy, balanced_accuracy, mae, r2
from transfermap.measure.scores import (
    accuracy_interval,
    bootstrap_interval,
    mcnemar,
    mean_interval,
    paired_difference,
)


def test_measures_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    y, guess = rng.integers(0, 4, 50), rng.integers(0, 4, 50)
    assert accuracy(y, guess) == np.mean(y == guess)
    assert balanced_accuracy(y, guess) == pytest.approx(balanced_accuracy_score(y, guess))
    assert r2(y, guess) == pytest.approx(r2_score(y, guess))
    assert mae(y, guess) == pytest.approx(mean_absolute_error(y, guess))


def test_balanced_accuracy_leaves_out_classes_that_are_only_predicted():
    assert balanced_accuracy(["a", "a", "b"], ["a", "z", "b"]) == 0.75


def test_labels_of_different_types_are_compared_by_value():
    assert accuracy([0, 1], [0.0, 1.0]) == 1
    assert accuracy(np.array(["a", "b"], dtype=object), np.array(["a", "b"])) == 1
    assert accuracy([0, 1], ["0", "1"]) == 0


def test_r2_of_constants():
    assert r2([2.0, 2.0], [2.0, 2.0]) == 1
    assert r2([2.0, 2.0], [2.0, 3.0]) == 0


@pytest.mark.parametrize(("correct", "total"), [(0, 10), (8, 10), (10, 10), (450, 1000), (0, 1)])
def test_wilson_agrees_with_scipy(correct, total):
    peer = binomtest(correct, total).proportion_ci(0.9, method="wilson")
    found = accuracy_interval(correct, total, level=0.9)
    np.testing.assert_allclose(found, [correct / total, peer.low, peer.high], atol=1e-12)
    assert found.low <= found.value <= found.high


def test_mean_interval_agrees_with_the_t_test():
    v = np.random.default_rng(0).normal(size=12)
    peer = ttest_1samp(v, 0).confidence_interval(0.95)
    np.testing.assert_allclose(mean_interval(v), [v.mean(), peer.low, peer.high])
    assert mean_interval([3.0]) == (3.0, -np.inf, np.inf)


@pytest.mark.parametrize("measure", ["accuracy", "balanced_accuracy", "r2", "mae"])
def test_bootstrap_brackets_the_value_and_is_seeded(measure):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 120)
    guess = np.where(rng.random(120) < 0.7, y, 0)
    found = bootstrap_interval(y, guess, measure, draws=200, seed=1)
    assert found.low < found.value < found.high
    assert found == bootstrap_interval(y, guess, measure, draws=200, seed=1)
    assert found != bootstrap_interval(y, guess, measure, draws=200, seed=2)


def test_bootstrap_covers_the_true_accuracy():
    rng, hits = np.random.default_rng(0), 0
    for seed in range(150):
        y = rng.integers(0, 2, 200)
        found = bootstrap_interval(y, np.where(rng.random(200) < 0.8, y, 1 - y), "accuracy", draws=200, seed=seed)
        hits += found.low <= 0.8 <= found.high
    assert 0.88 <= hits / 150 <= 0.99


def test_bootstrap_of_accuracy_agrees_with_wilson_in_large_samples():
    y, guess = np.zeros(2000, dtype=int), (np.arange(2000) < 300).astype(int)
    np.testing.assert_allclose(bootstrap_interval(y, guess, "accuracy"), accuracy_interval(1700, 2000), atol=0.004)


def test_paired_difference_is_narrower_than_the_two_apart():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    first = np.where(rng.random(400) < 0.8, y, 1 - y)
    second = np.where(rng.random(400) < 0.03, 1 - first, first)
    gap = paired_difference(y, first, second, "accuracy")
    alone = bootstrap_interval(y, first, "accuracy")
    assert gap.value == pytest.approx(np.mean(first == y) - np.mean(second == y))
    assert gap.low <= gap.value <= gap.high
    # Two independent samples would give sqrt(2) times the width of one.
    assert gap.high - gap.low < np.sqrt(2) * (alone.high - alone.low) / 2


def test_paired_difference_changes_sign_with_the_order():
    y, a, b = np.array(list("aabbab")), np.array(list("aabbaa")), np.array(list("ababab"))
    there, back = paired_difference(y, a, b, "balanced_accuracy"), paired_difference(y, b, a, "balanced_accuracy")
    np.testing.assert_allclose([there.value, there.low, there.high], [-back.value, -back.high, -back.low], atol=1e-12)


def test_paired_difference_sees_a_real_gain_in_numbers():
    rng = np.random.default_rng(0)
    y = rng.normal(size=200)
    noise = rng.normal(size=200)
    assert paired_difference(y, y + 0.3 * noise, y + 0.6 * noise, "r2").low > 0
    assert paired_difference(y, y + 0.3 * noise, y + 0.6 * noise, "mae").high < 0


def test_mcnemar_counts_and_tests_exactly():
    y = np.zeros(20, dtype=int)
    first, second = y.copy(), y.copy()
    first[:2], second[2:11] = 1, 1
    found = mcnemar(y, first, second)
    assert (found.only_first, found.only_second) == (9, 2)
    assert found.p_value == pytest.approx(2 * sum([1, 11, 55]) / 2**11)
    assert mcnemar(y, y, y).p_value == 1


def test_mcnemar_keeps_its_level():
    rng = np.random.default_rng(0)
    y = np.zeros(100, dtype=int)
    p = [mcnemar(y, rng.random(100) < 0.3, rng.random(100) < 0.3).p_value for _ in range(400)]
    assert np.mean(np.array(p) < 0.05) < 0.08


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: accuracy_interval(5, 4), "correct <= total"),
        (lambda: accuracy_interval(0, 0), "total > 0"),
        (lambda: accuracy_interval(1, 2, level=1), "level"),
        (lambda: mean_interval([]), "n > 0"),
        (lambda: bootstrap_interval([1], [1], "f1"), "measure to be"),
        (lambda: bootstrap_interval([1], [1], "accuracy", draws=0), "one draw"),
        (lambda: bootstrap_interval(["a"], ["b"], "r2"), "numbers"),
        (lambda: paired_difference([1, 2], [1], [1, 2], "mae"), "predicted to have shape"),
        (lambda: mcnemar([1, None], [1, 1], [1, 1]), "missing"),
    ],
)
def test_bad_input_says_what_was_expected(call, says):
    with pytest.raises(ValueError, match=says):
        call()
