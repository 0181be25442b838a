"""MDD: the right elements, row by row; who gets which gradient; and no logarithm of nought."""

import pytest
import torch
from small_net import C, case, gradients, log_share, views

from transfermap.deep.training.objective import ramp
from transfermap.methods.adversarial.mdd import MDD, log_others

P = 0.1


def naive(m, a, b, margin):
    agree = -sum(log_share(m["second"](f), int(z.argmax())) for f, z in zip(a.f, a.z, strict=True)) / len(a.f)
    against = [
        torch.log(1 - torch.exp(log_share(m["second"](f), int(z.argmax())))) for f, z in zip(b.f, b.z, strict=True)
    ]
    return margin * agree, -sum(against) / len(b.f)


@pytest.mark.parametrize(("weight", "margin"), [(0.1, 4.0), (0.6, 2.0)])
def test_loss_and_gradients_are_those_of_the_equation(weight, margin):
    method = MDD(weight=weight, margin=margin)
    m, s, t = case(method)
    a, b = views(m, s, t)
    terms, (agree, contradict) = method.terms(m, a, b, s, t, P), naive(m, a, b, margin)
    torch.testing.assert_close(terms["agree"], agree)
    torch.testing.assert_close(terms["contradict"], contradict)
    torch.testing.assert_close(gradients(terms, m, "second"), gradients(agree + contradict, m, "second"))
    wanted = -weight * ramp(P) * gradients(agree + contradict, m, "features")
    torch.testing.assert_close(gradients(terms, m, "features"), wanted)
    for term in terms.values():
        assert gradients(term, m, "features").any() and gradients(term, m, "second").any()
    assert not gradients(terms, m, "head").any()  # the first head's classes carry no gradient to it


def test_each_row_is_asked_about_its_own_class():
    # a peer picks columns of all rows, (n, n) numbers, and averages over them
    Z = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    k = torch.tensor([0, 3, 1, 1, 2, 0])
    found = log_others(Z, k)
    assert found.shape == (6,)
    for i in range(6):
        torch.testing.assert_close(found[i], torch.log(1 - Z[i].softmax(0)[k[i]]))
        torch.testing.assert_close(found[i], log_others(Z[i : i + 1], k[i : i + 1])[0])


def test_the_source_is_held_to_the_first_heads_word_not_to_the_label():
    method = MDD()
    m, s, t = case(method)
    a, b = views(m, s, t)
    other = s._replace(y=(s.y + 1) % C)
    assert all(map(torch.equal, method.terms(m, a, b, s, t, P).values(), method.terms(m, a, b, other, t, P).values()))


def test_a_second_head_that_is_certain_still_gets_a_gradient():
    # 1 - p is 0 in float32 here, and its logarithm infinite
    z = torch.tensor([[40.0, 0.0, 0.0]], requires_grad=True)
    loss = -log_others(z, torch.tensor([0]))
    (g,) = torch.autograd.grad(loss.sum(), z)
    assert float(loss.detach()) == pytest.approx(40 - 0.6931, abs=1e-3)
    torch.testing.assert_close(g, torch.tensor([[1.0, -0.5, -0.5]]))


def test_the_second_head_has_the_firsts_shape_and_a_start_of_its_own():
    m, s, t = case(MDD())
    first, second = m["head"], m["second"]
    assert first.weight.shape == second.weight.shape and not torch.equal(first.weight, second.weight)
    # of equal heads the disparity is that of the first with itself
    second.load_state_dict(first.state_dict())
    a, b = views(m, s, t)
    MDD().terms(m, a, b, s, t, P)
    assert float(m.notes["disagreement"]) == 0
