"""ADDA: its losses row by row, its stages, and what stands still in the second."""

import copy

import numpy as np
import pytest
import torch
from small_net import C, D, Exact, K, case, discriminators_loss, gradients
from torch import nn

from transfermap.data.toy import make_toy
from transfermap.deep.estimators import DeepClassifier
from transfermap.deep.nets.modules import Frozen
from transfermap.deep.training.loop import Loop, _only
from transfermap.methods.adversarial.adda import ADDA


def weights(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def parted(**params):
    """The second stage's beginning, with the target's features moved on a little."""
    method = ADDA(width=6, **params)
    m, s, t = case(method)
    method.part_ways(m)
    with torch.no_grad():
        m["features"][0].bias += 0.5
    return method, m, s, t


def test_the_discriminator_sees_the_sources_old_features_and_the_targets_new_ones():
    method, m, s, t = parted()
    naive = discriminators_loss(m["discriminator"], m["frozen"](s.x), m["features"](t.x))
    terms = method.tell(m, {"source": s, "target": t}, 0.7)
    torch.testing.assert_close(terms["domain"], naive)
    torch.testing.assert_close(gradients(terms, m, "discriminator"), gradients(naive, m, "discriminator"))
    assert gradients(terms, m, "discriminator").any()
    assert 0 <= float(m.notes["discriminator accuracy"]) <= 1


def test_the_features_take_inverted_labels_not_a_reversed_gradient():
    method, m, s, t = parted(weight=0.5)
    naive = (
        -0.5
        * sum(torch.log(torch.sigmoid(m["discriminator"](m["features"](x[None])))) for x in t.x).squeeze()
        / len(t.x)
    )
    terms = method.fool(m, {"source": s, "target": t}, 0.7)
    torch.testing.assert_close(terms["fool"], naive)
    torch.testing.assert_close(gradients(terms, m, "features"), gradients(naive, m, "features"))
    # a discriminator that is sure of the target: log(1 - d) has no slope left there, -log d has its largest
    with torch.no_grad():
        m["discriminator"][-1].bias -= 50
    sure = m["discriminator"](m["features"](t.x))
    assert gradients(torch.nn.functional.softplus(sure).mean(), m, "features").norm() < 1e-15
    assert gradients(method.fool(m, {"source": s, "target": t}, 0.7), m, "features").norm() > 1e-3


def test_who_moves_in_the_second_stage():
    method, m, s, t = parted()
    for turn in method.stages[1].turns:
        m.modules.zero_grad()
        with _only(m, turn):
            sum(getattr(method, turn.loss)(m, {"source": s, "target": t}, 0.7).values()).backward()
        moved = {name for name, part in m.modules.items() if any(p.grad is not None for p in part.parameters())}
        assert moved == set(turn.trains)


def fitted(watch=None, **params):
    toy = make_toy("mean_shift_nuisance", n=60)
    X, y, d = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, -np.ones(60, int)], np.repeat([1, -1], 60)
    return DeepClassifier(ADDA(**params), steps=40, every=1, tick=watch).fit(X, y, sample_domain=d)


def test_in_the_second_half_classifier_and_source_features_stand_still(monkeypatch):
    seen = []

    def one(loop, real=Loop._one):
        real(loop)
        seen.append({name: weights(loop.engine[name]) for name in ("features", "head", "frozen", "discriminator")})

    monkeypatch.setattr(Loop, "_one", one)
    model = fitted()
    half, end = seen[19], seen[-1]
    assert same(half["discriminator"], seen[0]["discriminator"]) and not same(half["features"], seen[0]["features"])
    assert same(half["head"], end["head"])
    assert same(seen[20]["frozen"], end["frozen"])
    assert same(half["features"], {k.removeprefix("body."): v for k, v in end["frozen"].items()})
    assert not same(half["features"], end["features"]) and not same(half["discriminator"], end["discriminator"])
    # what predicts is the target's net
    assert same(weights(model.modules_["features"]), end["features"])
    assert {"source", "domain", "fool", "discriminator accuracy"} <= set(model.history_[-1]) | set(model.history_[0])


def test_a_frozen_copy_keeps_its_statistics_and_drops_as_the_original_does():
    net = nn.Sequential(nn.Linear(D, K), nn.BatchNorm1d(K), nn.Dropout(0.5))
    with torch.no_grad():
        net[1].running_mean += 1
    frozen = Frozen(net).train()
    before = copy.deepcopy(frozen.state_dict())
    assert (frozen(torch.randn(50, D)) == 0).float().mean() == pytest.approx(0.5, abs=0.2)
    assert same(before, frozen.state_dict()) and not any(p.requires_grad for p in frozen.parameters())
    frozen.eval()
    x = torch.randn(5, D)
    torch.testing.assert_close(frozen(x), net.eval()(x))
    modules = nn.ModuleDict({"features": net, "head": nn.Linear(K, C), "frozen": frozen})
    assert Exact(modules.train(), torch.device("cpu"))["frozen"].body[1].training is False
