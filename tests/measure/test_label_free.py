"""Label-free scores: which predictor wins which, closed forms, and unbiasedness by simulation."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from transfermap.measure.validators.importance_weighted import dev, importance_weighted
from transfermap.measure.validators.label_free import (
    agreement,
    bnm,
    collapsed,
    corr_c,
    diversity,
    entropy,
    infomax,
    snd,
)
from transfermap.measure.validators.reverse import reverse_validation

N, C = 300, 4
PERFECT = np.eye(C)[np.arange(N) % C]
COLLAPSED = np.eye(C)[np.zeros(N, dtype=int)]
UNDECIDED = np.full((N, C), 1 / C)
RANDOM = np.random.default_rng(0).dirichlet(np.ones(C), N)


@pytest.mark.parametrize("score", [infomax, bnm, corr_c])
def test_perfect_beats_random_and_collapsed(score):
    assert score(PERFECT) > score(RANDOM) > score(UNDECIDED)
    assert score(PERFECT) > score(COLLAPSED)


@pytest.mark.parametrize("score", [entropy, snd])
def test_these_are_won_by_a_collapsed_predictor(score):
    assert score(COLLAPSED) >= score(PERFECT) > score(RANDOM)


def test_closed_forms():
    assert entropy(PERFECT) == 0
    assert entropy(UNDECIDED) == pytest.approx(-np.log(C))
    assert infomax(PERFECT) == pytest.approx(np.log(C))
    assert infomax(PERFECT, normalised=True) == pytest.approx(1)
    assert infomax(COLLAPSED) == 0
    assert bnm(PERFECT) == pytest.approx(1)
    assert bnm(COLLAPSED) == pytest.approx(1 / np.sqrt(C))
    assert corr_c(PERFECT) == pytest.approx(np.sqrt(C))
    assert corr_c(COLLAPSED) == pytest.approx(1)
    assert diversity(PERFECT) == pytest.approx(1) == diversity(UNDECIDED)
    assert diversity(COLLAPSED) == 0
    assert snd(COLLAPSED) == pytest.approx(np.log(N - 1))
    assert snd(PERFECT) == pytest.approx(np.log(N / C - 1), abs=1e-4)


def test_infomax_is_the_mutual_information():
    joint = RANDOM / N
    exact = (joint * np.log(joint / (joint.sum(axis=0) / N))).sum()
    assert infomax(RANDOM) == pytest.approx(exact)


def test_snd_agrees_with_a_loop_across_block_borders():
    P = np.random.default_rng(1).dirichlet(np.ones(3), 703)
    U = P / np.linalg.norm(P, axis=1, keepdims=True)
    naive = []
    for i in range(len(P)):
        e = np.exp(np.delete(U @ U[i], i) / 0.05)
        q = e / e.sum()
        naive.append(-(q * np.log(q)).sum())
    assert snd(P) == pytest.approx(np.mean(naive))


def test_snd_survives_small_temperatures_and_subsamples_by_seed():
    assert 0 <= snd(PERFECT, temperature=1e-4) <= np.log(N - 1)
    assert snd(RANDOM, most=100, seed=1) == snd(RANDOM, most=100, seed=1) != snd(RANDOM, most=100, seed=2)


@pytest.mark.parametrize("score", [entropy, infomax, bnm, snd, corr_c, diversity])
def test_the_order_of_rows_and_classes_does_not_matter(score):
    turned = RANDOM[::-1][:, [2, 0, 3, 1]]
    assert score(turned) == pytest.approx(score(RANDOM))
    assert score(RANDOM.astype(np.float32)) == pytest.approx(score(RANDOM), abs=1e-5)


def test_collapse_is_judged_against_the_estimated_shares():
    mostly = np.eye(2)[(np.arange(100) < 3).astype(int)]
    assert collapsed(mostly, [0.5, 0.5])
    assert not collapsed(mostly, [0.97, 0.03])
    assert collapsed(COLLAPSED, np.full(C, 1 / C))
    assert not collapsed(PERFECT, np.full(C, 1 / C))
    assert not collapsed(COLLAPSED, [1, 0, 0, 0])


def test_agreement_of_labels_and_of_numbers():
    a, b, c = np.array(list("aabb")), np.array(list("aaab")), np.array(list("bbaa"))
    assert agreement([a, b, c]) == pytest.approx((0.75 + 0 + 0.25) / 3)
    rng = np.random.default_rng(0)
    x, y, z = rng.normal(size=(3, 50)).round(1)
    pairs = [spearmanr(p, q).statistic for p, q in ((x, y), (x, z), (y, z))]
    assert agreement([x, y, z], "regression") == pytest.approx(np.mean(pairs))
    assert agreement([x, np.exp(x)], "regression") == pytest.approx(1)
    assert agreement([x, np.zeros(50)], "regression") == 0


def _weighted_source(rng, n=400, delta=0.7):
    """Rows of N(0, 1), a value of x, and the true weights to N(delta, 1)."""
    x = rng.normal(size=n)
    return x**2, np.exp(delta * x - delta**2 / 2)


def test_weighted_mean_is_unbiased_for_the_target_and_its_error_is_right():
    rng = np.random.default_rng(0)
    found = [importance_weighted(*_weighted_source(rng)) for _ in range(500)]
    values = np.array([f.value for f in found])
    exact = 1 + 0.7**2
    # Self-normalising costs a bias of order 1/n.
    assert values.mean() == pytest.approx(exact, abs=4 * values.std() / np.sqrt(500) + 3 / 400)
    assert np.mean([f.error for f in found]) == pytest.approx(values.std(), rel=0.15)
    assert np.mean([_weighted_source(rng)[0].mean() for _ in range(500)]) < exact - 0.3


def test_dev_is_unbiased_and_steadier_than_the_plain_mean():
    rng = np.random.default_rng(1)
    drawn = [_weighted_source(rng) for _ in range(500)]
    plain = np.array([(v * w).mean() for v, w in drawn])
    found = [dev(v, w) for v, w in drawn]
    steady = np.array([f.value for f in found])
    assert steady.mean() == pytest.approx(1 + 0.7**2, abs=0.05)
    assert steady.std() < 0.8 * plain.std()
    assert np.mean([f.error for f in found]) == pytest.approx(steady.std(), rel=0.2)


def test_dev_with_equal_weights_is_the_mean():
    v = np.random.default_rng(0).normal(size=20)
    for w in (np.ones(20), np.full(20, 0.1)):
        assert dev(v, w).value == pytest.approx(v.mean() * w[0])
        assert importance_weighted(v, w).value == pytest.approx(v.mean())


def test_dev_agrees_with_its_formula():
    rng = np.random.default_rng(0)
    v, w = rng.random(30), rng.random(30) * 2
    eta = -np.cov(v * w, w)[0, 1] / np.var(w, ddof=1)
    assert dev(v, w).value == pytest.approx((v * w).mean() + eta * w.mean() - eta)


def test_weighted_mean_ignores_the_scale_of_the_weights():
    v, w = np.arange(5.0), np.arange(1.0, 6)
    assert importance_weighted(v, w) == pytest.approx(importance_weighted(v, 1e6 * w))


def _nearest(Xa, ya, Xb):
    return ya[np.abs(Xb - Xa.T).argmin(axis=1)]


def test_reverse_validation_tells_perfect_from_random_and_collapsed():
    rng = np.random.default_rng(0)
    ys, yt = rng.integers(0, 2, 100), rng.integers(0, 2, 100)
    Xs, Xt = (rng.normal(scale=0.3, size=100) + 3 * ys)[:, None], (rng.normal(scale=0.3, size=100) + 3 * yt)[:, None]
    back = {
        name: reverse_validation(_nearest, Xs, ys, Xt, pseudo)
        for name, pseudo in (("perfect", yt), ("random", rng.permutation(yt)), ("collapsed", np.zeros(100, dtype=int)))
    }
    assert back["perfect"] == 1
    assert back["collapsed"] == 0.5
    assert back["random"] == pytest.approx(0.5, abs=0.2)


def test_reverse_validation_trains_on_the_target_and_predicts_the_source():
    seen = {}

    def record(Xa, ya, Xb):
        seen.update(Xa=Xa, ya=ya, Xb=Xb)
        return np.array(["a", "b", "b"])

    score = reverse_validation(record, [[1.0], [2.0], [3.0]], ["a", "b", "a"], [[7.0], [8.0]], ["b", "a"], "accuracy")
    assert score == pytest.approx(2 / 3)
    assert seen["Xa"].ravel().tolist() == [7, 8]
    assert seen["ya"].tolist() == ["b", "a"]
    assert seen["Xb"].ravel().tolist() == [1, 2, 3]


def test_reverse_validation_for_numbers():
    Xs, Xt = np.arange(5.0)[:, None], np.arange(5.0)[:, None] + 0.1
    assert reverse_validation(_nearest, Xs, Xs[:, 0], Xt, Xs[:, 0], "r2") == 1
    assert reverse_validation(_nearest, Xs, Xs[:, 0], Xt, np.full(5, 2.0), "r2") == 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: entropy([[0.5, 0.6]]), "adding to 1"),
        (lambda: entropy([[1.5, -0.5]]), "probabilities"),
        (lambda: entropy([[1.0]]), "two or more classes"),
        (lambda: snd([[0.5, 0.5]]), "two or more rows"),
        (lambda: snd(RANDOM, temperature=0), "temperature"),
        (lambda: collapsed(RANDOM, [0.5, 0.5]), "target_shares"),
        (lambda: agreement([["a"]]), "two or more candidates"),
        (lambda: agreement([["a"], ["a", "b"]]), "shape"),
        (lambda: agreement([[1.0], [1.0]], "ranking"), "classification or regression"),
        (lambda: importance_weighted([1.0], [0.0]), "not all zero"),
        (lambda: dev([1.0, 2.0], [1.0]), "w to have shape"),
        (lambda: reverse_validation(_nearest, [[1.0]], [1], [[1.0]], [1], "f1"), "balanced_accuracy or r2"),
    ],
)
def test_bad_input_says_what_was_expected(call, says):
    with pytest.raises(ValueError, match=says):
        call()
