"""Weighted combination of sources, against its sums written out row by row and against densities that are known."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from transfermap.adapted import Adapted
from transfermap.data.toy import make_toy
from transfermap.methods.baseline.sourceonly import SourceOnly
from transfermap.methods.multisource.sourcecombination import SourceCombination, row_weights
from transfermap.methods.subspace.coral import CORAL
from transfermap.methods.weighting.kmm import KMM
from transfermap.runs.model_file import load, save


def stacked(task="classification", n=60, seed=0):
    toy = make_toy("several_sources", n, seed, task)
    mixed = np.random.default_rng(seed).permutation(4 * n)
    d = np.r_[toy.sources * 3 + 2, np.full(n, -1)]
    return np.r_[toy.Xs, toy.Xt][mixed], np.r_[toy.ys, toy.yt][mixed], d[mixed]


def naive_mmd(A, B, gamma):
    def k(x, y):
        return np.exp(-gamma * ((x - y) ** 2).sum())

    def within(Z):
        return np.mean([k(Z[i], Z[j]) for i in range(len(Z)) for j in range(len(Z)) if i != j])

    return np.sqrt(max(within(A) + within(B) - 2 * np.mean([k(a, b) for a in A for b in B]), 0))


def test_distances_and_closeness_are_those_written_out():
    X, y, d = stacked(n=15)
    fitted = SourceCombination(temperature=0.3).fit(X, y, sample_domain=d)
    Xt = X[d < 0]
    pairs = [((Xt[i] - Xt[j]) ** 2).sum() for i in range(15) for j in range(i)]
    expected = np.array([naive_mmd(X[d == k], Xt, 1 / np.median(pairs)) for k in (2, 5, 8)])
    np.testing.assert_allclose(fitted.distances_, expected, atol=1e-10)
    shares = [np.exp(-v / 0.3) for v in expected]
    np.testing.assert_allclose(fitted.source_weights_, np.array(shares) / sum(shares))
    assert fitted.sources_.tolist() == [2, 5, 8]
    assert fitted.distances_.argmax() == 2


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_predictions_are_the_sum_over_sources_row_by_row(task):
    X, y, d = stacked(task)
    estimator = Ridge() if task == "regression" else LogisticRegression()
    fitted = SourceCombination(estimator=estimator, eta=0.05).fit(X, y, sample_domain=d)
    D = fitted.judge_.predict_proba(X)
    models = [type(estimator)().fit(X[d == k], y[d == k]) for k in (2, 5, 8)]
    for i, x in enumerate(X):
        terms = [lam * (D[i, k] + 0.05) for k, lam in enumerate(fitted.source_weights_)]
        outs = [m.predict(x[None])[0] if task == "regression" else m.predict_proba(x[None])[0] for m in models]
        mixed = sum(t * o for t, o in zip(terms, outs, strict=True)) / sum(terms)
        found = fitted.predict(x[None])[0] if task == "regression" else fitted.predict_proba(x[None])[0]
        np.testing.assert_allclose(found, mixed, rtol=1e-9)


def test_densities_are_the_known_ones_of_two_normal_sources():
    rng = np.random.default_rng(0)
    n = np.array([6000, 2000])
    X = np.r_[rng.normal(-1, 1, n[0]), rng.normal(1, 1, n[1]), rng.normal(0, 1, 500)][:, None]
    d, y = np.r_[np.repeat([0, 1], n), np.full(500, -1)], np.arange(8500) % 2
    fitted = SourceCombination(temperature=None, eta=0, max_rows=6000).fit(X, y, sample_domain=d)
    new = np.linspace(-3, 3, 13)[:, None]
    w = row_weights(fitted.source_weights_, fitted.judge_.predict_log_proba(new), 0)
    D = np.c_[norm.pdf(new[:, 0], -1), norm.pdf(new[:, 0], 1)]
    np.testing.assert_allclose(w, D / D.sum(axis=1, keepdims=True), atol=0.03)


def test_the_distribution_weighted_rule_is_good_where_constant_weights_fail():
    rng = np.random.default_rng(0)
    x = np.r_[rng.uniform(-2, 0, 200), rng.uniform(0, 2, 200), rng.uniform(-2, 2, 200)]
    d, y = np.repeat([0, 1, -1], 200), np.abs(x)  # each source knows one branch; the target mixes them

    def score(eta):
        model = SourceCombination(estimator=LinearRegression(), temperature=None, eta=eta)
        return model.fit(x[:, None], y, sample_domain=d).score(x[d < 0][:, None], y[d < 0])

    assert score(0) > 0.9
    assert score(1e9) < 0.1


@pytest.mark.parametrize("adapter", [None, CORAL(), KMM()])
def test_one_source_is_the_adapted_estimator(adapter):
    X, y, d = stacked()
    keep = (d == 2) | (d < 0)
    X, y, d = X[keep], y[keep], d[keep]
    alone = Adapted(adapter or SourceOnly(), LogisticRegression()).fit(X, y, sample_domain=d)
    fitted = SourceCombination(adapter=adapter, estimator=LogisticRegression()).fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(fitted.predict(X), alone.predict(X))
    np.testing.assert_allclose(fitted.predict_proba(X), alone.predict_proba(X), rtol=1e-12)
    assert fitted.source_weights_.tolist() == [1.0] and fitted.judge_ is None


def test_one_source_of_numbers_is_bit_equal():
    X, y, d = stacked("regression")
    keep = (d == 5) | (d < 0)
    alone = Adapted(CORAL(), Ridge()).fit(X[keep], y[keep], sample_domain=d[keep])
    fitted = SourceCombination(adapter=CORAL(), estimator=Ridge()).fit(X[keep], y[keep], sample_domain=d[keep])
    np.testing.assert_array_equal(fitted.predict(X), alone.predict(X))


def test_classes_that_a_source_lacks_are_left_to_the_others():
    rng = np.random.default_rng(0)
    centres = np.array([[-6.0, 0], [0, 0], [6, 0]])
    y = np.r_[np.arange(100) % 2, np.arange(100) % 2 + 1, np.arange(99) % 3]
    X, d = centres[y] + 0.5 * rng.normal(size=(299, 2)), np.r_[np.repeat([4, 7], 100), np.full(99, -1)]
    names = np.array(["ant", "bee", "cat"])[y]
    fitted = SourceCombination().fit(X, names, sample_domain=d)
    assert fitted.classes_.tolist() == ["ant", "bee", "cat"]
    assert [m.classes_.tolist() for m in fitted.models_] == [["ant", "bee"], ["bee", "cat"]]
    assert fitted.score(X[d < 0], names[d < 0]) > 0.95


def test_an_estimator_without_probabilities_gives_its_class():
    X, y, d = stacked()
    fitted = SourceCombination(estimator=LinearSVC()).fit(X, y, sample_domain=d)
    own = np.stack([m.predict(X) == 1 for m in fitted.models_], axis=1)
    w = row_weights(fitted.source_weights_, fitted.judge_.predict_log_proba(X), fitted.eta)
    np.testing.assert_allclose(fitted.predict_proba(X)[:, 1], (w * own).sum(axis=1), atol=1e-12)


def test_target_labels_and_the_order_of_rows_do_not_matter():
    X, y, d = stacked()
    straight = SourceCombination().fit(X, y, sample_domain=d).decision_function(X)
    mixed, unknown = np.random.default_rng(5).permutation(len(X)), np.where(d < 0, -1, y)
    turned = SourceCombination().fit(X[mixed], unknown[mixed], sample_domain=d[mixed])
    np.testing.assert_allclose(turned.decision_function(X), straight, atol=1e-3, rtol=1e-3)


def test_sources_too_thin_are_left_out_with_a_warning_and_refused_when_there_are_no_others():
    X, y, d = stacked()
    y[d == 5] = 1
    with pytest.warns(UserWarning, match="left out.*single class: 5"):
        fitted = SourceCombination().fit(X, y, sample_domain=d)
    without = SourceCombination().fit(X[d != 5], y[d != 5], sample_domain=d[d != 5])
    np.testing.assert_array_equal(fitted.predict_proba(X), without.predict_proba(X))
    with pytest.raises(ValueError, match="expected a source that a model can be trained on"):
        SourceCombination().fit(X, np.where(d == 2, 0, 1), sample_domain=d)


def test_what_is_no_adapter_is_refused():
    X, y, d = stacked()
    with pytest.raises(ValueError, match="adapter must be an Adapter"):
        SourceCombination(adapter=Ridge()).fit(X, y, sample_domain=d)


def test_a_model_of_several_adapted_sources_is_saved_and_loaded(tmp_path):
    X, y, d = stacked()
    fitted = Adapted(SourceCombination(adapter=CORAL()), LogisticRegression()).fit(X, y, sample_domain=d)
    save(fitted, tmp_path / "model.tmap")
    np.testing.assert_array_equal(load(tmp_path / "model.tmap").predict_proba(X), fitted.predict_proba(X))
