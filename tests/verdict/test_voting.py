"""Soft-voting ensemble: the mean of what they say, as a model and as evidence."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC

import transfermap as tm
from transfermap.verdict.ensembles import card_of
from transfermap.verdict.voting import KEY, SoftVoting, joint, outputs

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 3))
y = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])]


def test_probabilities_are_the_mean_of_the_members():
    models = {"one": LogisticRegression().fit(X, y), "two": LogisticRegression(C=0.01).fit(X[:, :], y)}
    together = SoftVoting(models)
    expected = sum(m.predict_proba(X) for m in models.values()) / 2
    np.testing.assert_allclose(together.predict_proba(X), expected)
    assert together.predict(X).tolist() == together.classes_[expected.argmax(axis=1)].tolist()


def test_a_member_without_probabilities_is_sure_and_one_that_lacks_a_class_gives_it_none():
    classes = np.array(["a", "b", "c"])
    sure = outputs(LinearSVC().fit(X, y), X, classes)
    assert set(np.unique(sure)) == {0.0, 1.0} and (sure.sum(axis=1) == 1).all()
    two = LogisticRegression().fit(X[y != "b"], y[y != "b"])
    assert (outputs(two, X, classes)[:, 1] == 0).all()
    np.testing.assert_allclose(outputs(two, X, classes)[:, [0, 2]], two.predict_proba(X))


def test_numbers_are_averaged():
    models = {"one": LinearRegression().fit(X, X[:, 0]), "two": LinearRegression().fit(X, 3 * X[:, 0])}
    np.testing.assert_allclose(SoftVoting(models).predict(X), 2 * X[:, 0])
    np.testing.assert_allclose(joint([np.ones(3), 3 * np.ones(3)]), 2)


def test_without_models_it_says_so():
    with pytest.raises(ValueError, match="no models"):
        SoftVoting().predict(X)
    assert card_of(KEY).name == "Soft-voting ensemble"
    assert card_of("coral").family == "subspace"


def test_it_is_a_candidate_that_is_saved_and_loaded(tmp_path):
    shifted = X @ np.diag([1.0, 2.0, 0.5]) + 0.4
    run = tm.adapt(X, y, shifted, method=["coral", "sa"])
    assert KEY in run.methods
    predicted = run.predict(shifted, method=KEY)
    members = [run.predict_proba(shifted, method=k) for k in ("sourceonly", "domainscaler", "coral", "sa")]
    assert predicted.tolist() == np.unique(y)[np.mean(members, axis=0).argmax(axis=1)].tolist()
    loaded = tm.load_run(run.save(tmp_path / "run"))
    assert loaded.predict(shifted, method=KEY).tolist() == predicted.tolist()
    assert KEY not in tm.adapt(X, y, shifted, method="coral").methods
