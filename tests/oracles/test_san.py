"""SAN against its equation, written out over rows and classes; its traps: weighted features, entropy of the source."""

import numpy as np
import pytest
import torch
from small_net import spec_of
from torch import nn

from transfermap.deep.training.batch import Batch, Outputs
from transfermap.deep.training.engine import Engine
from transfermap.methods.partial.san import SAN

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


def by_hand(m, fs, ft):
    """Domain loss and entropy; probabilities that weigh rows or classes have no gradient."""
    sure = [torch.softmax(m["head"](f), 0) for f in ft]
    share = sum(sure).detach() / len(ft)
    domain = 0.0
    for f, truth in [(f, 1) for f in fs] + [(f, 0) for f in ft]:
        p = torch.softmax(m["head"](f), 0).detach()
        for k in range(C):
            d = torch.sigmoid(
                m["discriminator"](f)[k]
            )  # of the features themselves: a peer multiplies them by p instead
            domain = domain - share[k] * p[k] * torch.log(d if truth else 1 - d) / (len(fs) + len(ft))
    return domain, -sum((p * torch.log(p)).sum() for p in sure) / len(ft)


def test_losses_and_gradients_are_the_equations():
    method = SAN(memory=0.0, weight=0.7, domain_weight=2.0, entropy_weight=0.3, rate=5.0)
    m, a, b, s, t = case(method)
    found = method.terms(m, a, b, s, t, 0.4)
    fs, ft = a.f.detach().clone().requires_grad_(), b.f.detach().clone().requires_grad_()
    domain, sure = by_hand(m, fs, ft)
    torch.testing.assert_close(found["domain"], domain)
    torch.testing.assert_close(found["entropy"], 0.7 * 0.3 * sure)
    risen = 2 / (1 + np.exp(-5 * 0.4)) - 1
    expected = torch.autograd.grad(0.7 * 0.3 * sure - 0.7 * 2.0 * risen * domain, [fs, ft])
    for one, other in zip(torch.autograd.grad(sum(found.values()), [a.f, b.f]), expected, strict=True):
        torch.testing.assert_close(one, other)
        assert one.abs().max() > 1e-6


def test_everything_learns_and_the_discriminators_descend():
    method = SAN(memory=0.0)
    m, a, b, s, t = case(method)
    discriminator = list(m["discriminator"].parameters())
    before = method.terms(m, a, b, s, t, 0.0)[
        "domain"
    ]  # nothing is reversed yet, and the discriminators learn all the same
    grads = torch.autograd.grad(before, discriminator)
    assert all(g.abs().max() > 0 for g in grads)
    with torch.no_grad():
        for p, g in zip(discriminator, grads, strict=True):
            p -= 1e-2 * g
    assert method.terms(m, a, b, s, t, 0.0)["domain"] < before
    sure = method.terms(m, a, b, s, t, 0.0)["entropy"]
    assert all(g.abs().max() > 0 for g in torch.autograd.grad(sure, [b.f, *m["head"].parameters()]))


def test_the_entropy_is_of_the_target_alone_and_each_term_has_its_switch():
    m, a, b, s, t = case(SAN())
    sure = SAN().terms(m, a, b, s, t, 0.5)["entropy"]
    (fs,) = torch.autograd.grad(sure, a.f, allow_unused=True, retain_graph=True)
    assert fs is None
    assert SAN(entropy_weight=0.0).terms(m, a, b, s, t, 0.5)["entropy"] == 0
    domain = SAN(domain_weight=0.0).terms(m, a, b, s, t, 0.5)["domain"]
    assert domain > 0  # the discriminators go on watching
    assert not torch.autograd.grad(domain, a.f)[0].any()


@pytest.mark.parametrize("k", [0, 2])
def test_a_class_that_the_target_lacks_has_a_silent_discriminator(k):
    method = SAN(memory=0.0)
    m, a, b, s, t = case(method)
    z = torch.zeros(3, C, dtype=torch.float64)
    z[:, k] = -100.0
    domain = method.terms(m, a, b._replace(z=z), s, t, 0.5)["domain"]
    last = m["discriminator"][-1]
    (g,) = torch.autograd.grad(domain, last.bias)
    assert g[k].abs() < 1e-12
    assert (g.abs() > 1e-6).sum() == C - 1


def test_class_weights_off_make_all_discriminators_count_the_same():
    m, a, b, s, t = case(SAN())
    off, p = SAN(classwise=0.0).terms(m, a, b, s, t, 0.5)["domain"], torch.cat([a.p, b.p]).detach()
    d = m["discriminator"](torch.cat([a.f, b.f]))
    losses = torch.cat([torch.log1p(torch.exp(-d[:5])), torch.log1p(torch.exp(d[5:]))])
    torch.testing.assert_close(off, (p * losses).sum(1).mean() / C)


def test_row_weights_off_show_all_rows_to_every_discriminator():
    m, a, b, s, t = case(SAN())
    off = SAN(rowwise=0.0, memory=0.0).terms(m, a, b, s, t, 0.5)["domain"]
    d, share = m["discriminator"](torch.cat([a.f, b.f])), b.z.softmax(1).mean(0).detach()
    losses = torch.cat([torch.log1p(torch.exp(-d[:5])), torch.log1p(torch.exp(d[5:]))])
    torch.testing.assert_close(off, (share * losses.mean(0)).sum() / C)
