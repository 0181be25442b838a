"""DDC: the distance of mean features, its gradient, and what it does not see."""

import pytest
import torch
from torch import nn

from transfermap.deep.losses.discrepancy import mean_gap2
from transfermap.deep.training.batch import Batch
from transfermap.deep.training.engine import Engine
from transfermap.methods.discrepancy.ddc import DDC

torch.manual_seed(0)
A, B = torch.randn(7, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64) + 1


def slow(a, b):
    """Every pair of rows by itself, under the linear kernel."""
    k = [[sum((x @ y) for y in right) / len(right) for x in left] for left, right in ((a, a), (b, b), (a, b))]
    ss, tt, st = (sum(row) / len(row) for row in k)
    return ss + tt - 2 * st


def test_the_penalty_and_its_gradient_are_those_of_the_linear_kernels_mmd():
    a, b = A.clone().requires_grad_(), B.clone().requires_grad_()
    fast, naive = mean_gap2(a, b), slow(a, b)
    torch.testing.assert_close(fast, naive)
    for got, want in zip(torch.autograd.grad(fast, (a, b)), torch.autograd.grad(naive, (a, b)), strict=True):
        torch.testing.assert_close(got, want)


def test_it_sees_means_and_nothing_else():
    torch.testing.assert_close(mean_gap2(A + 9, B + 9), mean_gap2(A, B))
    wide = A.mean(0) + 10 * (A - A.mean(0))
    assert mean_gap2(A, wide) < 1e-20
    # features count one by one: a penalty that is a mean over them would not grow with their number
    torch.testing.assert_close(mean_gap2(torch.cat([A, A], 1), torch.cat([B, B], 1)), 2 * mean_gap2(A, B))


@pytest.mark.parametrize(("layers", "times"), [("features", 1), ("features.0", 0), (("features", "head"), 2)])
def test_the_layers_named_are_those_that_move(layers, times):
    net = nn.ModuleDict({"features": nn.Sequential(nn.Linear(3, 4), nn.Tanh()), "head": nn.Linear(4, 2)}).double()
    m = Engine(net, torch.device("cpu"))
    s, t = Batch(A, torch.arange(7) % 2, torch.arange(7)), Batch(B, None, torch.arange(5))
    a, b = m.forward_both(s.x, t.x, DDC(layers=layers).watched())
    (term,) = DDC(layers=layers, weight=1.0).terms(m, a, b, s, t, 0.5).values()
    own = {"features": (a.f, b.f), "head": (a.z, b.z)} | {name: (a.layers[name], b.layers[name]) for name in a.layers}
    chosen = (layers,) if isinstance(layers, str) else layers
    torch.testing.assert_close(term, sum(mean_gap2(*own[name]) for name in chosen))
    term.backward()
    assert net["features"][0].weight.grad.abs().sum() > 0
    assert (net["head"].weight.grad is not None) == (times == 2)
