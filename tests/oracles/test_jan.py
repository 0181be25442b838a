"""JAN: joint MMD against loops over pairs of rows, and the difference between joint and marginal agreement."""

import math

import pytest
import torch
from torch import nn

from transfermap.deep.losses.discrepancy import gram, joint_mmd2, mmd2
from transfermap.deep.training.batch import Batch
from transfermap.deep.training.engine import Engine
from transfermap.deep.training.objective import ramp
from transfermap.methods.discrepancy.jan import JAN

torch.manual_seed(0)
A, B = torch.randn(6, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64) + 0.5
PA, PB = torch.randn(6, 2, dtype=torch.float64).softmax(1), torch.randn(5, 2, dtype=torch.float64).softmax(1)


def loops(layers, pa, pb, unbiased):
    """All pairs one by one: a product over layers of sums of kernels, times the one of the probabilities."""
    widths = []
    for a, b in layers:
        rows = [*a, *b]
        far = [float(((x - y) ** 2).sum().detach()) for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j]
        widths.append(sum(far) / len(far))
    source, target = (([pair[side] for pair in layers], p) for side, p in ((0, pa), (1, pb)))

    def kernel(left, i, right, j):
        k = torch.exp(-((left[1][i] - right[1][j]) ** 2).sum() / 1.68)
        for x, y, width in zip(left[0], right[0], widths, strict=True):
            far = ((x[i] - y[j]) ** 2).sum()
            k = k * sum(torch.exp(-far / (width * 2.0**u)) for u in (-2, -1, 0, 1, 2))
        return k

    def mean(left, right, skip):
        found = [
            kernel(left, i, right, j)
            for i in range(len(left[1]))
            for j in range(len(right[1]))
            if not (skip and i == j)
        ]
        return sum(found) / len(found)

    return mean(source, source, unbiased) + mean(target, target, unbiased) - 2 * mean(source, target, False)


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("two", [False, True])
def test_value_and_gradient_are_those_of_the_loops(unbiased, two):
    leaves = [x.clone().requires_grad_() for x in (A, B, PA, PB)]
    a, b, pa, pb = leaves

    def layers():
        return [(a, b), (a[:, :2] ** 2, b[:, :2] ** 2)][: 1 + two]

    fast, slow = joint_mmd2(layers(), pa, pb, unbiased), loops(layers(), pa, pb, unbiased)
    torch.testing.assert_close(fast, slow)
    for got, want in zip(torch.autograd.grad(fast, leaves), torch.autograd.grad(slow, leaves), strict=True):
        torch.testing.assert_close(got, want)
        assert got.abs().max() > 1e-3


@pytest.mark.parametrize("unbiased", [True, False])
def test_where_predictions_are_constant_it_is_the_mmd_of_the_features(unbiased):
    flat = torch.full((6, 2), 0.5, dtype=torch.float64), torch.full((5, 2), 0.5, dtype=torch.float64)
    torch.testing.assert_close(joint_mmd2([(A, B)], *flat, unbiased), mmd2(gram(A, B), 6, unbiased))
    same = torch.full((6, 1), 3.0, dtype=torch.float64), torch.full((5, 1), 3.0, dtype=torch.float64)
    alone = mmd2(gram(PA, PB, 1, 1.68), 6, unbiased)
    torch.testing.assert_close(joint_mmd2([same], PA, PB, unbiased), 5 * alone)  # five kernels, 1 each


def test_it_sees_how_features_and_predictions_go_together_where_each_alone_agrees():
    draw = torch.Generator().manual_seed(0)
    n = 400
    sign = torch.where(torch.rand(n, 1, generator=draw) < 0.5, -1.0, 1.0)
    other = torch.where(torch.rand(n, 1, generator=draw) < 0.5, -1.0, 1.0)
    f_s = sign + 0.1 * torch.randn(n, 1, generator=draw)
    f_t = other + 0.1 * torch.randn(n, 1, generator=draw)
    free = torch.where(torch.rand(n, 1, generator=draw) < 0.5, -1.0, 1.0)
    p_s, p_t = (torch.cat([(1 + u) / 2, (1 - u) / 2], 1) for u in (sign, free))
    alone = mmd2(gram(f_s, f_t), n) + mmd2(gram(p_s, p_t, 1, 1.68), n)
    assert abs(alone) < 0.02
    assert joint_mmd2([(f_s, f_t)], p_s, p_t) > 0.3


def test_equal_distributions_have_mean_zero():
    draw = torch.Generator().manual_seed(0)
    found = torch.stack(
        [
            joint_mmd2([(x[:9], x[9:])], x[:9, :2].softmax(1), x[9:, :2].softmax(1))
            for x in torch.randn(600, 15, 3, generator=draw)
        ]
    )
    assert abs(found.mean()) < 3 * found.std() / math.sqrt(600)
    assert (found < 0).any()


def made(**params):
    torch.manual_seed(1)
    net = nn.ModuleDict({"features": nn.Sequential(nn.Linear(3, 4), nn.Tanh()), "head": nn.Linear(4, 2)}).double()
    m, method = Engine(net, torch.device("cpu")), JAN(**params)
    s, t = Batch(A, torch.arange(6) % 2, torch.arange(6)), Batch(B, None, torch.arange(5))
    a, b = m.forward_both(s.x, t.x, method.watched())
    return net, a, b, method.terms(m, a, b, s, t, 0.4)["joint mmd"]


@pytest.mark.parametrize("estimate", ["unbiased", "biased"])
@pytest.mark.parametrize("layers", ["features", ("features.0", "features")])
def test_the_term_takes_probabilities_and_its_gradient_reaches_features_and_head(estimate, layers):
    net, a, b, term = made(weight=2.0, estimate=estimate, layers=layers)
    views = [(a.f, b.f)] if layers == "features" else [(a.layers["features.0"], b.layers["features.0"]), (a.f, b.f)]
    unbiased = estimate == "unbiased"
    torch.testing.assert_close(term, 2 * ramp(0.4) * loops(views, a.p, b.p, unbiased))
    # a peer's slip: logits instead of probabilities
    assert not torch.isclose(term, 2 * ramp(0.4) * loops(views, a.z, b.z, unbiased), rtol=1e-3)
    term.backward()
    assert all(p.grad.abs().sum() > 1e-6 for p in (net["features"][0].weight, net["head"].weight))
