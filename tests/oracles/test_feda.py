"""Feature augmentation, against the paper's kernel and against what a penalised linear model on it must satisfy."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC

from transfermap.adapted import Adapted
from transfermap.methods.predictor.feda import FEDA

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 3))
d = rng.permutation(np.repeat([2, 7, -1], 30))
truth = (X[:, 0] + np.where(d == -1, -2, 1) * X[:, 1] + 0.3 * rng.normal(size=90) > 0).astype(int)
known = (d >= 0) | (np.cumsum(d < 0) <= 12)
y = np.where(known, truth, -1)


def naive(x, domain, order=(2, 7, -1)):
    return np.concatenate([x, *(x if domain == k else np.zeros_like(x) for k in order)])


def test_each_row_is_copied_as_the_paper_says():
    Z = FEDA().fit_transform(X, y, sample_domain=d)
    np.testing.assert_array_equal(Z, [naive(x, k) for x, k in zip(X, d, strict=True)])
    new = rng.normal(size=(4, 3))
    np.testing.assert_array_equal(FEDA().fit(X, y, sample_domain=d).transform(new), [naive(x, -1) for x in new])


def test_an_svm_on_it_is_one_with_the_papers_kernel():
    # twice the inner product within a domain, once across
    K = (X @ X.T) * (1 + (d[:, None] == d))
    plain = SVC(kernel="precomputed", tol=1e-8).fit(K[np.ix_(known, known)], y[known])
    ours = Adapted(FEDA(), SVC(kernel="linear", tol=1e-8)).fit(X, y, sample_domain=d)
    t = d < 0
    np.testing.assert_allclose(
        ours.decision_function(X[t]), plain.decision_function(K[np.ix_(t, known)]), rtol=1e-4, atol=1e-4
    )


def test_the_common_coefficients_are_the_sum_of_the_domains_own():
    # the gradient of the loss in the common block is the sum of those in the others, and so are the coefficients
    numbers = np.where(known, X @ [1.0, 2.0, 3.0] + (d < 0) * X[:, 1], np.nan)
    model = Adapted(FEDA(), Ridge(alpha=2.0, fit_intercept=False)).fit(X, numbers, sample_domain=d)
    common, *own = model.estimator_.coef_.reshape(4, 3)
    np.testing.assert_allclose(common, sum(own), atol=1e-10)
    np.testing.assert_allclose(model.predict(X), X @ (common + own[-1]), atol=1e-12)


def test_it_learns_a_rule_that_is_the_targets_own():
    t = (d < 0) & ~known
    both = LogisticRegression().fit(X[known], y[known]).score(X[t], truth[t])
    assert Adapted(FEDA(), LogisticRegression()).fit(X, y, sample_domain=d).score(X[t], truth[t]) > both + 0.1


def test_target_rows_without_a_label_do_not_count():
    fitted = Adapted(FEDA(), LogisticRegression(tol=1e-10)).fit(X, y, sample_domain=d)
    fewer = Adapted(FEDA(), LogisticRegression(tol=1e-10)).fit(X[known], y[known], sample_domain=d[known])
    np.testing.assert_allclose(fitted.decision_function(X), fewer.decision_function(X), atol=1e-8)


@pytest.mark.parametrize("own", [False, True])
def test_sparse_rows_are_copied_too_and_stay_sparse(own):
    dense = FEDA(own_intercept=own).fit_transform(X, y, sample_domain=d)
    thin = FEDA(own_intercept=own).fit_transform(sparse.csr_matrix(X), y, sample_domain=d)
    assert sparse.issparse(thin) and thin.nnz == 2 * (X.size + own * len(X))
    np.testing.assert_array_equal(thin.toarray(), dense)


def test_with_its_own_intercept_a_domain_may_lie_elsewhere():
    numbers = X[:, 0] + 10.0 * (d < 0)

    def error(own):
        model = Adapted(FEDA(own_intercept=own), Ridge(0.01)).fit(X, numbers, sample_domain=d)
        return np.abs(model.predict(X[d < 0]) - numbers[d < 0]).mean()

    assert error(True) < 0.05
    assert error(False) > 1


def test_a_source_that_fit_did_not_see_is_refused():
    with pytest.raises(ValueError, match=r"\[3\].*\[2, 7\]"):
        FEDA().fit(X, y, sample_domain=d).transform(X[:2], sample_domain=[2, 3])


def test_a_source_number_a_row_is_refused_before_memory_is():
    rows = rng.normal(size=(20_000, 2))
    with pytest.raises(ValueError, match="GB of 15000 sources.*fewer source numbers"):
        FEDA().fit(rows, np.arange(20_000) % 2, sample_domain=np.r_[np.arange(15_000), np.full(5_000, -1)])
