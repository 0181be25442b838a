"""A small net in float64 with a method's parts, and a batch of each domain, for the tests of deep methods."""

import torch
from torch import nn

from transfermap.deep.training.batch import Batch, Outputs
from transfermap.deep.training.engine import Engine
from transfermap.deep.training.objective import InputSpec

C, D, K = 3, 5, 4


class Exact(Engine):
    """An engine that leaves float64 as it is."""

    def forward(self, x, watched=(), features=None):
        f = (features or self["features"])(x)
        return Outputs(f, self["head"](f), {})


def spec_of(net, outputs=C):
    """What a method makes its parts from."""
    return InputSpec(shape=(D,), outputs=outputs, net=net)


def case(method, ns=7, nt=5, seed=0, k=K, classes=C):
    """Engine, source batch and target batch, of unequal sizes."""
    torch.manual_seed(seed)
    net = nn.ModuleDict({"features": nn.Sequential(nn.Linear(D, k), nn.Tanh()), "head": nn.Linear(k, classes)})
    net.update(method.parts(spec_of(net, classes)))
    m = Exact(net.double(), torch.device("cpu"))
    x = torch.randn(ns + nt, D, dtype=torch.float64)
    return m, Batch(x[:ns], torch.arange(ns) % classes, torch.arange(ns)), Batch(x[ns:] + 1, None, torch.arange(nt))


def views(m, s, t):
    return m.forward(s.x), m.forward(t.x)


def gradients(terms, m, *names):
    """Of the sum of terms with respect to the named parts' parameters, in one vector; zeros where there is none."""
    parameters = [p for name in names for p in m[name].parameters()]
    total = sum(terms.values()) if isinstance(terms, dict) else terms
    found = torch.autograd.grad(total, parameters, allow_unused=True, retain_graph=True)
    return torch.cat(
        [(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(parameters, found, strict=True)]
    )


def log_share(z, k):
    """The logarithm of the softmax of logits (C,) at k, term by term."""
    return z[k] - torch.log(sum(torch.exp(v) for v in z))


def cross_entropy(Z, y):
    return -sum(log_share(z, k) for z, k in zip(Z, y, strict=True)) / len(Z)


def discriminators_loss(discriminator, fs, ft, ws=None, wt=None):
    """Binary cross-entropy, row by row; each domain one half."""
    ws, wt = ([1.0] * len(f) if w is None else w for f, w in ((fs, ws), (ft, wt)))
    source = -sum(w * torch.log(torch.sigmoid(discriminator(f[None]))) for f, w in zip(fs, ws, strict=True)) / len(fs)
    target = -sum(w * torch.log(1 - torch.sigmoid(discriminator(f[None]))) for f, w in zip(ft, wt, strict=True)) / len(
        ft
    )
    return (source + target).squeeze() / 2
