"""A method of each role that does not predict, as small as they come: a CycleGAN and a GAN on rows."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from transfermap.card import Card
from transfermap.deep.adapter import DeepAdapter
from transfermap.deep.generator import DeepGenerator
from transfermap.deep.training.batch import Own, Stage, Turn

CARD = Card(
    name="Tiny",
    year=2026,
    setting="unsupervised",
    transfers="features",
    objective="",
    steps=(),
    solver="",
    cost="",
    assumes=(),
    fails_when=(),
    reference="",
    doi="",
)


def mlp(inputs, outputs, width=32):
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))


def real(d, is_real):
    return F.binary_cross_entropy_with_logits(d, torch.full_like(d, float(is_real)))


@dataclass(eq=False, repr=False, kw_only=True)
class TinyCycle(DeepAdapter):
    """Two maps that undo each other, and a discriminator in each domain."""

    card = CARD
    stages = (Stage(1.0, (Turn("judge", trains=("ds", "dt")), Turn("fool", trains=("to_target", "to_source")))),)

    def parts(self, spec):
        d = spec.columns
        return {"to_target": mlp(d, d), "to_source": mlp(d, d), "ds": mlp(d, 1), "dt": mlp(d, 1)}

    def judge(self, m, batches, progress):
        s, t = batches["source"].x, batches["target"].x
        return {
            "dt": real(m["dt"](t), True) + real(m["dt"](m["to_target"](s).detach()), False),
            "ds": real(m["ds"](s), True) + real(m["ds"](m["to_source"](t).detach()), False),
        }

    def fool(self, m, batches, progress):
        s, t = batches["source"].x, batches["target"].x
        there, back = m["to_target"](s), m["to_source"](t)
        cycle = F.l1_loss(m["to_source"](there), s) + F.l1_loss(m["to_target"](back), t)
        return {"cycle": 10 * cycle, "g": real(m["dt"](there), True) + real(m["ds"](back), True)}

    def _map_source(self, X):
        return self.translated(X, "to_target")


@dataclass(eq=False, repr=False, kw_only=True)
class TinyGAN(DeepGenerator):
    """Rows of the target from noise, by a discriminator with three steps to one of the generator."""

    card = CARD
    stages = (
        Stage(
            1.0,
            (
                Turn("judge", trains=("discriminator",), repeat=3, fresh=True, optimizer=Own("adam-gan", 2e-3)),
                Turn("fool", trains=("generator",), optimizer=Own("adam-gan", 1e-3)),
            ),
        ),
    )

    def parts(self, spec):
        return {"generator": mlp(self.latent, spec.columns), "discriminator": mlp(spec.columns, 1)}

    def sources(self, domains):
        return {"target": domains.stream("target")}

    def judge(self, m, batches, progress):
        x = batches["target"].x
        made = m["generator"](self.noise(m, len(x))).detach()
        return {"d": real(m["discriminator"](x), True) + real(m["discriminator"](made), False)}

    def fool(self, m, batches, progress):
        made = m["generator"](self.noise(m, len(batches["target"].x)))
        return {"g": real(m["discriminator"](made), True)}
