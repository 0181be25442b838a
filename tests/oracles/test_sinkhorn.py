"""Entropic transport, against textbook scaling with full matrices, both its limits and the Gaussian closed form."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

from transfermap.math import transport
from transfermap.math.transport import barycentres, centred, distinct, plan_blocks, sinkhorn, squared_distance_scale
from transfermap.methods.transport.emd import EMD
from transfermap.methods.transport.sinkhorn import Sinkhorn

rng = np.random.default_rng(0)


def domains(ns, nt):
    return np.repeat([1, -1], [ns, nt])


def mapped(adapter, Xs, Xt):
    return adapter.fit_transform(np.r_[Xs, Xt], sample_domain=domains(len(Xs), len(Xt)))[: len(Xs)]


def squares(Xs, Xt):
    return ((Xs[:, None] - Xt[None]) ** 2).sum(axis=2)


def textbook(C, a, b, reg, steps=2000):
    """Scaling in logarithms, n x m arrays throughout."""
    f, g = np.zeros(len(a)), np.zeros(len(b))
    for _ in range(steps):
        f = -reg * logsumexp((g - C) / reg, b=b, axis=1)
        g = -reg * logsumexp((f[:, None] - C) / reg, b=a[:, None], axis=0)
    return a[:, None] * b * np.exp((f[:, None] + g - C) / reg)


def plan(cost, a, b, reg, **params):
    found = sinkhorn(cost, a, b, reg, **params)
    return np.concatenate([P for _, P in plan_blocks(cost, a, b, found, reg)]), found


@pytest.mark.parametrize("reg", [10.0, 0.3, 0.05])
@pytest.mark.parametrize("priced", [False, True])
def test_it_is_the_textbooks_plan(reg, priced):
    a, b = rng.dirichlet(np.ones(23)), rng.dirichlet(np.ones(31))
    cost = centred(rng.normal(size=(23, 3)), rng.normal(size=(31, 3)) + 1, 4.0)
    C = squares(cost.Xs, cost.Xt)
    if priced:
        cost = cost._replace(codes=rng.integers(0, 2, 23), table=rng.exponential(size=(2, 31)))
        C = C + cost.table[cost.codes]
    P, found = plan(cost, a, b, reg, tol=1e-10, max_iter=5000)
    assert found.error < 1e-10
    np.testing.assert_allclose(P, textbook(C, a, b, reg), atol=1e-9)


@pytest.mark.parametrize("reg", [1.0, 0.1, 0.01])
def test_both_marginals_hold(reg):
    a, b = np.full(300, 1 / 300), np.full(200, 1 / 200)
    cost = centred(rng.normal(size=(300, 10)), rng.normal(size=(200, 10)) * 1.5, 30.0)
    P, found = plan(cost, a, b, reg)
    assert found.error < 1e-6
    assert np.abs(P.sum(axis=0) - b).sum() < 1.1e-6
    np.testing.assert_allclose(P.sum(axis=1), a, rtol=1e-12)


def test_the_float32_and_the_sparse_kernel_give_what_the_full_one_gives(monkeypatch):
    a, b = np.full(250, 1 / 250), np.full(250, 1 / 250)
    cost = centred(rng.normal(size=(250, 2)), rng.normal(size=(250, 2)) + 1, 2.0)
    monkeypatch.setattr(transport, "_SPARSE", 0.0)
    full, _ = plan(cost, a, b, 0.01, tol=1e-8, max_iter=10_000)
    monkeypatch.setattr(transport, "_SPARSE", 1.0)
    thin, _ = plan(cost, a, b, 0.01, tol=1e-8, max_iter=10_000)
    np.testing.assert_allclose(thin, full, atol=1e-9)
    monkeypatch.setattr(transport, "SMALL", 100)
    assert transport.kernel_type(250, 250, 1e-6) is np.float32
    single, found = plan(cost, a, b, 0.05, tol=1e-6, max_iter=10_000)
    assert found.error < 1e-6
    monkeypatch.setattr(transport, "SMALL", 10**9)
    np.testing.assert_allclose(single, plan(cost, a, b, 0.05, tol=1e-9)[0], atol=1e-7)


def test_towards_no_entropy_it_is_the_exact_plan():
    Xs, Xt = rng.normal(size=(40, 2)), rng.normal(size=(40, 2)) * 2 + 3
    exact = mapped(EMD(), Xs, Xt)
    far = [np.abs(mapped(Sinkhorn(reg=reg, tol=1e-5), Xs, Xt) - exact).max() for reg in (1e-1, 1e-2, 1e-3, 3e-5)]
    assert all(np.diff(far) < 0)
    assert far[-1] < 1e-3


def test_towards_all_entropy_every_row_goes_to_the_targets_mean():
    Xs, Xt = rng.normal(size=(40, 3)), rng.normal(size=(70, 3)) + 3
    np.testing.assert_allclose(mapped(Sinkhorn(reg=1e9), Xs, Xt), np.tile(Xt.mean(axis=0), (40, 1)), atol=1e-6)


def test_gaussians_are_carried_by_their_closed_form():
    """With little entropy the map of two Gaussians is the Monge map, shrunk a little."""
    Xs, Xt = rng.normal(size=(3000, 2)), rng.normal(size=(3000, 2)) @ [[2.0, 0.5], [0.5, 1.0]] + [5, -1]
    Cs, Ct = np.cov(Xs.T), np.cov(Xt.T)
    half = np.real(sqrtm(Cs))
    A = np.linalg.inv(half) @ np.real(sqrtm(half @ Ct @ half)) @ np.linalg.inv(half)
    monge = (Xs - Xs.mean(axis=0)) @ A + Xt.mean(axis=0)
    inner = np.linalg.norm(Xs, axis=1) < 1.5
    ours = mapped(Sinkhorn(reg=0.02, cost_scale="none", tol=1e-4), Xs, Xt)
    assert np.abs(ours - monge)[inner].mean() < 0.08


def test_the_scale_makes_reg_mean_the_same_in_any_unit():
    Xs, Xt = rng.normal(size=(50, 3)), rng.normal(size=(50, 3)) * 2 + 1
    for which in ("median", "max"):
        params = {"reg": 0.1, "cost_scale": which}
        np.testing.assert_allclose(
            mapped(Sinkhorn(**params), 1e4 * Xs, 1e4 * Xt),
            1e4 * mapped(Sinkhorn(**params), Xs, Xt),
            rtol=1e-5,
            atol=1e-2,
        )
    a = np.full(50, 1 / 50)
    C = squares(Xs, Xt)
    assert squared_distance_scale(Xs, Xt, "max") == pytest.approx(C.max())
    assert squared_distance_scale(Xs, Xt, "median") == pytest.approx(np.median(C))
    raw = mapped(Sinkhorn(reg=3.0, cost_scale="none"), Xs, Xt)
    np.testing.assert_allclose(raw, 50 * textbook(C, a, a, 3.0, 500) @ Xt, atol=1e-4)


def test_a_cost_that_underflows_everywhere_at_once_is_no_trouble():
    """exp(-C / reg) is 0 for every pair here, which leaves plain scaling with 0 / 0."""
    Xs, Xt = rng.normal(size=(80, 2)), rng.normal(size=(80, 2)) + 1000
    assert (np.exp(-squares(Xs, Xt) / 0.5) == 0).all()
    moved = mapped(Sinkhorn(reg=0.5, cost_scale="none"), Xs, Xt)
    np.testing.assert_allclose(moved.mean(axis=0), Xt.mean(axis=0), atol=1e-4)


@pytest.mark.parametrize("side", [0, 1])
def test_outliers_do_not_keep_it_from_its_marginals(side):
    X = [rng.normal(size=(150, 3)), rng.normal(size=(150, 3)) + 1]
    X[side][:3] *= 1e5
    sinkhorn_ = Sinkhorn(reg=0.1, tol=1e-5)
    mapped(sinkhorn_, *X)
    assert sinkhorn_.marginal_error_ < 2e-5


def test_rows_twice_there_are_rows_of_twice_the_mass():
    Xs, Xt = rng.normal(size=(40, 3)), rng.normal(size=(30, 3)) + 2
    twice = mapped(Sinkhorn(reg=0.1), np.r_[Xs, Xs[:10]], Xt)
    rows, a, place = distinct(np.r_[Xs, Xs[:10]])
    goals, b, _ = distinct(Xt)
    cost = centred(rows, goals, squared_distance_scale(rows, goals, "median"))
    images, _ = barycentres(cost, a, b, sinkhorn(cost, a, b, 0.1), 0.1, goals)
    np.testing.assert_allclose(twice, images[place], atol=1e-9)
    assert a.max() == pytest.approx(2 / 50)


def test_too_few_steps_are_told():
    Xs, Xt = rng.normal(size=(80, 3)), rng.normal(size=(80, 3)) + 2
    with pytest.warns(ConvergenceWarning, match="column sums are off by .* after 2 steps"):
        mapped(Sinkhorn(reg=0.01, max_iter=2), Xs, Xt)


def test_a_plan_without_room_is_refused_at_once_with_a_way_out():
    X = rng.normal(size=(2000, 2))
    with pytest.raises(ValueError, match=r"1000 and 1000 .* needs 0\.0 GiB, more than max_gb=0.001; use MiniBatch"):
        Sinkhorn(max_gb=1e-3).fit(X, sample_domain=domains(1000, 1000))
