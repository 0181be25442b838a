"""JAN-A: it is JAN where its maps are the identity; they climb where the net descends."""

import pytest
import torch
from small_net import spec_of
from torch import nn

from transfermap.deep.losses.discrepancy import joint_mmd2
from transfermap.deep.training.batch import Batch, Outputs
from transfermap.deep.training.engine import Engine
from transfermap.deep.training.objective import ramp
from transfermap.methods.discrepancy.jana import JANA

torch.manual_seed(0)
A, B = torch.randn(8, 3, dtype=torch.float64), torch.randn(6, 3, dtype=torch.float64) + 0.5
S, T = Batch(A, torch.arange(8) % 2, torch.arange(8)), Batch(B, None, torch.arange(6))


def made(method, bent=False):
    torch.manual_seed(1)
    net = nn.ModuleDict({"features": nn.Sequential(nn.Linear(3, 4), nn.Tanh()), "head": nn.Linear(4, 2)})
    net.update(method.parts(spec_of(net, 2)))
    if bent:
        for part in ("code map", "class map"):
            nn.init.normal_(net[part].weight)
    return Engine(net.double(), torch.device("cpu"))


def seen(m):
    """Both domains' views in double precision, in which a loop can be compared with."""
    codes = (m["features"](A), m["features"](B))
    return tuple(Outputs(f, m["head"](f), {}) for f in codes)


def loops(za, zb, pa, pb, unbiased):
    """All pairs one by one."""
    rows = [*za, *zb]
    far = [float(((x - y) ** 2).sum().detach()) for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j]
    width = sum(far) / len(far)

    def mean(zl, pl, zr, pr, skip):
        found = []
        for i in range(len(zl)):
            for j in range(len(zr)):
                if not (skip and i == j):
                    feature = ((zl[i] - zr[j]) ** 2).sum()
                    k = sum(torch.exp(-feature / (width * 2.0**u)) for u in (-2, -1, 0, 1, 2))
                    found.append(k * torch.exp(-((pl[i] - pr[j]) ** 2).sum() / 1.68))
        return sum(found) / len(found)

    within = mean(za, pa, za, pa, unbiased) + mean(zb, pb, zb, pb, unbiased)
    return within - 2 * mean(za, pa, zb, pb, False)


def gradients(term, m):
    named = dict(m.modules.named_parameters())
    found = torch.autograd.grad(term, list(named.values()), retain_graph=True, allow_unused=True)
    return dict(zip(named, found, strict=True))


def test_it_starts_as_jan():
    m = made(JANA())
    a, b = seen(m)
    term = JANA().terms(m, a, b, S, T, 0.5)["joint mmd"]
    torch.testing.assert_close(term, joint_mmd2([(a.f, b.f)], a.p, b.p))


@pytest.mark.parametrize("estimate", ["unbiased", "biased"])
def test_the_net_descends_the_weighted_discrepancy_that_the_maps_climb(estimate):
    method = JANA(weight=0.7, estimate=estimate)
    m = made(method, bent=True)
    a, b = seen(m)
    code, label = m["code map"], m["class map"]
    slow = loops(code(a.f), code(b.f), label(a.p), label(b.p), estimate == "unbiased")
    term = method.terms(m, a, b, S, T, 0.4)["joint mmd"]
    torch.testing.assert_close(term, slow)
    plain, got = gradients(slow, m), gradients(term, m)
    for name, gradient in plain.items():
        factor = -1.0 if "map" in name else 0.7 * ramp(0.4)
        torch.testing.assert_close(got[name], factor * gradient, msg=name)
        # a map's bias moves all rows alike, and the discrepancy does not see that
        assert (gradient.abs().sum() > 1e-8) == (not name.endswith("map.bias")), name


def test_the_maps_find_more_discrepancy_than_the_identity():
    method = JANA()
    m = made(method)
    steps = torch.optim.SGD([*m["code map"].parameters(), *m["class map"].parameters()], lr=0.1)
    with torch.no_grad():
        a, b = seen(m)
    found = []
    for _ in range(30):
        term = method.terms(m, a, b, S, T, 0.5)["joint mmd"]
        steps.zero_grad()
        term.backward()
        steps.step()
        found.append(float(term.detach()))
    assert found[-1] > found[0] + 0.01
