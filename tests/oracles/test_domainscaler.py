"""Every domain scaled by itself, against one StandardScaler a domain."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from transfermap.methods.alignment.domainscaler import DomainScaler

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 3)) * [1, 10, 100] + 5
d = rng.permutation(np.repeat([0, 4, -1], 30))
X[d == 4] *= 7


@pytest.mark.parametrize("with_std", [True, False])
def test_each_domain_is_scaled_by_its_own_scaler(with_std):
    Z = DomainScaler(with_std=with_std).fit_transform(X, sample_domain=d)
    for number in (0, 4, -1):
        alone = StandardScaler(with_std=with_std).fit_transform(X[d == number])
        np.testing.assert_allclose(Z[d == number], alone, atol=1e-10)


def test_new_rows_of_the_target_use_the_targets_stored_numbers():
    scaler, new = DomainScaler().fit(X, sample_domain=d), rng.normal(size=(5, 3))
    expected = StandardScaler().fit(X[d < 0]).transform(new)
    np.testing.assert_allclose(scaler.transform(new), expected)
    np.testing.assert_allclose(scaler.transform(new, sample_domain=[-9] * 5), expected)


def test_a_source_that_fit_did_not_see_is_refused():
    with pytest.raises(ValueError, match=r"\[7\].*\[0, 4\]"):
        DomainScaler().fit(X, sample_domain=d).transform(X[:2], sample_domain=[0, 7])


def test_a_constant_column_becomes_zero():
    flat = X.copy()
    flat[:, 1] = 1e9 + 0.1
    assert np.abs(DomainScaler().fit_transform(flat, sample_domain=d)[:, 1]).max() < 1e-5
