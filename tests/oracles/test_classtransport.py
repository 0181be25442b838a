"""Class-regularised transport, against the printed loop with full matrices, a separable toy, and its plain limit."""

import numpy as np
import pytest

from transfermap.math.transport import centred, plan_blocks
from transfermap.methods.transport.classtransport import ClassTransport, class_plan
from transfermap.methods.transport.sinkhorn import Sinkhorn

rng = np.random.default_rng(0)


def squares(Xs, Xt):
    return ((Xs[:, None] - Xt[None]) ** 2).sum(axis=2)


def naive(C, codes, a, b, reg, class_reg, rounds):
    """Majorise and minimise, an n x m price matrix each round."""
    prices = np.zeros_like(C)
    for _ in range(rounds):
        K = np.exp(-(C + prices) / reg)
        v = np.ones(len(b))
        for _ in range(5000):
            u = a / (K @ v)
            v = b / (K.T @ u)
        P = u[:, None] * K * v
        for c in np.unique(codes):
            share = P[codes == c].sum(axis=0) / P.sum(axis=0)
            prices[codes == c] = class_reg * 0.5 * (share + 1e-3) ** -0.5
    return P


def test_it_is_the_printed_loop():
    Xs, Xt, codes = rng.normal(size=(24, 2)), rng.normal(size=(30, 2)) + 0.5, rng.integers(0, 3, 24)
    a, b = np.full(24, 1 / 24), np.full(30, 1 / 30)
    cost = centred(Xs, Xt)._replace(codes=codes)
    for rounds in (1, 2, 3):
        priced, found, _, done = class_plan(cost, a, b, 0.5, 0.3, rounds, 1e-12, 5000)
        assert done == rounds
        P = np.concatenate([block for _, block in plan_blocks(priced, a, b, found, 0.5)])
        np.testing.assert_allclose(P, naive(squares(Xs, Xt), codes, a, b, 0.5, 0.3, rounds), atol=1e-8)


def test_each_round_lowers_the_objective():
    Xs, Xt, codes = rng.normal(size=(40, 2)), rng.normal(size=(40, 2)), rng.integers(0, 2, 40)
    a = np.full(40, 1 / 40)
    cost, C, values = centred(Xs, Xt)._replace(codes=codes), squares(Xs, Xt), []
    for rounds in (1, 2, 3, 4):
        priced, found, shares, _ = class_plan(cost, a, a, 0.3, 0.2, rounds, 1e-10, 5000)
        P = np.concatenate([block for _, block in plan_blocks(priced, a, a, found, 0.3)])
        entropy = (P * np.log(np.maximum(P, 1e-300) * 1600)).sum()
        values.append((P * C).sum() + 0.3 * entropy + 0.2 * (a * np.sqrt(shares + 1e-3)).sum())
    assert all(np.diff(values) < 1e-9)
    assert values[-1] < values[0] - 1e-4


def test_in_a_separable_toy_each_target_row_hears_of_one_class_only():
    """Entropy blurs neighbouring groups into each other; the penalty parts them again."""
    ys = np.repeat([0, 1], 30)
    Xs = np.column_stack([2.0 * ys, rng.normal(size=60)])
    Xt = Xs[rng.permutation(60)] + [0.3, 0.0]
    group = (Xt[:, 0] > 1).astype(int)
    a = np.full(60, 1 / 60)
    cost = centred(Xs, Xt)._replace(codes=ys)
    plain = class_plan(cost, a, a, 2.0, 0.0, 10, 1e-8, 5000)[2]
    parted = class_plan(cost, a, a, 2.0, 3.0, 10, 1e-8, 5000)[2]
    assert plain.max(axis=0).mean() < 0.95
    assert parted[group, np.arange(60)].min() > 0.999


def test_the_strength_does_not_hang_on_the_number_of_rows():
    """POT adds 1e-3 to masses, which are 1 / n: there the penalty fades as tables grow."""

    def purity(copies):
        inner = np.random.default_rng(1)
        ys = np.tile([0, 1], 20 * copies)
        Xs = inner.normal(size=(40 * copies, 2)) + ys[:, None] * [2.0, 0.0]
        Xt = inner.normal(size=(40 * copies, 2)) + ys[:, None] * [2.0, 0.0]
        a = np.full(40 * copies, 1 / (40 * copies))
        cost = centred(Xs, Xt)._replace(codes=ys)
        return class_plan(cost, a, a, 0.5, 0.5, 10, 1e-6, 1000)[2].max(axis=0).mean()

    assert purity(20) == pytest.approx(purity(2), abs=0.03)


def test_without_the_penalty_it_is_entropic_transport():
    Xs, Xt, ys = rng.normal(size=(30, 3)), rng.normal(size=(30, 3)) + 2, rng.integers(0, 2, 30)
    X, y, d = np.r_[Xs, Xt], np.r_[ys, ys], np.repeat([1, -1], 30)
    ours = ClassTransport(class_reg=0, reg=0.1).fit_transform(X, y, sample_domain=d)
    np.testing.assert_allclose(ours, Sinkhorn(reg=0.1).fit_transform(X, sample_domain=d), atol=1e-5)


def test_classes_may_be_called_anything_and_twins_may_disagree():
    Xs, Xt = rng.normal(size=(30, 2)), rng.normal(size=(30, 2)) + 1
    ys = np.where(Xs[:, 0] > 0, "up", "down")
    X, d = np.r_[Xs, Xt], np.repeat([1, -1], 30)
    words = ClassTransport().fit(X, np.r_[ys, ys], sample_domain=d)
    codes = ClassTransport().fit(X, np.tile(np.where(ys == "up", 7, 3), 2), sample_domain=d)
    np.testing.assert_array_equal(words.guess_ == "up", codes.guess_ == 7)
    np.testing.assert_array_equal(words.shifts_, codes.shifts_)
    both = np.r_[Xs, Xs, Xt]
    contrary = np.r_[ys, np.where(ys == "up", "down", "up"), ys]
    Z = ClassTransport().fit_transform(both, contrary, sample_domain=np.r_[np.ones(60), -np.ones(30)])
    np.testing.assert_array_equal(Z[:30], Z[30:60])


def test_a_plan_without_room_is_refused_at_once_with_a_way_out():
    X = rng.normal(size=(2000, 2))
    with pytest.raises(ValueError, match=r"ClassTransport: .* more than max_gb=0.001; use MiniBatch"):
        ClassTransport(max_gb=1e-3).fit(X, rng.integers(0, 2, 2000), sample_domain=np.repeat([1, -1], 1000))
