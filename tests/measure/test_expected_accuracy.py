"""Estimates of the target accuracy: loops, simulations in which each is right, and what they cannot see."""

from __future__ import annotations

import numpy as np
import pytest

from transfermap.measure.validators.calibration import tempered
from transfermap.measure.validators.expected_accuracy import (
    average_confidence,
    difference_of_confidences,
    thresholded_confidence,
)
from transfermap.measure.validators.label_free import collapsed

ALL = [average_confidence, difference_of_confidences, thresholded_confidence]


def honest(rng, n, spread, C=3):
    """Probabilities that are exactly right, and labels drawn from them; the wider spread, the surer."""
    logits = rng.normal(size=(n, C)) * spread
    P = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return P, (rng.random((n, 1)) > P.cumsum(axis=1)).sum(axis=1)


def sides(rng, n=2000, temperature=1.0):
    """Source with labels and target with labels, seen by a model that is too sharp (below 1: too flat)."""
    (Ph, yh), (Pt, yt) = honest(rng, n, 1.8), honest(rng, n, 0.9)
    return tempered(Ph, 1 / temperature), yh, tempered(Pt, 1 / temperature), yt


def right(P, y):
    return (P.argmax(axis=1) == y).mean()


@pytest.mark.parametrize("score", ["entropy", "confidence"])
def test_thresholded_confidence_agrees_with_a_search_for_the_threshold(score):
    Ph, yh, Pt, _ = sides(np.random.default_rng(0), 300)
    s, t = ((P.max(axis=1) if score == "confidence" else (P * np.log(P)).sum(axis=1)) for P in (Ph, Pt))
    best = min(s, key=lambda cut: abs((s >= cut).mean() - right(Ph, yh)))
    assert (s >= best).mean() == right(Ph, yh)
    assert thresholded_confidence(Ph, yh, Pt, score).value == pytest.approx((t >= best).mean())


def test_difference_of_confidences_agrees_with_a_loop():
    Ph, yh, Pt, _ = sides(np.random.default_rng(0), 300)
    source = sum(max(p) for p in Ph) / 300
    target = sum(max(p) for p in Pt) / 300
    assert difference_of_confidences(Ph, yh, Pt).value == pytest.approx(right(Ph, yh) - (source - target))


def test_average_confidence_is_that_of_the_honest_model():
    rng = np.random.default_rng(0)
    Ph, yh, Pt, _ = sides(rng, 20_000, temperature=2.0)
    exact = tempered(Pt, 2.0).max(axis=1).mean()
    assert average_confidence(Ph, yh, Pt).value == pytest.approx(exact, abs=0.01)
    assert Pt.max(axis=1).mean() > exact + 0.1  # untempered it is far off


def test_where_probabilities_are_honest_two_are_right_and_the_third_too_low():
    rng = np.random.default_rng(1)
    misses = {estimate.__name__: [] for estimate in ALL} | {"source": []}
    for _ in range(10):
        Ph, yh, Pt, yt = sides(rng)
        truth = right(Pt, yt)
        for estimate in ALL:
            misses[estimate.__name__].append(abs(estimate(Ph, yh, Pt).value - truth))
        misses["source"].append(abs(right(Ph, yh) - truth))
    for estimate in ALL[:2]:  # exact here, but for chance
        assert np.mean(misses[estimate.__name__]) < 0.2 * np.mean(misses["source"])
    assert np.mean(misses["thresholded_confidence"]) > np.mean(misses["source"])
    assert thresholded_confidence(Ph, yh, Pt).value < 1 / 3 < truth  # a collapsed predictor would get 1 / 3


@pytest.mark.parametrize("score", ["entropy", "confidence"])
def test_where_the_unsure_rows_are_the_wrong_ones_the_threshold_is_right_and_the_others_too_high(score):
    rng = np.random.default_rng(1)
    source, target = rng.uniform(0.5, 1, 4000), rng.uniform(0.5, 0.9, 4000)
    Ph, Pt = np.column_stack([source, 1 - source]), np.column_stack([target, 1 - target])
    yh, yt = (source < 0.8).astype(int), (target < 0.8).astype(int)
    found = thresholded_confidence(Ph, yh, Pt, score)
    assert found.value == pytest.approx(right(Pt, yt), abs=0.001)
    assert found.error == pytest.approx(np.sqrt(found.value * (1 - found.value) / 4000))  # the threshold is certain
    for estimate in ALL[:2]:
        assert estimate(Ph, yh, Pt).value > right(Pt, yt) + 0.05


@pytest.mark.parametrize("estimate", ALL)
def test_the_source_as_target_gives_the_source_accuracy(estimate):
    Ph, yh, _, _ = sides(np.random.default_rng(2), 500, temperature=2.0)
    slack = 0.02 if estimate is average_confidence else 1e-9  # only the temperature leaves a gap
    assert estimate(Ph, yh, Ph).value == pytest.approx(right(Ph, yh), abs=slack)


