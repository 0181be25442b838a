"""SHOT: its loss and its names by loops, the least value of its first two terms, and the classifier that stays."""

import math

import pytest
import torch
from small_net import C, cross_entropy
from source_free_case import changed, engine, rows
from torch import nn

from transfermap.deep.nets.modules import Memory
from transfermap.deep.training.batch import Batch
from transfermap.methods.source_free.shot import SHOT, information, pseudo_labels


def names_by_hand(f, p):
    """Centre by centre and row by row, twice."""
    weights = p
    for _ in range(2):
        centres = {}
        for k in range(p.shape[1]):
            mass = sum(float(w[k]) for w in weights)
            if mass > 0:
                centres[k] = sum(w[k] * row / row.norm() for w, row in zip(weights, f, strict=True)) / mass
        predicted = [
            max(centres, key=lambda k, row=row: float(row @ centres[k] / (row.norm() * centres[k].norm()))) for row in f
        ]
        weights = torch.eye(p.shape[1], dtype=p.dtype)[predicted]
    return torch.tensor(predicted)


def test_names_are_those_of_a_loop():
    torch.manual_seed(0)
    for seed in range(5):
        torch.manual_seed(seed)
        f, p = torch.randn(30, 4).double(), torch.randn(30, 6).double().softmax(1)
        torch.testing.assert_close(pseudo_labels(f, p), names_by_hand(f, p))
    lone = torch.tensor([[0.9, 0.1, 0.0]] * 3).double()  # the third class has no row, and no centre
    assert set(pseudo_labels(torch.randn(3, 4).double(), lone).tolist()) <= {0, 1}


def test_the_loss_is_that_of_a_loop_and_its_gradient_too():
    m, x = engine()
    m.modules["names"] = Memory(of=torch.arange(len(x)) % C)
    at = torch.tensor([3, 17, 8, 5, 21, 30])
    terms = SHOT(weight=0.5, pseudo=0.2).inform(m, {"target": Batch(x[at], None, at)}, 0.0)
    z = m.forward(x[at]).z
    p = z.softmax(1)
    sure = -sum(share * torch.log(share) for row in p for share in row) / len(p)
    mean = sum(p) / len(p)
    varied = sum(share * torch.log(share) for share in mean)
    torch.testing.assert_close(terms["entropy"], 0.5 * sure)
    torch.testing.assert_close(terms["variety"], 0.5 * varied)
    torch.testing.assert_close(terms["names"], 0.5 * 0.2 * cross_entropy(z, m["names"].of[at]))
    own = list(m["features"].parameters())
    ours = torch.autograd.grad(sum(terms.values()), own, retain_graph=True)
    theirs = torch.autograd.grad(0.5 * (sure + varied + 0.2 * cross_entropy(z, m["names"].of[at])), own)
    torch.testing.assert_close(ours, theirs)


def test_sure_and_varied_predictions_are_the_least_of_all():
    balanced = torch.eye(5, dtype=torch.float64).repeat(4, 1)
    assert math.isclose(float(sum(information(balanced))), -math.log(5))
    torch.manual_seed(0)
    for spread in (0.1, 1.0, 10.0):
        assert float(sum(information((spread * torch.randn(20, 5).double()).softmax(1)))) > -math.log(5)
    assert float(sum(information(torch.eye(5).double()[[0] * 20]))) == pytest.approx(0, abs=1e-12)


def test_the_classifier_stays_to_the_last_bit():
    m, x = engine()
    before = {k: v.clone() for k, v in m.modules.state_dict().items()}
    method = SHOT(epochs=2)
    m.target = rows(x)
    noted = method.adapt(m, m.target)
    moved = changed(before, m.modules)
    assert {name.split(".")[0] for name in moved} == {"features"}
    assert {"features.0.weight", "features.5.weight"} <= moved
    assert {"entropy", "variety", "names"} <= set(noted[-1])


def test_names_are_given_before_each_pass(monkeypatch):
    from transfermap.methods.source_free import shot

    m, x = engine()
    calls = []
    real = shot.pseudo_labels
    monkeypatch.setattr(shot, "pseudo_labels", lambda f, p: calls.append(len(f)) or real(f, p))
    m.target = rows(x)
    SHOT(epochs=3).adapt(m, m.target)
    assert calls == [40, 40, 40]


def test_the_source_is_learnt_with_smoothed_labels():
    m, x = engine()
    y = torch.arange(len(x)) % C
    for share in (0.0, 0.3):
        predicted = SHOT(smoothing=share).loss(m, {"source": Batch(x, y, torch.arange(len(x)))}, 0.0)["source"]
        soft = (1 - share) * torch.eye(C).double()[y] + share / C
        expected = -(soft * torch.log(m.forward(x).p)).sum(1).mean()
        torch.testing.assert_close(predicted, expected)
    plain = SHOT(weight=0.0).loss(m, {"source": Batch(x, y, torch.arange(len(x)))}, 0.0)["source"]
    torch.testing.assert_close(plain, nn.functional.cross_entropy(m.forward(x).z, y))
