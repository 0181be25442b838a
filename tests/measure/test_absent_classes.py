"""Absent classes from predictions: the exact test's closed form, its level, its power, and where it must fail."""

import numpy as np
import pytest

from transfermap.measure.validators.absent_classes import absent_classes


def predicted(truth, C, recall, seed):
    """Probabilities of a classifier that finds a share ``recall`` of each class's rows and spreads the rest."""
    rng = np.random.default_rng(seed)
    other = (truth + rng.integers(1, C, len(truth))) % C
    guess = np.where(rng.random(len(truth)) < recall, truth, other)
    P = np.full((len(truth), C), 0.3 / (C - 1))
    P[np.arange(len(truth)), guess] = 0.7
    return P


def binomial_tail(c, n, theta):
    from math import comb

    return sum(comb(n, k) * theta**k * (1 - theta) ** (n - k) for k in range(c + 1))


def test_the_p_value_is_the_binomial_tail():
    P = np.eye(3)[np.r_[np.zeros(40, int), np.ones(17, int), np.full(3, 2)]]
    found = absent_classes(P, prior=[0.5, 0.2, 0.3], recall=[0.9, 0.8, 0.6], least=0.5)
    theta = 0.5 * np.array([0.5, 0.2, 0.3]) * [0.9, 0.8, 0.6]
    np.testing.assert_array_equal(found.predicted, [40, 17, 3])
    expected = [binomial_tail(c, 60, t) for c, t in zip(found.predicted, theta, strict=True)]
    np.testing.assert_allclose(found.p_value, expected, rtol=1e-9)
    np.testing.assert_allclose(found.share, P.mean(0))
    np.testing.assert_allclose(found.weight, P.mean(0) / P.mean(0).max())


def test_it_finds_three_of_five_absent():
    truth = np.random.default_rng(0).choice([0, 2], 400)
    found = absent_classes(predicted(truth, 5, 0.97, 1))
    assert found.absent.tolist() == [False, True, False, True, True]
    assert not found.undecided.any()
    assert found.weight[[1, 3, 4]].max() < 0.3 < found.weight[[0, 2]].min()


def test_false_alarms_stay_below_alpha_at_the_edge_of_its_promise():
    # class 4 is as rare as a present class may be, and found as seldom as was promised; nothing is mistaken for it
    alarms, rng = [], np.random.default_rng(1)
    for _ in range(2000):
        guess = np.where(rng.random(400) < 0.25 * 0.2 * 0.7, 4, rng.integers(0, 4, 400))
        alarms.append(absent_classes(np.eye(5)[guess]).absent.any())
    assert np.mean(alarms) <= 0.05


def test_too_few_rows_decide_nothing_and_say_so():
    found = absent_classes(np.eye(5)[np.zeros(30, int)])
    assert not found.absent.any()
    assert found.undecided.all()
    assert absent_classes(np.eye(5)[np.zeros(300, int)]).undecided.sum() == 0


def test_where_it_fails_as_it_says():
    truth = np.random.default_rng(0).integers(0, 3, 600)
    moved = np.where(truth == 1, 2, truth)  # the shift moves a present class onto another
    assert absent_classes(np.eye(3)[moved]).absent.tolist() == [False, True, False]
    mistaken = np.where(np.arange(600) % 4 == 0, 3, truth)  # a class that is absent, and is mistaken for
    assert not absent_classes(np.eye(4)[mistaken]).absent[3]


def test_classes_may_come_in_any_order():
    P = predicted(np.random.default_rng(3).choice([0, 2], 200), 4, 0.9, 3)
    prior, mixed = np.array([0.4, 0.3, 0.2, 0.1]), [2, 0, 3, 1]
    straight, turned = absent_classes(P, prior), absent_classes(P[:, mixed], prior[mixed])
    np.testing.assert_array_equal(turned.absent, straight.absent[mixed])
    np.testing.assert_allclose(turned.p_value, straight.p_value[mixed])


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"Pt": [[0.9, 0.9]]}, "adding to 1"),
        ({"prior": [1.0]}, "prior"),
        ({"recall": 0.0}, "recall"),
        ({"recall": [0.5, 1.5]}, "recall"),
        ({"recall": [0.5]}, "recall"),
        ({"least": 0}, "least"),
        ({"alpha": 1}, "alpha"),
    ],
)
def test_bad_input_says_what_was_expected(params, says):
    with pytest.raises(ValueError, match=says):
        absent_classes(**{"Pt": [[0.5, 0.5]]} | params)