@pytest.mark.parametrize("digits", [0, 1])
def test_ties_do_not_move_thresholded_confidence(digits):
    Ph, yh, _, _ = sides(np.random.default_rng(3), 400)
    tied = np.round(Ph, digits) + 1e-9
    tied /= tied.sum(axis=1, keepdims=True)
    assert thresholded_confidence(tied, yh, tied).value == pytest.approx(right(tied, yh))


def test_models_that_are_always_or_never_right():
    P = np.eye(2)[[0, 1, 0, 1]] * 0.8 + 0.1
    for y, exact in (([0, 1, 0, 1], 1.0), ([1, 0, 1, 0], 0.0)):
        assert thresholded_confidence(P, y, P).value == exact
        assert difference_of_confidences(P, y, P).value == pytest.approx(exact)
    sure, unsure = [[0.95, 0.05]], [[0.6, 0.4]]
    assert thresholded_confidence(P, [0, 1, 0, 1], unsure).value == 0  # less sure than any source row
    assert thresholded_confidence(P, [1, 0, 1, 0], sure).value == 1
    assert difference_of_confidences(P, [1, 0, 1, 0], unsure).value == 0  # held in [0, 1]


@pytest.mark.parametrize("estimate", ALL[1:])
def test_errors_are_those_of_repeated_sampling(estimate):
    rng = np.random.default_rng(4)
    found = [estimate(*sides(rng, 300)[:3]) for _ in range(300)]
    assert np.mean([f.error for f in found]) == pytest.approx(np.std([f.value for f in found]), rel=0.2)


def test_the_error_of_average_confidence_is_that_of_a_mean():
    Ph, yh, _, _ = sides(np.random.default_rng(5), 2000)
    rng = np.random.default_rng(6)
    found = [average_confidence(Ph, yh, honest(rng, 100, 1.5)[0]) for _ in range(100)]
    assert np.mean([f.error for f in found]) == pytest.approx(np.std([f.value for f in found]), rel=0.2)


@pytest.mark.parametrize("estimate", ALL)
def test_names_of_classes_and_order_of_rows_do_not_matter(estimate):
    Ph, yh, Pt, _ = sides(np.random.default_rng(7), 200)
    order = np.array([2, 0, 1])
    expected = estimate(Ph, yh, Pt)
    assert estimate(Ph[:, order], np.argsort(order)[yh], Pt[:, order]) == pytest.approx(expected)
    assert estimate(Ph[::-1], yh[::-1], Pt[::-1]) == pytest.approx(expected)


@pytest.mark.parametrize("estimate", ALL)
def test_a_predictor_collapsed_everywhere_gets_its_source_accuracy(estimate):
    rng = np.random.default_rng(8)
    Ph, yh, _, _ = sides(rng, 600)
    like_source = sides(rng, 600)[0]
    flat = np.eye(3)[np.zeros(600, dtype=int)] * 0.97 + 0.01
    last = estimate(flat, yh, flat).value
    # the temperature stops short of infinity, see the docstring
    slack = 0.06 if estimate is average_confidence else 1e-9
    assert last == pytest.approx(right(flat, yh), abs=slack)
    assert last < estimate(Ph, yh, like_source).value - 0.2


@pytest.mark.parametrize("estimate", ALL)
def test_a_predictor_collapsed_on_the_target_only_is_not_seen(estimate):
    Ph, yh, _, _ = sides(np.random.default_rng(9), 600)
    flat = np.eye(3)[np.zeros(600, dtype=int)] * 0.997 + 0.001
    assert estimate(Ph, yh, flat).value > 0.95
    assert collapsed(flat, np.bincount(yh) / len(yh))  # which is why the docstring sends the reader there


@pytest.mark.parametrize("estimate", ALL)
def test_bad_input_says_what_was_expected(estimate):
    P = np.full((4, 2), 0.5)
    for y in ([0, 1, 2, 0], [0, 1, -1, 0], list("abab"), [0.0, 1.0, 0.0, 1.0]):
        with pytest.raises(ValueError, match="yh to hold columns of Ph"):
            estimate(P, y, P)
    with pytest.raises(ValueError, match="yh to have shape"):
        estimate(P, [0, 1], P)
    with pytest.raises(ValueError, match="equal widths"):
        estimate(P, [0, 1, 0, 1], np.full((4, 4), 0.25))
    with pytest.raises(ValueError, match="Pt to be finite"):
        estimate(P, [0, 1, 0, 1], [[np.nan, 1.0]])


def test_the_score_has_two_names():
    with pytest.raises(ValueError, match="entropy or confidence"):
        thresholded_confidence([[0.5, 0.5]], [0], [[0.5, 0.5]], "margin")
