"""Class shares of the target from predictions: closed forms, recovery, level."""

import numpy as np
import pytest

from transfermap.measure.shift.label_shift import bbse, em_shares, label_shift

CLASSES = np.array(["a", "b", "c"])
CONFUSION = np.array([[0.8, 0.15, 0.1], [0.1, 0.7, 0.1], [0.1, 0.15, 0.8]])  # predicted given true, by column


def drawn(n, q, seed):
    """True classes with shares q, and predictions that err as CONFUSION says."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, n, p=q)
    return CLASSES[truth], CLASSES[[rng.choice(3, p=CONFUSION[:, c]) for c in truth]]


def test_bbse_on_the_worked_example():
    w = bbse([[0.35, 0.10], [0.15, 0.40]], [0.65, 0.35])
    np.testing.assert_allclose(w, [1.8, 0.2], atol=1e-8)


def test_bbse_takes_counts_as_well_as_shares():
    np.testing.assert_allclose(bbse([[35, 10], [15, 40]], [0.65, 0.35]), [1.8, 0.2], atol=1e-8)


def test_bbse_without_shift_is_one_and_always_adds_to_one():
    joint = CONFUSION * [0.5, 0.3, 0.2]
    np.testing.assert_allclose(bbse(joint, joint.sum(axis=1)), 1, atol=1e-8)
    w = bbse(joint, [0.05, 0.05, 0.9])
    assert (w >= 0).all()
    assert joint.sum(axis=0) @ w == pytest.approx(1)


def test_bbse_undoes_any_confusion_that_can_be_undone():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.2, 0.7])
    np.testing.assert_allclose(bbse(CONFUSION * p, CONFUSION @ q), q / p, atol=1e-8)


def test_a_perfect_classifier_gives_the_ratio_of_its_counts():
    found = label_shift(list("aabb"), list("aabb"), list("aaab"), ["a", "b"])
    np.testing.assert_allclose(found.weights, [1.5, 0.5], atol=1e-8)
    np.testing.assert_allclose(found.source, [0.5, 0.5])


def test_a_classifier_that_says_nothing_leaves_the_shares_as_they_were():
    np.testing.assert_allclose(bbse([[0.4, 0.6], [0.0, 0.0]], [1.0, 0.0]), [1, 1], atol=1e-6)


def test_shares_are_recovered_and_the_interval_covers_them():
    q, covered = np.array([0.1, 0.2, 0.7]), []
    for seed in range(30):
        ys, predicted = drawn(500, [0.5, 0.3, 0.2], seed)
        found = label_shift(ys, predicted, drawn(400, q, 1000 + seed)[1], CLASSES, draws=200)
        covered.append((found.low <= q) & (q <= found.high))
        assert found.p_value < 1e-4
        assert found.target.sum() == pytest.approx(1)
        np.testing.assert_allclose(found.source @ found.weights, 1)
    assert np.mean(covered) > 0.88
    np.testing.assert_allclose(found.target, q, atol=0.12)


def test_level_of_the_test_without_label_shift():
    p = []
    for seed in range(200):
        ys, predicted = drawn(150, [0.5, 0.3, 0.2], seed)
        p.append(label_shift(ys, predicted, drawn(150, [0.5, 0.3, 0.2], 900 + seed)[1], CLASSES, draws=2).p_value)
    assert np.mean(np.array(p) < 0.05) < 0.1


def test_a_class_without_held_out_rows_keeps_weight_one_and_share_zero():
    found = label_shift(list("aabb"), list("aabb"), list("aaab"), CLASSES)
    assert found.weights[2] == pytest.approx(1)
    assert found.target[2] == 0


def test_label_shift_is_seeded_and_knows_numbers():
    ys, guess, target = [0, 0, 1, 1, 1], [0, 1, 1, 1, 0], np.array([0.0, 1.0, 1.0])
    first, again = (label_shift(ys, guess, target, [0, 1], seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.low, again.low)


def test_em_finds_the_shares_of_a_known_model():
    rng = np.random.default_rng(0)
    p, q = np.array([0.5, 0.5]), np.array([0.2, 0.8])
    x = rng.normal(size=6000) + 2 * (rng.random(6000) < q[1])
    density = np.exp(-((x[:, None] - [0, 2]) ** 2) / 2) * p
    found = em_shares(density / density.sum(axis=1, keepdims=True), p)
    np.testing.assert_allclose(found, q, atol=0.025)


def test_em_stays_where_there_is_no_shift_and_never_lowers_the_likelihood():
    rng = np.random.default_rng(0)
    P = rng.dirichlet([1, 1, 1], 300)
    np.testing.assert_allclose(em_shares(P, P.mean(axis=0), most=1), P.mean(axis=0))
    prior = np.array([0.2, 0.3, 0.5])
    steps = [em_shares(P, prior, most=k) for k in range(30)]
    likelihood = [np.log(P @ (q / prior)).sum() for q in steps]
    assert (np.diff(likelihood) >= -1e-9).all()
    assert likelihood[-1] > likelihood[0]


def test_em_never_gives_a_class_that_cannot_be():
    assert em_shares([[0.5, 0.5], [0.0, 1.0]], [1.0, 0.0]).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: bbse([[1.0, 0.0]], [1.0]), "square"),
        (lambda: bbse([[0.5, 0.0], [0.0, 0.5]], [0.9, 0.9]), "add to 1"),
        (lambda: label_shift(["a"], ["z"], ["a"], ["a", "b"]), "predicted_holdout to hold the classes"),
        (lambda: label_shift(["a", "b"], ["a"], ["a"], ["a", "b"]), "predicted_holdout to have shape"),
        (lambda: label_shift(["a"], ["a"], ["a"], ["a"]), "distinct classes"),
        (lambda: label_shift(["a", None], ["a", "a"], ["a"], ["a", "b"]), "missing"),
        (lambda: em_shares([[0.9, 0.9]], [0.5, 0.5]), "adding to 1"),
        (lambda: em_shares([[0.5, 0.5]], [1.0]), "prior"),
    ],
)
def test_bad_input_says_what_was_expected(call, says):
    with pytest.raises(ValueError, match=says):
        call()
