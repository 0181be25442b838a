"""Source only, against the plain estimator: fitted on the source rows alone, it must be the same to the last bit."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from transfermap.adapted import Adapted
from transfermap.data.toy import make_toy
from transfermap.methods.baseline.sourceonly import SourceOnly


@pytest.mark.parametrize(("estimator", "task"), [(LogisticRegression(), "classification"), (Ridge(), "regression")])
def test_it_is_the_estimator_on_the_source(estimator, task):
    toy = make_toy("site_offsets", task=task)
    X, y, d = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, toy.yt], np.repeat([1, -1], 300)
    adapted = Adapted(SourceOnly(), estimator).fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(adapted.predict(toy.Xt), estimator.fit(toy.Xs, toy.ys).predict(toy.Xt))


def test_rows_pass_through_untouched():
    X = np.random.default_rng(0).normal(size=(6, 2))
    np.testing.assert_array_equal(SourceOnly().fit_transform(X, sample_domain=[1, -1, 1, -1, 2, 2]), X)
