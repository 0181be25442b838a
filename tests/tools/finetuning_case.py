"""Fine-tuning written out by hand for the tests of its methods: a net, rows of two domains, and a slow loop."""

import copy

import numpy as np
import torch

from transfermap.data.toy import make_toy
from transfermap.methods.baseline.erm import ERM

STEPS = 12


def rows(known=16, seed=0):
    """Both domains, the target's labels but for the first few marked as unknown; and which rows are known."""
    toy = make_toy("contrary_majority", n=40, seed=seed)
    X, y = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, toy.yt]
    d = np.repeat([1, -1], [len(toy.Xs), len(toy.Xt)])
    seen = np.flatnonzero(d < 0)[:known]
    y[d < 0] = np.where(np.isin(np.flatnonzero(d < 0), seen), y[d < 0], -1)
    return X, y, d, seen


def source_net(X, y, d):
    """The estimator of a net that was trained on the source alone."""
    return ERM().fit(X, y, sample_domain=d).estimator_


def by_hand(trained, X, y, penalty=lambda net, f: 0.0, lr=1e-3, decay=1e-4, net=None, moves=lambda name: True):
    """A trained net's further steps on all rows at once, with AdamW and the rate of the loop; and its logits."""
    net = copy.deepcopy(trained.modules_ if net is None else net)
    x, codes = torch.from_numpy(trained._scaled(X).astype(np.float32)), torch.from_numpy(y.astype(np.int64))
    own = [p for name, p in net.named_parameters() if moves(name)]
    optimizer = torch.optim.AdamW(own, lr, weight_decay=decay)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = lr * (1 + 10 * step / STEPS) ** -0.75
        f = net["features"](x)
        loss = -net["head"](f).log_softmax(1)[torch.arange(len(x)), codes].mean() + penalty(net, f)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net


def logits(trained, net, X):
    """Of rows, in float64."""
    net = copy.deepcopy(net).double()
    with torch.no_grad():
        return net["head"](net["features"](torch.from_numpy(trained._scaled(X)))).numpy()


def predicted(fitted, X):
    return fitted._scores(X)
