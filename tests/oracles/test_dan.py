"""DAN: multi-kernel MMD against loops over pairs of rows, closed forms, and what estimates must do."""

import math

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from transfermap.deep.losses.discrepancy import gram, mmd2, mmd2_blocks
from transfermap.deep.losses.kernel_bank import bank, mean_distance, squared_distances
from transfermap.deep.training.batch import Batch
from transfermap.deep.training.engine import Engine
from transfermap.methods.discrepancy.dan import DAN

torch.manual_seed(0)
A, B = torch.randn(7, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64) + 0.5


def loops(a, b, unbiased):
    """All pairs one by one; the bandwidth as a number, from all pairs of different rows of both domains."""
    rows = [*a, *b]
    far = [((x - y) ** 2).sum() for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j]
    width = float(sum(far).detach()) / len(far)

    def mean(left, right, skip):
        found = [
            sum(torch.exp(-((x - y) ** 2).sum() / (width * 2.0**u)) for u in (-2, -1, 0, 1, 2))
            for i, x in enumerate(left)
            for j, y in enumerate(right)
            if not (skip and i == j)
        ]
        return sum(found) / len(found)

    return mean(a, a, unbiased) + mean(b, b, unbiased) - 2 * mean(a, b, False)


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("how", ["whole", "blocks"])
def test_value_and_gradient_are_those_of_the_loops(unbiased, how):
    a, b = A.clone().requires_grad_(), B.clone().requires_grad_()
    fast = mmd2(gram(a, b), 7, unbiased) if how == "whole" else mmd2_blocks(a, b, unbiased=unbiased, block=3)
    slow = loops(a, b, unbiased)
    torch.testing.assert_close(fast, slow)
    for got, want in zip(torch.autograd.grad(fast, (a, b)), torch.autograd.grad(slow, (a, b)), strict=True):
        torch.testing.assert_close(got, want)
        assert got.abs().max() > 1e-3


def test_one_exponential_makes_all_kernels():
    D = squared_distances(A)
    torch.testing.assert_close(bank(D, 2.0, 5), sum(torch.exp(-D / w) for w in (0.5, 1, 2, 4, 8)))
    torch.testing.assert_close(bank(D, 2.0, 1), torch.exp(-D / 2))


