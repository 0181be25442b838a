"""MCD: three turns, who moves on each, and the heads' distance row by row."""

import pytest
import torch
from small_net import C, D, case, cross_entropy, gradients, spec_of, views
from torch import nn

from transfermap.data.toy import make_toy
from transfermap.deep.training.batches import Stream
from transfermap.deep.training.engine import Engine
from transfermap.deep.training.loop import Loop, Plan, _only
from transfermap.methods.adversarial.mcd import MCD


def apart(m, b):
    p, q = b.p, m["second"](b.f).softmax(1)
    return sum(abs(p[j, c] - q[j, c]) for j in range(len(p)) for c in range(C)) / (len(p) * C)


def test_the_three_losses_are_those_of_the_equations():
    method = MCD(weight=0.5)
    m, s, t = case(method)
    a, b = views(m, s, t)
    right = cross_entropy(a.z, s.y) + cross_entropy(m["second"](a.f), s.y)
    every = ("features", "head", "second")
    for turn, naive in (("learn", right), ("part", right - 0.5 * apart(m, b)), ("meet", 0.5 * apart(m, b))):
        terms = getattr(method, turn)(m, {"source": s, "target": t}, 0.3)
        torch.testing.assert_close(sum(terms.values()), naive)
        torch.testing.assert_close(gradients(terms, m, *every), gradients(naive, m, *every))


def test_who_moves_when():
    (stage,) = MCD().stages
    assert [(turn.loss, turn.trains, turn.repeat) for turn in stage.turns] == [
        ("learn", None, 1),
        ("part", ("head", "second"), 1),
        ("meet", ("features",), 4),
    ]
    assert MCD(repeat=2).stages[0].turns[2].repeat == 2
    method = MCD()
    m, s, t = case(method)
    for turn in stage.turns:
        m.modules.zero_grad()
        with _only(m, turn):
            sum(getattr(method, turn.loss)(m, {"source": s, "target": t}, 0.0).values()).backward()
        moved = {
            name for name in ("features", "head", "second") if any(p.grad is not None for p in m[name].parameters())
        }
        assert moved == set(turn.trains or ("features", "head", "second"))
        assert all(p.grad.any() for name in moved for p in m[name].parameters())


def test_parting_raises_the_heads_distance_and_meeting_lowers_it():
    method = MCD()
    m, s, t = case(method)
    for turn, parts, sign in (("part", ("head", "second"), 1), ("meet", ("features",), -1)):
        before = float(apart(m, m.forward(t.x)).detach())
        moved = [p for name in parts for p in m[name].parameters()]
        terms = getattr(method, turn)(m, {"source": s, "target": t}, 0.0)
        term = terms[turn]
        with torch.no_grad():
            for p, g in zip(moved, torch.autograd.grad(term, moved), strict=True):
                p -= 0.01 * g
        assert sign * (float(apart(m, m.forward(t.x)).detach()) - before) > 0


def test_the_loop_takes_every_turn_as_often_as_it_says():
    counted = []

    class Counted(MCD):
        def learn(self, *args):
            counted.append("learn")
            return super().learn(*args)

        def part(self, *args):
            counted.append("part")
            return super().part(*args)

        def meet(self, *args):
            counted.append("meet")
            return super().meet(*args)

    toy = make_toy("no_shift", n=20)
    X, y = torch.tensor(toy.Xs).float(), torch.tensor(toy.ys)
    method = Counted(repeat=3)
    net = nn.ModuleDict({"features": nn.Linear(4, 3), "head": nn.Linear(3, 2)})
    net.update(method.parts(spec_of(net, 2)))
    m = Engine(net, torch.device("cpu"))
    sources = {"source": Stream((X, y), 8, 0, m.device, True), "target": Stream((X,), 5, 1, m.device, False)}
    Loop(method, m, sources, Plan(steps=2)).run()
    assert counted == ["learn", "part", "meet", "meet", "meet"] * 2


def test_heads_that_could_never_part_are_refused():
    # equal heads have distance 0, and the gradient of its absolute values there is 0 as well
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(D, C))

        def forward(self, x):
            return x @ self.weight

    with pytest.raises(ValueError, match="begun anew"):
        MCD().parts(spec_of(nn.ModuleDict({"features": nn.Identity(), "head": Plain()})))
