"""A vote of one model a source, against its sums and counts written out."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from transfermap.adapted import Adapted
from transfermap.data.toy import make_toy
from transfermap.methods.alignment.domainscaler import DomainScaler
from transfermap.methods.multisource.sourcecombination import SourceCombination
from transfermap.methods.multisource.sourcevote import SourceVote, ballots, vote, weighted_median
from transfermap.methods.subspace.coral import CORAL
from transfermap.methods.weighting.kmm import KMM
from transfermap.split import Reads


def stacked(task="classification", n=60, seed=0):
    toy = make_toy("several_sources", n, seed, task)
    mixed = np.random.default_rng(seed).permutation(4 * n)
    d = np.r_[toy.sources * 3 + 2, np.full(n, -1)]
    return np.r_[toy.Xs, toy.Xt][mixed], np.r_[toy.ys, toy.yt][mixed], d[mixed]


def each_alone(adapter, estimator, X, y, d):
    pairs = [(d == k) | (d < 0) for k in (2, 5, 8)]
    return [Adapted(adapter, estimator).fit(X[p], y[p], sample_domain=d[p]) for p in pairs]


@pytest.mark.parametrize("adapter", [CORAL(), KMM(), DomainScaler()])
def test_soft_votes_are_the_weighted_mean_of_the_adapted_models(adapter):
    X, y, d = stacked()
    fitted = SourceVote(adapter=adapter, estimator=LogisticRegression()).fit(X, y, sample_domain=d)
    lam = np.exp(-fitted.distances_ / 0.2)
    alone = each_alone(adapter, LogisticRegression(), X, y, d)
    expected = sum(w * m.predict_proba(X) for w, m in zip(lam / lam.sum(), alone, strict=True))
    np.testing.assert_allclose(fitted.predict_proba(X), expected, rtol=1e-9)


def test_hard_votes_are_counted():
    X, y, d = stacked()
    fitted = SourceVote(voting="hard", temperature=None).fit(X, y, sample_domain=d)
    alone = [LogisticRegression(max_iter=2000).fit(X[d == k], y[d == k]) for k in (2, 5, 8)]
    for x in X:
        votes = [m.predict(x[None])[0] for m in alone]
        assert fitted.predict(x[None])[0] == max(set(votes), key=votes.count)
        assert fitted.predict_proba(x[None])[0, 1] == pytest.approx(np.mean(votes), abs=1e-12)


def test_numbers_are_averaged_or_their_weighted_median_taken():
    X, y, d = stacked("regression")
    alone = [Ridge().fit(X[d == k], y[d == k]).predict(X) for k in (2, 5, 8)]
    soft = SourceVote(estimator=Ridge()).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(soft.predict(X), soft.source_weights_ @ alone, rtol=1e-9, atol=1e-12)
    hard = SourceVote(estimator=Ridge(), voting="hard", temperature=None).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(hard.predict(X), np.median(alone, axis=0), rtol=1e-9)


def test_the_weighted_median_is_the_median_of_values_repeated_by_their_weights():
    rng = np.random.default_rng(0)
    values, counts = rng.normal(size=(5, 40)), np.array([1, 4, 2, 3, 1])
    expected = np.median(values.repeat(counts, axis=0), axis=0)
    np.testing.assert_allclose(weighted_median(values, counts / counts.sum()), expected)


def test_a_class_is_judged_only_by_the_sources_that_have_it():
    # two sources know classes 0 and 1 and hesitate; the third knows 1 and 2 and is sure of 2
    P = np.array([[[0.5, 0.5, 0.0]], [[0.5, 0.5, 0.0]], [[0.0, 0.0, 1.0]]])
    has, w = np.array([[1, 1, 0], [1, 1, 0], [0, 1, 1]]), np.full(3, 1 / 3)
    np.testing.assert_allclose(vote(P, w, has), [np.array([1 / 2, 1 / 3, 1]) / (1 / 2 + 1 / 3 + 1)])
    np.testing.assert_allclose(w @ P[:, 0], 1 / 3)  # a plain mean could not choose
    np.testing.assert_allclose(vote(P, w, np.ones((3, 3))), [w @ P[:, 0]])


def test_ballots_hold_one_vote_a_row():
    np.testing.assert_array_equal(ballots(np.array([[[0.2, 0.8], [0.5, 0.5]]])), [[[0, 1], [1, 0]]])


@pytest.mark.parametrize("seed", [31, 32, 33])
def test_a_far_source_with_another_rule_is_outvoted_where_it_counts_by_distance(seed):
    toy = make_toy("several_sources", 200, seed)
    X, y, d = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, toy.yt], np.r_[toy.sources, np.full(200, -1)]
    keep = d != 1  # one good source, one bad: without weights it is a draw
    X, y, d = X[keep], y[keep], d[keep]
    equal, weighted = (SourceVote(temperature=t).fit(X, y, sample_domain=d) for t in (None, 0.1))
    assert weighted.score(toy.Xt, toy.yt) > equal.score(toy.Xt, toy.yt) + 0.05
    assert weighted.source_weights_[0] > 0.95 and equal.source_weights_.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("voting", ["soft", "hard"])
@pytest.mark.parametrize("estimator", [LogisticRegression(), RandomForestClassifier(20, random_state=0)])
def test_one_source_is_the_adapted_estimator(voting, estimator):
    X, y, d = stacked()
    keep = (d == 2) | (d < 0)
    X, y, d = X[keep], y[keep], d[keep]
    alone = Adapted(CORAL(), estimator).fit(X, y, sample_domain=d)
    fitted = Adapted(SourceVote(adapter=CORAL(), voting=voting), estimator).fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(fitted.predict(X), alone.predict(X))
    expected = alone.predict_proba(X) if voting == "soft" else alone.predict(X)[:, None] == [0, 1]
    np.testing.assert_allclose(fitted.predict_proba(X), expected, rtol=1e-12, atol=1e-300)
    assert np.isfinite(fitted.decision_function(X)).all()


def test_a_method_that_needs_target_labels_is_refused_in_front():
    class Reader(DomainScaler):
        reads = Reads("both")

    X, y, d = stacked()
    with pytest.raises(ValueError, match="reads no target labels; Reader needs some"):
        SourceVote(adapter=Reader()).fit(X, y, sample_domain=d)


def test_with_much_smoothing_the_combination_is_the_soft_vote():
    X, y, d = stacked()
    mixed = SourceCombination(eta=1e9).fit(X, y, sample_domain=d).predict_proba(X)
    np.testing.assert_allclose(mixed, SourceVote().fit(X, y, sample_domain=d).predict_proba(X), rtol=1e-6)


def test_params_reach_the_parts_through_set_params():
    model = SourceVote(adapter=CORAL(), estimator=LogisticRegression())
    model.set_params(adapter__reg=3.0, estimator__C=0.5)
    X, y, d = stacked()
    fitted = model.fit(X, y, sample_domain=d)
    assert [(m.adapter_.reg, m.estimator_.C) for m in fitted.models_] == [(3.0, 0.5)] * 3