def test_equal_rows_are_at_no_distance_far_from_zero_too():
    far = torch.randn(20, 4) + 1e3
    D = squared_distances(far)
    exact = torch.cdist(far.double(), far.double()) ** 2
    torch.testing.assert_close(D.double(), exact, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(mean_distance(A), squared_distances(A).sum() / (7 * 6))


@pytest.mark.parametrize("level", [0.0, 1.0, 1e4])
@pytest.mark.parametrize("unbiased", [True, False])
def test_rows_that_are_all_equal_give_no_discrepancy_and_no_gradient(level, unbiased):
    a, b = (torch.full((n, 4), level).requires_grad_() for n in (6, 4))
    value = mmd2(gram(a, b), 6, unbiased)
    value.backward()
    assert abs(value) < 1e-5
    assert torch.isfinite(a.grad).all() and a.grad.abs().max() < 1e-3


def test_the_unbiased_estimate_has_mean_zero_between_equal_distributions_and_so_is_often_negative():
    draw = torch.Generator().manual_seed(0)
    found = {True: [], False: []}
    for _ in range(1000):
        a, b = torch.randn(12, 2, generator=draw), torch.randn(8, 2, generator=draw)
        K = gram(a, b, width=4.0)
        for unbiased, values in found.items():
            values.append(mmd2(K, 12, unbiased))
    straight, biased = torch.stack(found[True]), torch.stack(found[False])
    assert abs(straight.mean()) < 3 * straight.std() / math.sqrt(1000)
    assert 0.3 < (straight < 0).float().mean() < 0.8
    assert biased.min() > 0
    assert biased.mean() > 0.1


def test_it_meets_the_closed_form_of_two_gaussian_clouds():
    # k = exp(-|x-y|^2 / 2 s), P = N(0, I), Q = N(shift, I): 2 (1 + 2/s)^(-d/2) (1 - exp(-|shift|^2 / 2 (s + 2)))
    draw = torch.Generator().manual_seed(1)
    a, b = torch.randn(1500, 2, generator=draw), torch.randn(1500, 2, generator=draw)
    b[:, 0] += 1.5
    s = 1.0
    expected = 2 / (1 + 2 / s) * (1 - math.exp(-(1.5**2) / (2 * (s + 2))))
    assert float(mmd2(gram(a, b, 1, 2 * s), 1500)) == pytest.approx(expected, abs=0.015)


def test_the_cross_term_is_over_all_pairs_and_rows_may_come_in_any_order():
    K = gram(A, B)
    mixed = gram(A[torch.randperm(7)], B[torch.randperm(5)])
    torch.testing.assert_close(mmd2(mixed, 7), mmd2(K, 7))
    # equal domains, row by row: the unbiased estimate without i = i across would be 0, and is not an estimate then
    assert mmd2(gram(A, A), 7) < 0
    assert abs(mmd2(gram(A, A), 7, unbiased=False)) < 1e-12


def test_the_bandwidth_follows_the_scale_but_passes_no_gradient():
    torch.testing.assert_close(mmd2(gram(10 * A, 10 * B), 7), mmd2(gram(A, B), 7))
    # through a width that followed, growing all features would change nothing: the gradient along them would be 0
    a, b = A.clone().requires_grad_(), B.clone().requires_grad_()
    mmd2(gram(a, b), 7).backward()
    assert abs((a.grad * A).sum() + (b.grad * B).sum()) > 1e-3


def test_one_row_of_a_domain_is_refused():
    for value in (lambda: mmd2(gram(A, B[:1]), 7), lambda: mmd2_blocks(A[:1], B)):
        with pytest.raises(ValueError, match="at least two rows"):
            value()


class _Largest(TorchDispatchMode):
    """Notes the largest tensor that is made."""

    size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self.size = max(self.size, out.untyped_storage().nbytes() // out.element_size())
        return out


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("gradient", [True, False])
def test_in_tiles_it_is_the_same_with_a_fraction_of_the_memory(unbiased, gradient):
    a, b = (torch.randn(n, 8, dtype=float) + shift for n, shift in ((700, 0.0), (500, 0.3)))
    a.requires_grad_(gradient), b.requires_grad_(gradient)
    expected = mmd2(gram(a, b), 700, unbiased)
    with _Largest() as seen:
        value = mmd2_blocks(a, b, unbiased=unbiased, block=64)
        if gradient:
            found = torch.autograd.grad(3 * value, (a, b))
    torch.testing.assert_close(value, expected)
    assert seen.size <= 1200 * 8
    if gradient:
        for got, want in zip(found, torch.autograd.grad(3 * expected, (a, b)), strict=True):
            torch.testing.assert_close(got, want)
            assert want.abs().max() > 1e-5


def test_in_tiles_only_one_domain_may_want_a_gradient():
    b = B.clone().requires_grad_()
    (got,) = torch.autograd.grad(mmd2_blocks(A, b, block=2), b)
    (want,) = torch.autograd.grad(mmd2(gram(A, b), 7), b)
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("layers", ["features,head", ("features.0", "features")])
@pytest.mark.parametrize("estimate", ["unbiased", "biased"])
def test_layers_add_up_and_gradients_reach_all_below_them(layers, estimate):
    net = nn.ModuleDict({"features": nn.Sequential(nn.Linear(3, 4), nn.Tanh()), "head": nn.Linear(4, 2)}).double()
    m, method = Engine(net, torch.device("cpu")), DAN(layers=layers, estimate=estimate, weight=2.0)
    s, t = Batch(A, torch.arange(7) % 2, torch.arange(7)), Batch(B, None, torch.arange(5))
    a, b = m.forward_both(s.x, t.x, method.watched())
    own = {"features": (a.f, b.f), "head": (a.z, b.z)} | {name: (a.layers[name], b.layers[name]) for name in a.layers}
    chosen = layers.split(",") if isinstance(layers, str) else layers
    terms = method.terms(m, a, b, s, t, 0.5)
    for name in chosen:
        torch.testing.assert_close(terms[f"mmd {name}"], 2 * loops(*own[name], estimate == "unbiased"))
    sum(terms.values()).backward()
    assert net["features"][0].weight.grad.abs().sum() > 0
    assert (net["head"].weight.grad is not None) == ("head" in chosen)


def test_layers_that_are_none_are_refused():
    for layers, says in ((3, "must be names"), ((), "at least one"), ("", "must be names"), (("features", 1), "names")):
        with pytest.raises(ValueError, match=says):
            DAN(layers=layers).watched()
    net = nn.ModuleDict({"features": nn.Linear(3, 4), "head": nn.Linear(4, 2)}).double()
    with pytest.raises(ValueError, match="no layer 'features.9'"):
        Engine(net, torch.device("cpu")).forward_both(A, B, DAN(layers="features.9").watched())
