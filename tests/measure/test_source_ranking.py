"""Ranking sources without target labels: where the right order is known, and what it cannot see."""

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from transfermap.data.toy import make_toy
from transfermap.measure.scores import Interval
from transfermap.measure.shift.distances import proxy_a_distance
from transfermap.measure.transferability.source_ranking import _balanced, _useful, rank_sources


def clouds(n, seed, classes=2):
    """Classes apart in the first of three columns."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    X = rng.normal(size=(n, 3))
    X[:, 0] += 2.5 * y
    return X, y


def stacked(*sources):
    X, y = (np.concatenate(parts) for parts in zip(*sources, strict=True))
    return X, y, np.repeat(np.arange(len(sources)), [len(labels) for _, labels in sources])


@pytest.mark.parametrize("seed", range(3))
def test_the_identical_source_beats_the_shifted_one_and_shuffled_labels_come_last(seed):
    shuffled, same, shifted, target = (clouds(200, 4 * seed + k) for k in range(4))
    rng = np.random.default_rng(seed)
    sources = (shuffled[0], rng.permutation(shuffled[1])), same, (shifted[0] + [0, 1.5, 0], shifted[1])
    ranked = rank_sources(*stacked(*sources), target[0])
    assert [s.source for s in ranked] == [1, 2, 0]
    best, middle, last = ranked
    assert best.useful.low > last.useful.high
    assert last.quality.low < 0.5 < last.quality.high
    assert middle.distance.low > best.distance.high
    assert middle.quality.value > 0.7
    assert best.effective > 2 * middle.effective


def test_every_score_lies_in_its_interval_and_counts_its_rows():
    ranked = rank_sources(*stacked(clouds(50, 0), clouds(90, 1)), clouds(70, 2)[0])
    assert {s.source: s.rows for s in ranked} == {0: 50, 1: 90}
    for s in ranked:
        for interval in (s.useful, s.quality, s.distance):
            assert interval.low <= interval.value <= interval.high
        assert s.useful.low < s.useful.high
        assert 1 <= s.effective <= s.rows


def test_the_score_is_the_stated_rule():
    (X, y), (Xt, _) = clouds(120, 0), clouds(100, 1)
    (found,) = rank_sources(X, y, ["only"] * 120, Xt + np.array([0, 1, 0]))
    assert found.source == "only"
    assert found.distance == proxy_a_distance(X, Xt + np.array([0, 1, 0]))
    common = 1 - found.distance.value / 2
    assert found.useful.value == pytest.approx(0.5 + common * (found.quality.value - 0.5))


def test_quality_is_the_weighted_share_of_hits_of_each_class():
    y, predicted = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 0, 1, 0])
    found = _balanced(y, predicted, np.array([1.0, 2.0, 3.0, 1.0, 4.0]), np.array([0, 1]))
    assert found.value == pytest.approx((4 / 6 + 1 / 5) / 2)
    assert 0 <= found.low < found.value < found.high <= 1


def test_the_interval_widens_with_either_error_and_closes_with_both():
    sure = _useful(Interval(0.9, 0.9, 0.9), Interval(0.4, 0.4, 0.4), 0.5)
    assert sure == pytest.approx((0.82, 0.82, 0.82))
    one = _useful(Interval(0.9, 0.8, 0.95), Interval(0.4, 0.4, 0.4), 0.5)
    assert one == pytest.approx((0.82, 0.74, 0.86))
    other = _useful(Interval(0.9, 0.9, 0.9), Interval(0.4, 0.2, 0.8), 0.5)
    assert other == pytest.approx((0.82, 0.74, 0.86))
    worse_than_a_guess = _useful(Interval(0.1, 0.1, 0.1), Interval(0.4, 0.2, 0.8), 0.5)
    assert worse_than_a_guess == pytest.approx((0.18, 0.14, 0.26))
    both = _useful(Interval(0.9, 0.8, 0.95), Interval(0.4, 0.2, 0.8), 0.5)
    assert both.low < one.low and both.high > one.high


def test_a_source_that_lacks_classes_is_less_useful():
    whole, part, target = clouds(300, 0, classes=3), clouds(300, 1, classes=3), clouds(200, 2, classes=3)
    kept = part[1] < 2
    first, second = rank_sources(*stacked((part[0][kept], part[1][kept]), whole), target[0])
    assert (first.source, second.source) == (1, 0)
    assert second.quality.high < 0.7


def test_a_source_of_one_class_or_far_away_is_no_better_than_a_guess():
    whole, single, far, target = (clouds(120, k) for k in range(4))
    sources = whole, (single[0], np.zeros(120, dtype=int)), (far[0] + 40, far[1])
    ranked = rank_sources(*stacked(*sources), target[0])
    scores = {s.source: s.useful.value for s in ranked}
    assert ranked[0].source == 0
    assert scores[1] == pytest.approx(0.5)
    assert scores[2] == pytest.approx(0.5)


def test_imbalance_earns_nothing():
    (X, y), rng = clouds(200, 0), np.random.default_rng(0)
    idle = rng.normal(size=(200, 3)), (np.arange(200) % 20 == 0).astype(int)
    noisy = X, np.where(rng.random(200) < 0.15, 1 - y, y)
    ranked = rank_sources(*stacked(idle, noisy), clouds(150, 5)[0])
    assert ranked[0].source == 1


def test_the_far_contrary_source_of_the_toy_comes_last():
    toy = make_toy("several_sources")
    ranked = rank_sources(toy.Xs, toy.ys, toy.sources, toy.Xt)
    assert ranked[-1].source == 2
    assert ranked[-1].useful.high < ranked[0].useful.low


def test_a_contradicting_rule_stays_unseen_as_the_docstring_says():
    same, contrary, target = (clouds(200, k) for k in range(3))
    ranked = rank_sources(*stacked(same, (contrary[0], 1 - contrary[1])), target[0])
    assert abs(ranked[0].useful.value - ranked[1].useful.value) < 0.15


@pytest.mark.parametrize("seed", range(2))
def test_numbers_are_ranked_too(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(4, 150, 3))
    y = X[:, :, 0] + 0.3 * rng.normal(size=(4, 150))
    X[2] += [0, 1.5, 0]
    sources = (X[0], rng.permutation(y[0])), (X[1], y[1]), (X[2], y[2])
    ranked = rank_sources(*stacked(*sources), X[3], regression=True)
    assert [s.source for s in ranked] == [1, 2, 0]
    assert ranked[0].quality.low > 0.8
    assert ranked[-1].quality.low < 0 < ranked[-1].quality.high
    assert ranked[-1].useful.high < ranked[0].useful.low


def test_one_number_throughout_explains_nothing():
    X = np.random.default_rng(0).normal(size=(60, 2))
    (found,) = rank_sources(X, np.full(60, 3.0), ["a"] * 60, X[::2] + 0.1, regression=True)
    assert found.quality == (0, 0, 0)


def test_names_order_and_estimator_are_the_caller_s_and_inputs_stay():
    X, y, domains = stacked(clouds(60, 0), clouds(60, 1))
    before = X.copy()
    names = np.array(["north", "south"])[domains]
    labels = np.array(["no", "yes"])[y]
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    ranked = rank_sources(X, labels, names, clouds(60, 2)[0], estimator=tree)
    assert sorted(s.source for s in ranked) == ["north", "south"]
    assert not hasattr(tree, "tree_")
    assert ranked == rank_sources(X, labels, names, clouds(60, 2)[0], estimator=tree)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: rank_sources([[1.0], [2.0], [3.0]], [0, 1, 0], ["a", "a", "b"], [[1.0], [2.0]]), "got 1 of 'b'"),
        (lambda: rank_sources([[1.0], [2.0]], [0, 1], ["a"], [[1.0], [2.0]]), "domains"),
        (lambda: rank_sources([[1.0], [2.0]], [0], ["a", "a"], [[1.0], [2.0]]), "ys"),
        (lambda: rank_sources([[1.0], [2.0]], ["x", "y"], ["a", "a"], [[1.0], [2.0]], regression=True), "numbers"),
        (lambda: rank_sources([[1.0], [2.0]], [0, 1], ["a", "a"], [[1.0, 2.0]] * 2), "equal widths"),
    ],
)
def test_bad_input_says_what_was_expected(call, says):
    with pytest.raises(ValueError, match=says):
        call()
