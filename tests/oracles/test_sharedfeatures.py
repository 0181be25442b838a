"""Shared-feature selection, against scipy's two-sample test, a step-up procedure, and its promise by simulation."""

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import ks_2samp
from sklearn.exceptions import NotFittedError
from sklearn.metrics import mutual_info_score

from transfermap.methods.selection.sharedfeatures import SharedFeatures, column_gaps, gap_p_values, label_shares

rng = np.random.default_rng(0)
Xs = np.c_[rng.normal(size=(150, 4)), rng.poisson(1, (150, 2)), np.ones(150)]
Xt = np.c_[rng.normal([0, 1, 0, 0.2], size=(90, 4)), rng.poisson([1, 3], (90, 2)), np.ones(90)]
X, d, y = np.r_[Xs, Xt], np.repeat([1, -1], [150, 90]), np.tile([0, 1], 120)


def fitted(**params):
    return SharedFeatures(**params).fit(X, y, sample_domain=d)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_distances_and_p_values_are_scipys_ties_included(kind):
    gaps = column_gaps(kind(Xs), kind(Xt))
    tests = [ks_2samp(a, b, method="asymp") for a, b in zip(Xs.T, Xt.T, strict=True)]
    np.testing.assert_allclose(gaps, [t.statistic for t in tests], atol=1e-12)
    np.testing.assert_allclose(gap_p_values(gaps, 150, 90), [t.pvalue for t in tests], rtol=0.1, atol=1e-6)


def test_what_is_dropped_is_what_the_step_up_procedure_rejects():
    found, m = fitted(fdr=0.05, tolerance=0.0), X.shape[1]
    order = np.argsort(found.pvalues_)
    below = np.flatnonzero(found.pvalues_[order] <= 0.05 * np.arange(1, m + 1) / m)
    rejected = np.zeros(m, dtype=bool)
    rejected[order[: below.max() + 1]] = True
    np.testing.assert_array_equal(found.kept_, ~rejected)
    assert not found.get_support()[[1, 5]].any() and found.get_support()[6]
    np.testing.assert_array_equal(found.transform(X), X[:, found.kept_])


def test_the_bound_on_false_discoveries_holds():
    shares = []
    for seed in range(200):
        r = np.random.default_rng(seed)
        A, B = r.normal(size=(100, 20)), r.normal(size=(100, 20)) + np.repeat([1.0, 0.0], [5, 15])
        chosen = SharedFeatures(fdr=0.2, tolerance=0.0)
        dropped = ~chosen.fit(np.r_[A, B], np.tile([0, 1], 100), sample_domain=np.repeat([1, -1], 100)).kept_
        assert dropped[:5].mean() > 0.5
        shares.append(dropped[5:].sum() / max(dropped.sum(), 1))
    assert 0.02 < np.mean(shares) < 0.2


def test_with_many_rows_a_trifle_drops_nothing():
    r = np.random.default_rng(1)
    A, B = r.normal(size=(40_000, 2)), r.normal([0.05, 0.5], size=(40_000, 2))
    many, labels, domain = np.r_[A, B], np.tile([0, 1], 40_000), np.repeat([1, -1], 40_000)
    found = SharedFeatures().fit(many, labels, sample_domain=domain)
    assert found.pvalues_.max() < 1e-6
    np.testing.assert_array_equal(found.kept_, [True, False])
    assert not SharedFeatures(tolerance=0.0, least=1).fit(many, labels, sample_domain=domain).kept_.all()


def test_ranks_alone_count():
    bent = np.exp(X) * 7 + 3
    np.testing.assert_array_equal(SharedFeatures().fit(bent, y, sample_domain=d).distances_, fitted().distances_)


def test_if_all_columns_differ_the_least_differing_stay():
    far = X.copy()
    far[d < 0] += [9, 1, 9, 2, 9, 9, 9]
    found = SharedFeatures(least=2).fit(far, y, sample_domain=d)
    assert set(np.flatnonzero(found.kept_)) == set(np.argsort(found.distances_)[:2])


def test_a_column_that_tells_the_label_may_stay():
    predicted = X.copy()
    predicted[:, 1] += 6 * y
    assert not SharedFeatures().fit(predicted, y, sample_domain=d).kept_[1]
    assert SharedFeatures(informative=0.5).fit(predicted, y, sample_domain=d).kept_[1]
    assert not SharedFeatures(informative=0.5).fit(predicted, rng.permutation(y), sample_domain=d).kept_[1]


def test_label_shares_are_mutual_information_over_entropy():
    x, labels = rng.integers(0, 5, 400), rng.integers(0, 3, 400)
    labels[x == 2] = 1
    expected = mutual_info_score(x, labels) / mutual_info_score(labels, labels)
    assert label_shares(x[:, None].astype(float), labels)[0] == pytest.approx(expected)
    numbers = rng.normal(size=4000)
    shares = label_shares(np.c_[numbers, rng.normal(size=4000)], numbers)
    assert shares[0] == pytest.approx(1) and shares[1] < 0.01


def test_before_fit_there_is_no_choice():
    with pytest.raises(NotFittedError):
        SharedFeatures().get_support()
