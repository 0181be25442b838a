"""DAAN: C + 1 discriminators row by row, DANN and MADA as its ends, and proportions from true error rates."""

import numpy as np
import pytest
import torch
from small_net import C, K, case, discriminators_loss, gradients, views

from transfermap.data.toy import make_toy
from transfermap.deep.estimators import DeepClassifier
from transfermap.deep.nets.modules import Discriminators
from transfermap.deep.nets.small import discriminator
from transfermap.deep.training.batch import Outputs
from transfermap.deep.training.objective import ramp
from transfermap.methods.adversarial.daan import DAAN, proportion
from transfermap.methods.adversarial.dann import DANN

P = 0.1


def one_discriminator(m, c):
    """The discriminator of class c by itself."""
    discriminators = m["discriminators"]

    def logits(x):
        for at, (a, b) in enumerate(zip(discriminators.maps, discriminators.shifts, strict=True)):
            x = (torch.relu(x) if at else x) @ a[c] + b[c]
        return x

    return logits


def losses(m, a, b):
    """Of the discriminator for all, and the sum of the class discriminators', each on p_c f."""
    whole = discriminators_loss(m["discriminator"], a.f, b.f)
    of_class = [
        discriminators_loss(one_discriminator(m, c), a.p[:, c, None] * a.f, b.p[:, c, None] * b.f) for c in range(C)
    ]
    return whole, sum(of_class)


@pytest.mark.parametrize("omega", [0.0, 0.3, 1.0])
def test_losses_and_gradients_are_those_of_the_equation(omega):
    method = DAAN(omega=omega, width=6, weight=0.7)
    m, s, t = case(method)
    a, b = views(m, s, t)
    terms, (whole, local) = method.terms(m, a, b, s, t, P), losses(m, a, b)
    torch.testing.assert_close(terms["domain"], whole)
    torch.testing.assert_close(terms["classes"], local)
    for name, naive in (("discriminator", whole), ("discriminators", local)):  # in full, whatever omega is
        torch.testing.assert_close(gradients(terms, m, name), gradients(naive, m, name))
        assert gradients(terms, m, name).any()
    for part in ("features", "head"):
        wanted = -0.7 * ramp(P) * ((1 - omega) * gradients(whole, m, part) + omega * gradients(local, m, part))
        torch.testing.assert_close(gradients(terms, m, part), wanted)
    assert gradients(terms, m, "features").any()


def test_at_omega_nought_it_is_dann_to_the_bit():
    toy = make_toy("mean_shift_nuisance", n=60)
    X, y, d = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, toy.yt], np.repeat([1, -1], 60)
    models = [DeepClassifier(method, steps=40).fit(X, y, sample_domain=d) for method in (DAAN(omega=0.0), DANN())]
    a, b = (model.decision_function(toy.Xt) for model in models)
    np.testing.assert_array_equal(a, b)


def test_class_discriminators_together_are_the_discriminators_one_by_one():
    torch.manual_seed(0)
    each = [discriminator(K, width=5) for _ in range(C)]
    x = torch.randn(C, 6, K)
    torch.testing.assert_close(
        Discriminators(each)(x), torch.stack([net(rows)[:, 0] for net, rows in zip(each, x, strict=True)])
    )


def test_both_domains_have_their_own_label():
    # a peer passes its arguments one place off, and calls both domains source from the second step on
    method = DAAN(width=6)
    m, s, t = case(method)
    a, b = views(m, s, t)
    with torch.no_grad():
        m["discriminators"].shifts[-1].fill_(9.0)
        m["discriminator"][-1].bias.fill_(9.0)
        m["discriminators"].maps[-1].zero_()
        m["discriminator"][-1].weight.zero_()
    terms = method.terms(m, a, b, s, t, P)
    assert float(terms["domain"].detach()) == pytest.approx(
        4.5, abs=0.01
    )  # right about one domain, wrong about the other
    assert float(terms["classes"].detach()) == pytest.approx(4.5 * C, abs=0.01)


def test_the_error_rates_are_rates_of_errors_weighted_by_class():
    method = DAAN(width=6, memory=0.0)
    m, s, t = case(method)
    a, b = views(m, s, t)
    method.terms(m, a, b, s, t, P)
    a, b = (Outputs(v.f.detach(), v.z.detach(), {}) for v in (a, b))

    def rate(discriminator_of, p):
        missed = [
            sum(float(w) for f, w in zip(v.f, ws, strict=True) if bool(discriminator_of(f[None] * w) > 0) != source)
            / sum(ws)
            for v, ws, source in ((a, p[0], True), (b, p[1], False))
        ]
        return float(sum(missed).detach()) / 2

    ones = (torch.ones(len(a.f)), torch.ones(len(b.f)))
    wanted = [rate(m["discriminator"], ones)] + [
        rate(one_discriminator(m, c), (a.p[:, c], b.p[:, c])) for c in range(C)
    ]
    torch.testing.assert_close(m["known"].errors, torch.tensor(wanted, dtype=torch.float64))
    torch.testing.assert_close(m["known"].omega, proportion(m["known"].errors))


def test_the_proportion_follows_the_distances():
    rates = lambda whole, *local: float(proportion(torch.tensor([whole, *local])))  # noqa: E731
    assert rates(0.1, 0.5, 0.5) == 0  # only as wholes apart
    assert rates(0.5, 0.1, 0.3) == 1  # only class by class
    assert rates(0.5, 0.5, 0.5) == rates(0.9, 0.7, 0.5) == 0.5  # nothing is known
    # A = 1.2, its mean over classes 0.8: a peer takes losses for errors, and gets one half whatever they are
    assert rates(0.2, 0.2, 0.4) == pytest.approx(0.8 / (1.2 + 0.8))


def test_what_is_known_moves_slowly_without_gradient_and_is_in_checkpoints():
    method = DAAN(width=6)
    m, s, t = case(method)
    a, b = views(m, s, t)
    method.terms(m, a, b, s, t, P)
    known = m["known"]
    assert {"errors", "omega"} == set(known.state_dict()) and not known.errors.requires_grad
    assert (known.errors - 0.5).abs().max() <= 0.005 + 1e-12
    assert 0 <= float(m.notes["omega"]) <= 1
    # in use is what was known before the batch
    known.omega.fill_(1.0)
    known.errors.copy_(torch.tensor([0.5, 0.0, 0.0, 0.0]))
    terms = method.terms(m, a, b, s, t, P)
    m["known"].omega.fill_(0.0)  # changing it later changes no gradient
    torch.testing.assert_close(gradients(terms, m, "features"), -ramp(P) * gradients(losses(m, a, b)[1], m, "features"))
