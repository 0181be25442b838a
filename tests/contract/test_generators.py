"""What every generator promises: rows that are its seed's, of the right shape, finite, and the same from a file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from method_case import data
from side_information import told
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from transfermap.adapted import Adapted
from transfermap.card import Card, check_params, find, keys, param
from transfermap.roles import Generator
from transfermap.runs import model_file
from transfermap.runs.model_file import load, save
from transfermap.split import Split


@dataclass(eq=False, repr=False, kw_only=True)  # what @method does, which asks for a file under methods/
class Cloud(Generator):
    """The smallest generator: a Gaussian with the rows' mean and covariance, a domain each."""

    card = Card(
        **dict.fromkeys(("name", "objective", "solver", "cost", "reference", "doi"), "a Gaussian a domain"),
        **dict.fromkeys(("steps", "assumes", "fails_when"), ("none",)),
        year=2026,
        setting="unsupervised",
        transfers="features",
    )
    makes = ("target", "source")
    reg: float = param(default=0.1, low=0)

    def _fit(self, rows: Split) -> None:
        self.means_ = np.stack([rows.Xt.mean(0), rows.Xs.mean(0)])
        ridge = self.reg * np.eye(rows.Xs.shape[1])
        self.roots_ = np.stack([np.linalg.cholesky(np.cov(X.T) + ridge) for X in (rows.Xt, rows.Xs)])

    def _sample(self, n: int, seed: int, domain: str) -> np.ndarray:
        k = self.makes.index(domain)
        return np.random.default_rng(seed).normal(size=(n, len(self.means_[k]))) @ self.roots_[k].T + self.means_[k]


GENERATORS = [Cloud, *(find(k) for k in keys() if issubclass(find(k), Generator))]
every = pytest.mark.parametrize("cls", GENERATORS, ids=lambda cls: cls.__name__)


@pytest.fixture(autouse=True)
def _cloud_may_be_saved(monkeypatch):
    own = model_file.allowed()
    monkeypatch.setattr(model_file, "allowed", lambda: [*own, f"{__name__}.Cloud"])


def fitted(cls, seed=0):
    X, y, d = data("site_offsets", seed=seed)
    return cls().fit(X, y, **(told(cls.card.key, X, y, d) if cls is not Cloud else {"sample_domain": d})), X


@every
def test_the_same_seed_gives_the_same_rows_and_another_gives_others(cls):
    m, X = fitted(cls)
    for domain in cls.makes:
        rows = m.sample(7, seed=3, domain=domain)
        assert rows.shape == (7, X.shape[1]) and np.isfinite(rows).all()
        np.testing.assert_array_equal(m.sample(7, seed=3, domain=domain), rows)
        assert not np.array_equal(m.sample(7, seed=4, domain=domain), rows)
        assert m.sample(1, domain=domain).shape == (1, X.shape[1])
    np.testing.assert_array_equal(fitted(cls)[0].sample(7, seed=3, domain=cls.makes[0]), m.sample(7, 3, cls.makes[0]))


@every
def test_saved_and_loaded_it_makes_the_same_rows(cls, tmp_path):
    m, _ = fitted(cls)
    save(m, tmp_path / "model.tmap")
    for domain in cls.makes:
        np.testing.assert_array_equal(load(tmp_path / "model.tmap").sample(5, 1, domain), m.sample(5, 1, domain))


@every
def test_what_it_is_asked_for_is_checked(cls):
    m, _ = fitted(cls)
    for n in (0, -1, 1.5, "3", None):
        with pytest.raises(ValueError, match="n must be a whole number >= 1"):
            m.sample(n)
    with pytest.raises(ValueError, match=r"makes rows of: .*; got domain='elsewhere'"):
        m.sample(3, domain="elsewhere")
    with pytest.raises(ValueError, match="not fitted"):
        cls().sample(3)


@every
def test_it_is_cloned_and_its_params_are_bounded(cls):
    assert clone(cls()).get_params() == cls().get_params()
    check_params(cls())
    X, y, d = data()
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        cls().fit(X, y, sample_domain=d)


@every
def test_it_stands_in_front_of_no_estimator(cls):
    X, y, d = data()
    with pytest.raises(ValueError, match="adapter must be an Adapter, a Weigher or a Learner"):
        Adapted(cls(), LogisticRegression()).fit(X, y, sample_domain=d)
