"""Pseudo-labelling by the ensemble: who teaches, which rows, and that the model is the usual estimator."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import transfermap as tm
from transfermap.verdict.encoded import Domains, Part
from transfermap.verdict.ensembles import card_of, ensembles_for
from transfermap.verdict.pseudo_labelling import KEY, PseudoLabelling, surest

RNG = np.random.default_rng(0)
ys = RNG.permutation(np.repeat(["a", "b", "c"], 30))
yt = RNG.permutation(np.repeat(["a", "b", "c"], 20))
MEANS = {"a": (0, 0), "b": (4, 0), "c": (0, 4)}
Xs = np.array([MEANS[c] for c in ys]) + RNG.normal(size=(90, 2))
Xt = np.array([MEANS[c] for c in yt]) + RNG.normal(size=(60, 2)) + 3.0
DATA = Domains(Xs, ys, Xt, np.zeros(90, dtype=int), None, "classification")


def sure_of(y, right):
    """Probabilities of one method: right about some rows and sure, wrong about the others and unsure."""
    P = np.full((len(y), 3), 0.3)
    truth = np.searchsorted(["a", "b", "c"], y)
    P[np.arange(len(y)), np.where(right, truth, (truth + 1) % 3)] = np.where(right, 0.9, 0.4)
    return P / P.sum(axis=1, keepdims=True)


def test_the_surest_rows_are_those_of_a_plain_loop():
    P = RNG.dirichlet([1, 1, 1], 40)
    expected = []
    for c in range(3):
        own = [i for i in range(40) if P[i].argmax() == c]
        expected += sorted(own, key=lambda i: -P[i].max())[: -(-len(own) // 2)]
    assert surest(P).tolist() == sorted(expected)
    assert surest(P, 1.0).tolist() == list(range(40))


def test_only_methods_that_move_features_teach_where_there_are_any():
    assert PseudoLabelling().voters(["sourceonly", "coral", "kmm", "tca"]) == ["coral", "tca"]
    assert PseudoLabelling().voters(["sourceonly", "kmm"]) == ["sourceonly", "kmm"]


def test_the_model_is_the_estimator_on_the_source_and_the_surest_rows():
    P = sure_of(yt, RNG.random(60) < 0.7)
    predicted = {"coral": SimpleNamespace(shown=P, held=None), "kmm": SimpleNamespace(shown=P[:, ::-1], held=None)}
    part = Part(np.arange(60), np.arange(60, 90), np.arange(60))
    held, shown = PseudoLabelling().on_resample(predicted, LogisticRegression(), DATA, part, np.arange(60))
    keep = surest(P)
    taken = np.array(["a", "b", "c"])[P.argmax(axis=1)][keep]
    model = LogisticRegression().fit(np.r_[Xs[:60], Xt[keep]], np.r_[ys[:60], taken])
    np.testing.assert_allclose(held, model.predict_proba(Xs[60:]))
    np.testing.assert_allclose(shown, model.predict_proba(Xt))


def test_it_learns_what_source_only_does_not_know():
    right = sure_of(yt, RNG.random(60) < 0.8)
    teacher = SimpleNamespace(predict=None, predict_proba=lambda X: right, classes_=np.array(["a", "b", "c"]))
    plain = LogisticRegression().fit(Xs, ys).score(Xt, yt)
    assert PseudoLabelling().model({"coral": teacher}, LogisticRegression(), DATA).score(Xt, yt) > plain + 0.1


def test_it_is_a_candidate_for_classes_that_is_saved_and_loaded(tmp_path):
    assert KEY in [key for key, _, _ in ensembles_for("classification")]
    assert KEY not in [key for key, _, _ in ensembles_for("regression")]
    assert card_of(KEY).transfers == "parameters"
    run = tm.adapt(Xs, ys, Xt, method=["coral", "sa"])
    assert KEY in run.methods
    predicted = run.predict(Xt, method=KEY)
    assert tm.load_run(run.save(tmp_path / "run")).predict(Xt, method=KEY).tolist() == predicted.tolist()
    assert np.mean(predicted == yt) > 0.5


@pytest.mark.parametrize("estimator", ["forest", "svm", "knn"])
def test_any_estimator_can_be_taught(estimator):
    assert KEY in tm.adapt(Xs, ys, Xt, method=["coral", "sa"], estimator=estimator).methods
