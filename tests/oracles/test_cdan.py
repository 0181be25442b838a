"""CDAN: products of features and predictions, what carries a gradient and what does not, and the random products."""

import pytest
import torch
from small_net import C, K, case, discriminators_loss, gradients, log_share, views

from transfermap.deep.training.objective import entropy, ramp
from transfermap.methods.adversarial._shared import sureness
from transfermap.methods.adversarial.cdan import CDAN, joint

P = 0.1


def products(f, p):
    return torch.stack([f[i] * p[c] for i in range(len(f)) for c in range(len(p))])


def weights(Z):
    """1 + exp(-H) row by row, over a mean that carries no gradient."""
    H = [-sum(torch.exp(log_share(z, c)) * log_share(z, c) for c in range(len(z))) for z in Z]
    v = [1 + torch.exp(-h) for h in H]
    return [x / (sum(v) / len(v)).detach() for x in v]


@pytest.mark.parametrize("sure", [True, False])
def test_loss_and_gradients_are_those_of_the_equation(sure):
    method = CDAN(entropy=sure, width=6, weight=0.7)
    m, s, t = case(method)
    a, b = views(m, s, t)
    terms = method.terms(m, a, b, s, t, P)
    seen = [[products(f, p) for f, p in zip(v.f, v.p.detach(), strict=True)] for v in (a, b)]
    naive = discriminators_loss(m["discriminator"], *seen, *((weights(a.z), weights(b.z)) if sure else (None, None)))
    torch.testing.assert_close(terms["domain"], naive)
    torch.testing.assert_close(gradients(terms, m, "discriminator"), gradients(naive, m, "discriminator"))
    # all that reaches the net is reversed, also what comes through the entropies
    for part in ("features", "head"):
        wanted = -0.7 * ramp(P) * gradients(naive, m, part)
        torch.testing.assert_close(gradients(terms, m, part), wanted)
    assert gradients(terms, m, "features").any() and gradients(terms, m, "discriminator").any()
    assert gradients(terms, m, "head").any() == sure  # no other way leads there: a peer does not detach p


def test_each_domains_weights_have_mean_one_whatever_the_others_are():
    # a peer takes the mean over both domains: the surer one, the source, then counts more
    m, s, t = case(CDAN())
    a, b = views(m, s, t)
    for v in (a, b):
        assert float(sureness(v.p).mean().detach()) == pytest.approx(1)
    sharp = sureness((50 * a.z).softmax(1))
    torch.testing.assert_close(sharp, torch.ones_like(sharp), atol=0.2, rtol=0)
    w = sureness(torch.tensor([[1.0, 0.0], [0.5, 0.5]]))
    assert float(w[0] / w[1]) == pytest.approx(2 / 1.5)


def test_a_prediction_of_which_the_net_is_certain_has_a_finite_gradient():
    z = torch.tensor([[300.0, 0.0, 0.0], [0.1, 0.0, 0.2]], requires_grad=True)
    (g,) = torch.autograd.grad(sureness(z.softmax(1))[1] + entropy(z.softmax(1)).sum(), z)
    assert torch.isfinite(g).all() and g[1].abs().sum() > 0


def test_a_certain_class_puts_the_features_in_its_own_block():
    m, _, _ = case(CDAN())
    f = torch.arange(1.0, K + 1)[None]
    T = joint(m, f, torch.eye(C)[1][None]).reshape(K, C)
    torch.testing.assert_close(T[:, 1], f[0])
    assert not T[:, [0, 2]].any()


def test_random_products_take_over_where_all_would_be_too_many_and_are_right_in_the_mean():
    m, *_ = case(CDAN(random_dim=8, width=4), k=1366)  # 1366 x 3 = 4098
    assert m["discriminator"][0].in_features == 8
    assert "maps" not in case(CDAN(width=4), k=1365)[0].modules  # 4095
    m, *_ = case(CDAN(random_dim=40_000, width=1), k=1366)
    torch.manual_seed(1)
    f, p = torch.randn(2, 1366, dtype=torch.float64) / 40 + 0.03, torch.rand(2, C, dtype=torch.float64)
    T = joint(m, f, p)
    wanted = (f[0] @ f[1]) * (p[0] @ p[1])
    spread = float((f @ f.T).diagonal().prod() * (p @ p.T).diagonal().prod()) ** 0.5
    assert float(T[0] @ T[1] - wanted) == pytest.approx(0, abs=10 * spread / 40_000**0.5)


def test_the_random_maps_are_fixed_and_part_of_a_checkpoint():
    m, s, t = case(CDAN(random_dim=8, width=4), k=1366)
    names = {name for name, _ in m.modules.named_buffers()}
    assert {"maps.features", "maps.classes"} <= names
    assert not list(m["maps"].parameters())
    method, (a, b) = CDAN(random_dim=8, width=4), views(m, s, t)
    first = method.terms(m, a, b, s, t, P)["domain"]
    torch.testing.assert_close(method.terms(m, a, b, s, t, P)["domain"], first, rtol=0, atol=0)
    assert gradients(first, m, "features").any()
