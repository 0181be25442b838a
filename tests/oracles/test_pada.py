"""PADA against its equation, written out row by row; class weights on a worked case; DANN where they are off."""

import numpy as np
import pytest
import torch
from small_net import spec_of
from torch import nn

from transfermap.data.toy import make_toy
from transfermap.deep.training import settings
from transfermap.deep.training.batch import Batch, Outputs
from transfermap.deep.training.engine import Engine
from transfermap.methods.adversarial._shared import told_apart
from transfermap.methods.adversarial.dann import DANN
from transfermap.methods.partial.pada import PADA

C, K = 4, 3


def case(method, ns=5, nt=3, seed=0):
    """A net that is only a head, the method's parts, and views of both domains; float64."""
    torch.manual_seed(seed)
    net = nn.ModuleDict({"features": nn.Identity(), "head": nn.Linear(K, C)})
    net.update(method.parts(spec_of(net, C)))
    m = Engine(net.double(), torch.device("cpu"))
    f = [torch.randn(n, K, dtype=torch.float64, requires_grad=True) for n in (ns, nt)]
    a, b = (Outputs(x, m["head"](x), {}) for x in f)
    return m, a, b, Batch(f[0], torch.arange(ns) % C, torch.arange(ns)), Batch(f[1], None, torch.arange(nt))


def by_hand(m, fs, y, ft, gamma):
    """The two sums of the equation, each domain's mean counting one half, with g and d applied to one row at a time."""
    source = domain = 0.0
    for f, k in zip(fs, y, strict=True):
        z, d = m["head"](f), torch.sigmoid(m["discriminator"](f)[0])
        source = source - gamma[k] * (z[k] - torch.log(torch.exp(z).sum())) / len(fs)
        domain = domain - gamma[k] * torch.log(d) / len(fs) / 2
    for f in ft:
        domain = domain - torch.log(1 - torch.sigmoid(m["discriminator"](f)[0])) / len(ft) / 2
    return source, domain


@pytest.mark.parametrize("sharpness", [1.0, 0.3])
def test_losses_and_gradients_are_the_equations(sharpness):
    method = PADA(memory=0.0, temperature=sharpness, weight=0.7, domain_weight=2.0, rate=5.0)
    m, a, b, s, t = case(method)
    mean = sum(torch.softmax(z / sharpness, 0) for z in b.z) / len(b.z)
    gamma = (mean / mean.max()).detach()
    found = method.terms(m, a, b, s, t, 0.4)
    fs, ft = a.f.detach().clone().requires_grad_(), b.f.detach().clone().requires_grad_()
    source, domain = by_hand(m, fs, s.y, ft, gamma)
    torch.testing.assert_close(found["source"], source)
    torch.testing.assert_close(found["domain"], domain)
    risen = 2 / (1 + np.exp(-5 * 0.4)) - 1
    expected = torch.autograd.grad(source - 0.7 * 2.0 * risen * domain, [fs, ft])
    for one, other in zip(torch.autograd.grad(sum(found.values()), [a.f, b.f]), expected, strict=True):
        torch.testing.assert_close(one, other)
        assert one.abs().max() > 1e-6


def test_the_discriminator_descends_on_its_own_loss_and_everything_learns():
    method = PADA()
    m, a, b, s, t = case(method)
    found = method.terms(m, a, b, s, t, 0.0)  # nothing is reversed yet, and the discriminator learns all the same
    discriminator = list(m["discriminator"].parameters())
    for g in torch.autograd.grad(sum(found.values()), [*discriminator, *m["head"].parameters()]):
        assert g.abs().max() > 0


def test_class_weights_on_a_worked_case_come_from_the_target_alone():
    method = PADA(memory=0.5)
    m, a, b, s, t = case(method)
    b = b._replace(z=torch.log(torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.5, 0.3, 0.1, 0.1]], dtype=torch.float64)))
    method.terms(m, a, b, s, t, 0.5)
    expected = 0.5 * 0.25 + 0.5 * torch.tensor([0.6, 0.2, 0.1, 0.1], dtype=torch.float64)
    torch.testing.assert_close(m["classes"].share, expected)  # a peer averages source and target rows
    torch.testing.assert_close(m.notes["share of class 0"], expected[0])
    assert not m["classes"].share.requires_grad


def test_the_rows_of_an_absent_class_count_nothing():
    method = PADA(memory=0.0)
    m, a, b, s, t = case(method)
    z = torch.full((3, C), -50.0, dtype=torch.float64)
    z[:, 1] = 50.0
    found = method.terms(m, a, b._replace(z=z), s, t, 0.5)
    gone = torch.autograd.grad(sum(found.values()), a.f)[0][s.y != 1]
    assert gone.abs().max() < 1e-12


@pytest.mark.parametrize("switch", ["classwise", "discriminator_classwise"])
def test_class_weights_go_from_each_loss_by_a_switch_of_its_own(switch):
    m, a, b, s, t = case(PADA(memory=0.0))
    mean = b.z.softmax(1).mean(0).detach()
    gamma, alike = mean / mean.max(), torch.ones(C, dtype=torch.float64)
    found = PADA(memory=0.0, **{switch: 0.0}).terms(m, a, b, s, t, 0.5)
    for name, at in (("source", 0), ("domain", 1)):
        weights = alike if (switch == "classwise") == (name == "source") else gamma
        torch.testing.assert_close(found[name], by_hand(m, a.f, s.y, b.f, weights)[at])


def test_a_discriminator_that_is_right_is_called_so_where_the_source_counts_less():
    m, *_ = case(PADA())
    ws, tilt = torch.tensor([0.1, 0.3, 0.35]), np.log(0.25)
    told_apart(m, tilt + torch.tensor([0.1, 0.2, 0.3]), tilt - torch.tensor([0.1, 0.2]), ws)
    assert float(m.notes["discriminator accuracy"]) == 1
    told_apart(m, torch.full((3,), tilt - 0.1), torch.full((2,), tilt - 0.1), ws)
    assert float(m.notes["discriminator accuracy"]) == 0.5


def test_without_class_weights_it_is_dann_to_the_bit(monkeypatch):
    monkeypatch.setattr(settings, "STEPS", 30)
    toy = make_toy("partial_labels", 60)
    X, y, d = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, toy.yt], np.repeat([1, -1], 60)
    models = DANN(), PADA(classwise=0.0, discriminator_classwise=0.0), PADA()
    plain, off, on = (m.fit(X, y, sample_domain=d).decision_function(X) for m in models)
    np.testing.assert_array_equal(off, plain)
    assert not np.allclose(on, plain)
