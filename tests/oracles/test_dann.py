"""DANN: the discriminator's loss row by row, and what of its gradient goes where, with which sign and size."""

import math

import pytest
import torch
from small_net import case, cross_entropy, discriminators_loss, gradients, views
from torch.nn import functional as F

from transfermap.deep.training.objective import ramp
from transfermap.methods.adversarial._shared import errors, told_apart
from transfermap.methods.adversarial.dann import DANN

P = 0.05


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_the_discriminator_minimises_its_loss_and_the_features_get_it_reversed_and_scaled(weight):
    method = DANN(weight=weight, width=6)
    m, s, t = case(method)
    terms = method.loss(m, {"source": s, "target": t}, P)
    a, b = views(m, s, t)
    naive, own = discriminators_loss(m["discriminator"], a.f, b.f), cross_entropy(a.z, s.y)
    torch.testing.assert_close(terms["domain"], naive)
    torch.testing.assert_close(terms["source"], own)
    # the ramp and the weight scale what the features get, not what the discriminator learns by
    torch.testing.assert_close(gradients(terms, m, "discriminator"), gradients(naive, m, "discriminator"))
    wanted = gradients(own, m, "features") - weight * ramp(P) * gradients(naive, m, "features")
    torch.testing.assert_close(gradients(terms, m, "features"), wanted)
    torch.testing.assert_close(gradients(terms, m, "head"), gradients(own, m, "head"))
    for part in ("features", "discriminator"):
        assert gradients(terms["domain"], m, part).abs().sum() > 0


def test_at_the_start_the_features_learn_from_the_source_alone():
    m, s, t = case(DANN(width=6))
    terms = DANN(width=6).loss(m, {"source": s, "target": t}, 0.0)
    assert not gradients(terms["domain"], m, "features").any()
    assert gradients(terms["domain"], m, "discriminator").any()


def test_the_ramp_runs_over_the_run_to_one():
    # a peer's stops at 0.462, as it takes the share of the run for the exponent's tenfold
    assert ramp(0.0) == 0 and ramp(1.0) == pytest.approx(1, abs=1e-4)
    assert ramp(0.5) == pytest.approx(2 / (1 + math.exp(-5)) - 1)


def test_a_discriminator_that_knows_nothing_loses_log_two_and_is_right_half_of_the_time():
    m, _, _ = case(DANN(width=6))
    loss = told_apart(m, torch.zeros(7), torch.zeros(5))
    assert float(loss) == pytest.approx(math.log(2))
    assert float(m.notes["discriminator accuracy"]) == 0.5
    told_apart(m, torch.tensor([2.0, 1.0, -1.0, 3.0]), torch.tensor([-1.0, 1.0]))
    assert float(m.notes["discriminator accuracy"]) == pytest.approx((0.75 + 0.5) / 2)


def test_source_is_one_and_target_is_nought():
    # a peer calls both domains source after the first step
    right, wrong = torch.full((4,), 9.0), torch.full((6,), -9.0)
    m, _, _ = case(DANN(width=6))
    assert told_apart(m, right, wrong) < 1e-3 and told_apart(m, wrong, right) > 8
    assert float(errors(right, wrong)) == 0 and float(errors(wrong, right)) == 1


def test_weights_count_rows_as_often_as_they_say():
    d = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    w = torch.tensor([3.0, 0.0, 0.0], dtype=torch.float64)
    m, _, _ = case(DANN(width=6))
    torch.testing.assert_close(told_apart(m, d, d, w, w), (F.softplus(-d[0]) + F.softplus(d[0])) / 2)
    assert float(errors(d, d, w, w)) == 0.5
    assert float(errors(d, d, torch.zeros(3), torch.zeros(3))) == 0.5


def test_far_logits_stay_finite():
    d = torch.tensor([500.0, -500.0], requires_grad=True)
    m, _, _ = case(DANN(width=6))
    loss = told_apart(m, d, d)
    (g,) = torch.autograd.grad(loss, d)
    assert torch.isfinite(loss) and torch.isfinite(g).all()
