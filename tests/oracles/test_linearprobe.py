"""The linear probe is scikit-learn's logistic regression on the source net's features."""

import numpy as np
import pytest
from finetuning_case import STEPS, logits, predicted, rows, source_net
from sklearn.linear_model import LogisticRegression, Ridge

from transfermap.deep.training import settings
from transfermap.finetuning.recipes import PENALTIES
from transfermap.methods.tuning.linearprobe import LinearProbe


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(settings, "STEPS", STEPS)


def features(trained, X, seen):
    F = trained.features(X.astype(np.float32)).astype(float)
    centre = F[seen].mean(axis=0)
    return (F - centre) / np.sqrt(((F[seen] - centre) ** 2).sum(axis=1).mean())


def test_it_is_one_of_the_logistic_regressions_on_the_features():
    X, y, d, seen = rows()
    Z = features(source_net(X, y, d), X, seen)
    fitted = LinearProbe().fit(X, y, sample_domain=d)
    found = []
    for C in PENALTIES:
        rule = LogisticRegression(C=C * len(seen), max_iter=2000, tol=1e-8).fit(Z[seen], y[seen])
        found.append(np.abs(rule.predict_proba(Z) - fitted.predict_proba(X)).max())
    assert min(found) < 2e-3 < sorted(found)[1]


def test_for_numbers_it_is_a_ridge_rule():
    X, _, d, seen = rows()
    y = X[:, 0] - X[:, 1]
    y[d < 0] = np.where(np.isin(np.flatnonzero(d < 0), seen), y[d < 0] * 2 + 1, np.nan)
    from transfermap.adapted import Adapted
    from transfermap.methods.baseline.erm import ERM

    trained = Adapted(ERM(), Ridge()).fit(X, y, sample_domain=d).adapter_.estimator_
    Z = features(trained, X, seen)
    fitted = Adapted(LinearProbe(), Ridge()).fit(X, y, sample_domain=d)
    found = [
        np.abs(Ridge(alpha=1 / (C * len(seen))).fit(Z[seen], y[seen]).predict(Z) - fitted.predict(X)).max()
        for C in PENALTIES
    ]
    assert min(found) < 1e-3 < sorted(found)[1]


def test_half_of_the_weight_is_the_mean_of_both_heads():
    X, y, d, _ = rows()
    trained = source_net(X, y, d)
    ends = logits(trained, trained.modules_, X), predicted(LinearProbe().fit(X, y, sample_domain=d), X)
    half = predicted(LinearProbe(weight=0.5).fit(X, y, sample_domain=d), X)
    np.testing.assert_allclose(half, (ends[0] + ends[1]) / 2, atol=1e-5)


def test_a_class_without_a_labelled_row_is_not_told():
    X, y, d, seen = rows()
    y[seen] = 1
    assert (LinearProbe().fit(X, y, sample_domain=d).predict(X) == 1).all()
