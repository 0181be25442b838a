"""Mini-batch transport: one batch is the exact plan; many are the mean of the plans that the batches have."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from transfermap.math.transport import centred
from transfermap.methods.transport._shared import batches
from transfermap.methods.transport.emd import EMD
from transfermap.methods.transport.minibatchtransport import MiniBatchTransport, averaged_images
from transfermap.methods.transport.sinkhorn import Sinkhorn

rng = np.random.default_rng(0)


def mapped(adapter, Xs, Xt):
    d = np.repeat([1, -1], [len(Xs), len(Xt)])
    return adapter.fit_transform(np.r_[Xs, Xt], sample_domain=d)[: len(Xs)]


def test_one_batch_is_the_exact_plan_and_the_entropic_one():
    Xs, Xt = rng.normal(size=(80, 3)), rng.normal(size=(120, 3)) * 2 + 1
    np.testing.assert_allclose(mapped(MiniBatchTransport(batch_size=120), Xs, Xt), mapped(EMD(), Xs, Xt), atol=1e-9)
    entropic = MiniBatchTransport(batch_size=120, reg=0.1, cost_scale="max")
    expected = mapped(Sinkhorn(reg=0.1, cost_scale="max"), Xs, Xt)
    np.testing.assert_allclose(mapped(entropic, Xs, Xt), expected, atol=1e-9)


def test_many_batches_are_the_mean_of_their_assignments():
    Xs, Xt, n = rng.normal(size=(40, 2)), rng.normal(size=(40, 2)) + 1, np.full(40, 1 / 40)
    ours, _ = averaged_images(centred(Xs, Xt), n, n, Xt, None, 10, 3, 5)
    again, images = np.random.default_rng(5), [[] for _ in range(40)]
    for _ in range(3):
        for i, j in batches(40, 40, 10, again):
            C = ((Xs[i][:, None] - Xt[j][None]) ** 2).sum(axis=2)
            for r, c in zip(*linear_sum_assignment(C), strict=True):
                images[i[r]].append(Xt[j[c]])
    np.testing.assert_allclose(ours, [np.mean(places, axis=0) for places in images], atol=1e-12)


@pytest.mark.parametrize(("n", "m", "size"), [(10, 10, 3), (7, 100, 10), (100, 7, 10), (5, 5, 50), (101, 99, 10)])
def test_every_row_is_in_a_batch_and_no_batch_is_too_large_or_too_thin(n, m, size):
    parts = batches(n, m, size, np.random.default_rng(0))
    for side, count in ((0, n), (1, m)):
        members = [part[side] for part in parts]
        assert set(np.concatenate(members)) == set(range(count))
        assert all(min(count, size // 2) <= len(part) <= size for part in members)
        assert all(len(set(part)) == len(part) for part in members)


def test_a_few_source_rows_do_not_collapse_before_a_large_target():
    """Dealing 30 source rows out to 100 batches once would leave most of them with one row, which goes to the mean."""
    Xs, Xt = np.linspace(0, 1, 30)[:, None], np.linspace(10, 12, 3000)[:, None]
    moved = mapped(MiniBatchTransport(batch_size=30), Xs, Xt).ravel()
    np.testing.assert_allclose(moved, np.linspace(10, 12, 30), atol=0.1)


def test_a_translation_is_undone_on_the_whole():
    X = rng.normal(size=(2000, 2))
    moved = mapped(MiniBatchTransport(batch_size=500), X[:1000], X[1000:] + 7)
    assert np.abs(moved - X[:1000] - 7).mean() < 0.15


def test_equal_rows_go_to_one_place_and_the_seed_deals():
    Xs, Xt = rng.integers(0, 4, size=(90, 2)) * 1.0, rng.normal(size=(90, 2)) + 3
    Z = mapped(MiniBatchTransport(batch_size=20), Xs, Xt)
    same = (Xs == Xs[0]).all(axis=1)
    assert same.sum() > 1
    np.testing.assert_array_equal(Z[same], np.tile(Z[0], (same.sum(), 1)))
    Zother = mapped(MiniBatchTransport(batch_size=20, random_state=1), Xs, Xt)
    assert not np.allclose(Z, Zother)


def test_the_order_of_rows_does_not_matter_with_many_batches_either():
    Xs, Xt, mixed = rng.normal(size=(60, 2)), rng.normal(size=(60, 2)) + 1, rng.permutation(60)
    params = {"batch_size": 16}
    Z = mapped(MiniBatchTransport(**params), Xs, Xt)
    np.testing.assert_array_equal(mapped(MiniBatchTransport(**params), Xs[mixed], Xt[::-1]), Z[mixed])
