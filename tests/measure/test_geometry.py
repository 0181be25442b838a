"""Effective rank, even heads and the transfer score: closed forms, loops, and what collapse does."""

from __future__ import annotations

import math

import numpy as np
import pytest

from transfermap.measure.validators.clustering import hopkins
from transfermap.measure.validators.geometry import head_unevenness, rank_me, transfer_score
from transfermap.measure.validators.label_free import infomax


def simplex(C):
    """C directions at equal angles, in C columns."""
    return np.eye(C) - 1 / C


def turn(d, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]


def test_rank_me_of_known_singular_values():
    sizes = np.array([4.0, 2.0, 1.0, 1.0])
    Z = turn(20)[:, :4] * sizes @ turn(4, 1)
    p = sizes / sizes.sum()
    assert rank_me(Z) == pytest.approx(np.prod(p**-p))
    assert rank_me(turn(20)[:, :7]) == pytest.approx(7)


def test_rank_me_agrees_with_the_paper_but_for_its_guard():
    Z = np.random.default_rng(0).normal(size=(200, 10)) * np.arange(1, 11)
    p = np.sqrt(np.linalg.eigvalsh(Z.T @ Z))
    p = p / p.sum() + 1e-7
    assert rank_me(Z) == pytest.approx(math.exp(-sum(x * math.log(x) for x in p)), rel=1e-5)


def test_rank_me_knows_no_scale_no_rotation_and_no_order():
    Z = np.random.default_rng(0).normal(size=(50, 6)) * np.arange(1, 7)
    for other in (7 * Z, Z @ turn(6), Z[::-1], Z[:, ::-1]):
        assert rank_me(other) == pytest.approx(rank_me(Z))
    assert rank_me(np.zeros((3, 2))) == 1
    assert rank_me(np.ones((9, 4))) == pytest.approx(1)  # a collapsed representation
    assert rank_me(Z, most=20, seed=1) == rank_me(Z, most=20, seed=1) != rank_me(Z, most=20, seed=2)


@pytest.mark.parametrize("C", [2, 3, 5, 10])
def test_a_simplex_is_even_whatever_its_scale_rotation_and_order(C):
    assert head_unevenness(simplex(C)) == pytest.approx(0, abs=1e-12)
    scaled = simplex(C)[::-1] @ turn(C) * np.arange(1, C + 1)[:, None]
    assert head_unevenness(scaled) == pytest.approx(0, abs=1e-12)
    assert head_unevenness(np.ones((C, 3))) == pytest.approx(math.acos(-1 / (C - 1)) ** 2)
    assert head_unevenness(np.eye(C)) == pytest.approx((math.acos(-1 / (C - 1)) - math.pi / 2) ** 2)


def test_unevenness_agrees_with_a_loop():
    W = np.random.default_rng(0).normal(size=(6, 4))
    total = []
    for i in range(6):
        for j in range(6):
            if i != j:
                angle = math.acos(W[i] @ W[j] / math.sqrt(W[i] @ W[i] * (W[j] @ W[j])))
                total.append((angle - math.acos(-1 / 5)) ** 2)
    assert head_unevenness(W) == pytest.approx(np.mean(total))


def case(n=200, C=4, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % C
    return 8 * simplex(C)[y] + rng.normal(size=(n, C)), np.eye(C)[y], simplex(C)


def test_transfer_score_is_the_sum_of_its_parts():
    Z, _, W = case()
    P = np.random.default_rng(1).dirichlet(np.ones(4), len(Z))
    found = transfer_score(Z, P, 3 * W + 0.1, share=0.3, seed=2)
    assert found.clusters == hopkins(Z, 0.3, 2)
    assert found.information == pytest.approx(infomax(P) / np.log(4))
    assert found.unevenness == head_unevenness(3 * W + 0.1) > 0
    assert found.value == pytest.approx(found.clusters + found.information - found.unevenness)
    headless = transfer_score(Z, P, share=0.3, seed=2)
    assert headless.value == pytest.approx(found.value + found.unevenness)
    assert math.isnan(headless.unevenness)


def test_a_collapsed_predictor_comes_last_among_those_with_the_same_features_and_head():
    Z, perfect, W = case()
    random = np.random.default_rng(0).dirichlet(np.ones(4), len(Z))
    collapsed = np.eye(4)[np.zeros(len(Z), dtype=int)]
    values = [transfer_score(Z, P, W).value for P in (perfect, random, collapsed)]
    assert values == sorted(values, reverse=True)
    assert transfer_score(Z, collapsed, W).information == 0
    assert values[0] - values[2] == pytest.approx(1)


def test_names_of_classes_do_not_matter():
    Z, _, W = case()
    P = np.random.default_rng(1).dirichlet(np.ones(4), len(Z))
    W = W + np.arange(4)
    order = [2, 0, 3, 1]
    assert transfer_score(Z, P[:, order], W[order]) == pytest.approx(transfer_score(Z, P, W))


def test_bad_input_says_what_was_expected():
    Z, P, W = case(20)
    with pytest.raises(ValueError, match="as many rows as Zt"):
        transfer_score(Z, P[:-1])
    with pytest.raises(ValueError, match=r"W to have shape \(4, 4\)"):
        transfer_score(Z, P, W[:3])
    with pytest.raises(ValueError, match="adding to 1"):
        transfer_score(Z, 2 * P)
    with pytest.raises(ValueError, match="no zero row"):
        head_unevenness(W * [[1], [1], [0], [1]])
    with pytest.raises(ValueError, match="at least 2 rows"):
        head_unevenness([[1.0, 0.0]])
    with pytest.raises(ValueError, match="Z to be finite"):
        rank_me([[np.nan, 1.0]])
