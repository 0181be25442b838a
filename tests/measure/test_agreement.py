"""Soft agreement: a loop, its hard limit, and what collapse does."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from transfermap.measure.validators.label_free import agreement, soft_agreement

RNG = np.random.default_rng(0)
TABLES = [RNG.dirichlet(np.ones(4), 50) for _ in range(3)]


def test_soft_agreement_agrees_with_a_loop():
    pairs = []
    for P, Q in combinations(TABLES, 2):
        apart = [sum(abs(a - b) for a, b in zip(p, q, strict=True)) / 2 for p, q in zip(P, Q, strict=True)]
        pairs.append(1 - np.mean(apart))
    assert soft_agreement(TABLES) == pytest.approx(np.mean(pairs))


def test_of_sure_predictions_it_is_the_hard_agreement():
    named = [RNG.integers(0, 4, 50) for _ in range(4)]
    assert soft_agreement([np.eye(4)[y] for y in named]) == pytest.approx(agreement(named))


def test_it_is_the_chance_that_best_coupled_draws_are_equal():
    P, Q = TABLES[:2]
    assert soft_agreement([P, Q]) == pytest.approx(np.minimum(P, Q).sum(axis=1).mean())


def test_names_order_and_number_of_candidates():
    expected = soft_agreement(TABLES)
    assert soft_agreement([P[::-1][:, [3, 1, 0, 2]] for P in TABLES[::-1]]) == pytest.approx(expected)
    assert soft_agreement([TABLES[0]] * 3) == pytest.approx(1)


def test_a_collapsed_pair_wins():
    assert soft_agreement([np.eye(4)[[0] * 50]] * 2) == 1 > soft_agreement(TABLES)
    assert soft_agreement([np.eye(4)[[0] * 50], np.eye(4)[[1] * 50]]) == 0


def test_bad_input_says_what_was_expected():
    with pytest.raises(ValueError, match="two or more tables"):
        soft_agreement(TABLES[:1])
    with pytest.raises(ValueError, match="one shape"):
        soft_agreement([TABLES[0], TABLES[1][:10]])
    with pytest.raises(ValueError, match="adding to 1"):
        soft_agreement([TABLES[0], 2 * TABLES[1]])
