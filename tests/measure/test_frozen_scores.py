"""Transferability scores against the papers' formulas, closed forms, and what random labels must score."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import KNeighborsClassifier

from transfermap.measure.transferability.frozen_scores import h_score, leep, nce, trans_rate
from transfermap.measure.transferability.linear_evidence import log_evidence, log_me
from transfermap.measure.transferability.probes import held_out, linear_probe, neighbour_accuracy


def features(n=90, d=5, C=3, apart=1.0, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % C)
    return rng.normal(size=(n, d)) + apart * rng.normal(size=(C, d))[y], y


def answers(n=60, Z=4, seed=0):
    P = np.random.default_rng(seed).gamma(0.5, size=(n, Z))
    return P / P.sum(axis=1, keepdims=True)


def _between(F, y):
    means = np.stack([F[y == c].mean(axis=0) for c in y])
    return np.cov(means.T, ddof=0)


def test_h_score_is_the_trace_of_the_paper():
    F, y = features()
    exact = np.trace(np.linalg.inv(np.cov(F.T, ddof=0)) @ _between(F, y))
    assert h_score(F, y, shrunk=False) == pytest.approx(exact)
    fitted = LedoitWolf().fit(F)
    shrunk = np.trace(np.linalg.inv(fitted.covariance_) @ ((1 - fitted.shrinkage_) * _between(F, y)))
    assert h_score(F, y) == pytest.approx(shrunk)


def test_shrunk_h_score_is_the_formula_with_more_columns_than_rows():
    F, y = features(n=30, d=80)
    fitted = LedoitWolf().fit(F)
    shrunk = np.trace(np.linalg.inv(fitted.covariance_) @ ((1 - fitted.shrinkage_) * _between(F, y)))
    assert h_score(F, y) == pytest.approx(shrunk)


def test_plain_h_score_ignores_invertible_maps_and_is_c_minus_1_for_points():
    F, y = features()
    A = np.random.default_rng(1).normal(size=(5, 5))
    assert h_score(F @ A + 3, y, shrunk=False) == pytest.approx(h_score(F, y, shrunk=False))
    assert h_score(np.eye(4)[np.arange(40) % 4], np.arange(40) % 4, shrunk=False) == pytest.approx(3)


def test_only_the_shrunk_h_score_tells_random_labels_where_columns_are_many():
    (F, y), rng = features(n=60, d=200, apart=0.5), np.random.default_rng(3)
    shuffled = [rng.permutation(y) for _ in range(99)]
    for labels in (y, shuffled[0]):
        assert h_score(F, labels, shrunk=False) == pytest.approx(2)
    assert h_score(F, y) > max(h_score(F, labels) for labels in shuffled)


@pytest.mark.parametrize("shrunk", [False, True])
def test_constant_features_say_nothing(shrunk):
    assert h_score(np.full((20, 3), 0.1), np.arange(20) % 2, shrunk) == 0
    assert trans_rate(np.full((20, 3), 0.1), np.arange(20) % 2) == 0


def test_nce_agrees_with_a_loop_and_knows_its_ends():
    rng = np.random.default_rng(0)
    z, y = rng.integers(0, 4, 80), rng.integers(0, 3, 80)
    naive = np.mean([np.log(np.mean(y[z == z[i]] == y[i])) for i in range(80)])
    assert nce(z, y) == pytest.approx(naive)
    assert nce(y, y) == 0
    grid_z, grid_y = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)
    assert nce(grid_z, grid_y) == pytest.approx(-np.log(3))


def test_leep_agrees_with_a_loop_and_takes_logs():
    P, y = answers(), np.random.default_rng(1).integers(0, 3, 60)
    joint = np.array([[P[y == c, z].sum() / 60 for z in range(4)] for c in range(3)])
    given = joint / joint.sum(axis=0)
    assert leep(P, y) == pytest.approx(np.mean([np.log(given[y[i]] @ P[i]) for i in range(60)]))


def test_leep_of_certain_answers_is_nce_and_drops_empty_source_classes():
    z, y = np.random.default_rng(0).integers(0, 3, 50), np.random.default_rng(1).integers(0, 2, 50)
    assert leep(np.eye(5)[z], y) == pytest.approx(nce(z, y))


def test_leep_is_at_least_nce_plus_the_mean_log_confidence():
    P, y = answers(), np.random.default_rng(1).integers(0, 3, 60)
    assert nce(P.argmax(axis=1), y) + np.log(P.max(axis=1)).mean() <= leep(P, y)


def test_random_labels_score_minus_their_entropy():
    rng = np.random.default_rng(0)
    z, y = rng.integers(0, 3, 20000), rng.integers(0, 4, 20000)
    assert nce(z, y) == pytest.approx(-np.log(4), abs=0.005)
    assert leep(np.eye(3)[z] * 0.7 + 0.1, y) == pytest.approx(-np.log(4), abs=0.005)


def _coding_rate(Z, eps):
    return 0.5 * np.log(np.linalg.det(np.eye(Z.shape[1]) + Z.T @ Z / (len(Z) * eps)))


@pytest.mark.parametrize("d", [3, 12])
def test_trans_rate_is_the_formula_also_with_more_columns_than_rows(d):
    F, y = features(n=18, d=d)
    Z = F - F.mean(axis=0)
    paper = _coding_rate(Z, 0.1) - sum(len(Z[y == c]) * _coding_rate(Z[y == c], 0.1) for c in range(3)) / 18
    assert trans_rate(F, y, 0.1, by_class=False, scaled=False) == pytest.approx(paper)
    parts = [Z[y == c] - Z[y == c].mean(axis=0) for c in range(3)]
    ours = _coding_rate(Z, 0.1) - sum(len(part) * _coding_rate(part, 0.1) for part in parts) / 18
    assert trans_rate(F, y, 0.1, scaled=False) == pytest.approx(ours)


def test_the_paper_s_trans_rate_is_blind_to_two_mirrored_classes_and_ours_is_not():
    X = np.random.default_rng(0).normal(size=(50, 3))
    F, y = np.concatenate([X + 10, -X - 10]), np.repeat([0, 1], 50)
    assert trans_rate(F, y, by_class=False) == pytest.approx(0, abs=1e-9)
    assert trans_rate(F, y) > 2
    assert trans_rate(F, y) > trans_rate(F, np.arange(100) % 2) + 1


def test_trans_rate_of_one_class_is_nothing_and_the_unit_does_not_matter():
    F, y = features()
    assert trans_rate(F, np.zeros(90)) == pytest.approx(0, abs=1e-12)
    assert trans_rate(100 * F + 5, y) == pytest.approx(trans_rate(F, y))
    assert trans_rate(100 * F, y, scaled=False) != pytest.approx(trans_rate(F, y, scaled=False))


SHAPES = [(60, 4), (40, 40), (40, 100), (30, 31)]


def _log_normal(F, y, alpha, beta):
    C = F @ F.T / alpha + np.eye(len(y)) / beta
    return multivariate_normal.logpdf(y, np.zeros(len(y)), C) / len(y)


def _linear(n, d, noise=0.5, seed=0):
    rng = np.random.default_rng(seed)
    F = rng.normal(size=(n, d))
    return F, F @ rng.normal(size=d) / np.sqrt(d) + noise * rng.normal(size=n)


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_evidence_is_the_normal_density_of_the_labels(n, d):
    F, y = _linear(n, d)
    found = log_evidence(F, y)
    assert np.isfinite(found.alpha)
    assert found.value == pytest.approx(_log_normal(F, y, found.alpha, found.beta), abs=1e-9)


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_no_other_precisions_give_more_evidence(n, d):
    F, y = _linear(n, d, seed=1)
    found = log_evidence(F, y)
    starts = [(a, b) for a in (-2, 1, 4) for b in (-2, 1, 4)]
    tried = [minimize(lambda q: -_log_normal(F, y, *np.exp(q)), q, method="Nelder-Mead") for q in starts]
    best = max(-t.fun for t in tried)
    assert best <= found.value + 1e-9
    assert found.value == pytest.approx(best, abs=1e-5)


def test_the_fast_path_s_formula_without_the_missing_factors_is_far_off():
    """What is computed where only the k = n non-zero directions are counted as weights, at our precisions."""
    F, y = _linear(40, 100)
    value, alpha, beta = log_evidence(F, y)
    m = beta * np.linalg.solve(alpha * np.eye(100) + beta * F.T @ F, F.T @ y)
    squares = np.linalg.svd(F, compute_uv=False) ** 2
    rest = -np.log(alpha + beta * squares).sum() / 2 - beta / 2 * ((y - F @ m) ** 2).sum() - alpha / 2 * m @ m
    rest += 20 * np.log(beta) - 20 * np.log(2 * np.pi)
    right = (rest + 20 * np.log(alpha)) / 40  # 40 directions carry a weight that the data see; the other 60 cancel
    assert right == pytest.approx(value)
    assert abs((rest + 50 * np.log(alpha)) / 40 - value) > 0.1


def test_labels_that_wide_features_say_nothing_of_have_the_evidence_of_noise():
    """40 rows, 100 columns, 19 rows of the class: -1.0467; without the missing factors it would grow without bound."""
    F = np.random.default_rng(3).normal(size=(40, 100))
    y = (F[:, 0] > 0).astype(float)
    assert y.sum() == 19
    found = log_evidence(F, y)
    assert found.value == pytest.approx(-1.0467, abs=5e-5)
    assert found.value == pytest.approx(-(np.log(2 * np.pi * 19 / 40) + 1) / 2)
    assert found.alpha == np.inf
    # 60 of the 100 directions carry no weight that the data see: counted as if they did, they add this to a row
    assert (100 - 40) / 2 * np.log(1e17) / 40 + found.value > 28


def test_log_me_is_the_mean_over_the_classes_and_the_evidence_of_numbers():
    F, y = features()
    each = [log_evidence(F, (y == c).astype(float)).value for c in range(3)]
    assert log_me(F, y) == pytest.approx(np.mean(each))
    assert log_me(F, np.array(["a", "b", "c"])[y]) == pytest.approx(log_me(F, y))
    assert log_me(F, y + 0.5, regression=True) == pytest.approx(log_evidence(F, y + 0.5).value)


def test_log_me_falls_for_random_labels_where_columns_are_many():
    F, y = features(n=60, d=200, apart=0.5)
    rng = np.random.default_rng(0)
    assert log_me(F, y) > max(log_me(F, rng.permutation(y)) for _ in range(49))


def test_an_exact_linear_label_has_bounded_evidence():
    F, y = _linear(50, 3, noise=0)
    found = log_evidence(F, y)
    assert found.beta == pytest.approx(1e6 * 50 / (y @ y))
    assert found.value == pytest.approx(_log_normal(F, y, found.alpha, found.beta), abs=1e-6)


def test_features_without_a_word_leave_noise_alone():
    found = log_evidence(np.zeros((10, 2)), np.ones(10))
    assert found.alpha == np.inf
    assert found.value == pytest.approx(multivariate_normal.logpdf(np.ones(10), np.zeros(10)) / 10)


CLASS_SCORES = {
    "h": lambda F, y: h_score(F, y, shrunk=False),
    "h_shrunk": h_score,
    "trans_rate": trans_rate,
    "log_me": log_me,
    "leep": lambda F, y: leep(np.exp(F) / np.exp(F).sum(axis=1, keepdims=True), y),
    "nce": lambda F, y: nce(F.argmax(axis=1), y),
}


@pytest.mark.parametrize("name", CLASS_SCORES)
def test_names_of_classes_and_order_of_rows_do_not_matter_and_inputs_stay(name):
    score = CLASS_SCORES[name]
    F, y = features()
    before = F.copy(), y.copy()
    value = score(F, y)
    order = np.random.default_rng(0).permutation(90)
    assert score(F[order], y[order]) == pytest.approx(value)
    assert score(F, np.array(["z", "x", "y"])[y]) == pytest.approx(value)
    assert score(F.astype(np.float32), y) == pytest.approx(value, rel=1e-4)
    np.testing.assert_array_equal(F, before[0])
    np.testing.assert_array_equal(y, before[1])


@pytest.mark.parametrize("name", ["h", "leep", "nce", "trans_rate"])
def test_a_table_taken_twice_scores_the_same(name):
    F, y = features()
    assert CLASS_SCORES[name](np.tile(F, (2, 1)), np.tile(y, 2)) == pytest.approx(CLASS_SCORES[name](F, y))


@pytest.mark.parametrize("name", CLASS_SCORES)
def test_better_features_score_higher(name):
    near, far = features(apart=0.3, n=300), features(apart=3.0, n=300)
    assert CLASS_SCORES[name](*far) > CLASS_SCORES[name](*near)


@pytest.mark.parametrize("k", [1, 3])
def test_neighbours_agree_with_leaving_out_one_by_one(k):
    F, y = features(n=60, C=2)
    rest = [np.delete(np.arange(60), i) for i in range(60)]
    rule = KNeighborsClassifier(k)
    right = sum(int(rule.fit(F[r], y[r]).predict(F[i : i + 1])[0] == y[i]) for i, r in enumerate(rest))
    found = neighbour_accuracy(F, y, k)
    assert found.value == pytest.approx(right / 60)
    assert found.low < found.value < found.high


def test_the_nearest_breaks_ties_of_votes():
    F, y = [[0.0], [1.0], [1.1], [5.0], [5.1]], np.array([0, 0, 1, 1, 1])
    # 0 asks 1, then 1.1: tied, right. 1 asks 1.1, then 0: tied, wrong. 1.1 asks 1 and 0: wrong. The others are right.
    assert neighbour_accuracy(F, y, 2).value == pytest.approx(3 / 5)
    # All others asked: class 0 has one vote against three; class 1 ties, and its row at 1.1 has 1 for its nearest.
    assert neighbour_accuracy(F, y, 99).value == pytest.approx(2 / 5)


def test_probe_never_judges_rows_it_learnt_from():
    rng = np.random.default_rng(0)
    F, y = rng.normal(size=(60, 200)), np.arange(60) % 2
    found = linear_probe(F, y)
    assert found.low < 0.5 < found.high
    assert linear_probe(F, rng.normal(size=60), regression=True).value < 0.2


def test_probe_finds_what_is_linear():
    F, y = _linear(200, 5, noise=0.1)
    assert linear_probe(F, y, regression=True).low > 0.9
    found = linear_probe(F, np.where(y > 0, "yes", "no"))
    assert 0.85 < found.low <= found.value <= found.high <= 1


def test_folds_mix_the_classes_and_a_single_class_is_the_answer():
    class Majority:
        def get_params(self, deep=True):
            return {}

        def fit(self, X, y):
            self.share_ = np.bincount(y, minlength=2) / len(y)
            return self

        def predict(self, X):
            assert self.share_[1] == pytest.approx(0.2, abs=0.03)
            return np.zeros(len(X), dtype=int)

    y = np.repeat([0, 1], [80, 20])
    assert not held_out(Majority(), np.zeros((100, 1)), y, 5, 0).any()
    assert held_out(Majority(), np.zeros((9, 1)), np.full(9, "only"), 5, 0).tolist() == ["only"] * 9


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: h_score([[1.0], [2.0]], [0]), r"yt to have shape \(2,\)"),
        (lambda: h_score([[1.0]], [0]), "at least 2 rows"),
        (lambda: h_score([[1.0], [2.0]], [0, None]), "missing"),
        (lambda: nce([0, 1], [0]), "predicted"),
        (lambda: leep([[0.5, 0.9]], [0]), "P to hold probabilities"),
        (lambda: trans_rate([[1.0], [2.0]], [0, 1], eps=0), "eps > 0"),
        (lambda: log_me([[1.0], [2.0]], ["a", "b"], regression=True), "numbers"),
        (lambda: log_evidence([[1.0], [2.0]], [0.0, 0.0]), "other than 0"),
        (lambda: neighbour_accuracy([[1.0], [2.0]], [0, 1], k=0), "k >= 1"),
        (lambda: linear_probe([[1.0]] * 4, [0, 1, 0, 1], folds=1), "two folds"),
    ],
)
def test_bad_input_says_what_was_expected(call, says):
    with pytest.raises(ValueError, match=says):
        call()
