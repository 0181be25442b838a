"""Recipes of fine-tuning: each takes a :class:`~transfermap.finetuning.training.Job` and gives a net."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor, nn

from transfermap.deep.losses.penalties import distance_from, size_of, smallest_spectrum
from transfermap.deep.nets.freezing import DECAY, Surgery
from transfermap.deep.training.batch import Outputs, Terms
from transfermap.deep.training.engine import Engine
from transfermap.finetuning.averaging import State, between, greedy_soup, recalibrate
from transfermap.finetuning.training import Array, Job, Penalty, train
from transfermap.measure.transferability.probes import held_out
from transfermap.messages.choices import choose

# of the logistic regression on frozen features, whose rows have a mean squared length of 1; a row
PENALTIES = (0.001, 0.01, 0.1, 1.0)
_FOLDS = 5
# the rate of fine-tuning after a probe, as a part of the usual one (Kumar et al.: a third to a tenth)
AFTER_PROBE = 0.2
# rates of a soup's members, as parts of the usual one after a probe
MEMBERS = (0.3, 1.0, 3.0)
LOW_RANK = 8


class Outcome(NamedTuple):
    """A net on the CPU in eval mode, the terms of its loss over the run, and what else is to be told."""

    net: nn.ModuleDict
    history: list[dict[str, float]]
    predicted: dict[str, Any]


Recipe = Callable[..., Outcome]
R = TypeVar("R", bound=Recipe)
RECIPES: dict[str, Recipe] = {}


def _recipe(make: R) -> R:
    RECIPES[make.__name__] = make
    return make


@_recipe
def full(job: Job) -> Outcome:
    """Everything that is not frozen moves."""
    return Outcome(*train(job), {})


@_recipe
def probe(job: Job) -> Outcome:
    """The features stay; a logistic regression on them is the head."""
    cut, F = job.rows.states(job.net["features"], len(list(job.net["features"].children())))
    if not cut:  # features fit in memory wherever rows do; what came back are the rows
        F = torch.cat(list(job.rows.through(job.net["features"])))
    head, strength = linear_head(F.numpy(), job.y.numpy(), _outputs(job.net), job.random_state)
    net = copy.deepcopy(job.net)
    net["head"] = head
    return Outcome(net.eval(), [], {"penalty": strength})


@_recipe
def lpft(job: Job) -> Outcome:
    """From the probe on, everything that is not frozen moves, at a fifth of the rate (Kumar et al., ICLR 2022)."""
    return Outcome(*train(_after_probe(job)), {})


@_recipe
def lora(job: Job, rank: int = LOW_RANK) -> Outcome:
    """Of the features, corrections of low rank move; the rate is the head's everywhere (Hu et al., ICLR 2022)."""
    surgery = replace(job.surgery, rank=job.surgery.rank or rank)
    return Outcome(*train(replace(job, surgery=surgery, plan=replace(job.plan, backbone_lr=1.0))), {})


@_recipe
def l2sp(job: Job, alpha: float = 0.01, beta: float = 0.01) -> Outcome:
    """Weights are drawn to where they started, not to 0, and the head's to 0 (Li et al., ICML 2018)."""

    def penalty(net: nn.ModuleDict) -> Penalty:
        start = {name: p.detach().clone() for name, p in net["features"].named_parameters()}

        def terms(m: Engine, seen: Outputs) -> Terms:
            return {
                "from start": alpha * distance_from(start, m["features"]),
                "head": beta * size_of(m["head"]),
            }

        return terms

    return Outcome(*train(replace(job, plan=replace(job.plan, weight_decay=0.0)), penalty), {})


@_recipe
def bss(job: Job, weight: float = 1e-3, k: int = 1) -> Outcome:
    """The smallest singular values of a batch's features are held down (Chen et al., NeurIPS 2019)."""

    def terms(m: Engine, seen: Outputs) -> Terms:
        return {"spectrum": weight * smallest_spectrum(seen.f, k)}

    return Outcome(*train(job, lambda net: terms), {})


@_recipe
def gradual(job: Job) -> Outcome:
    """One stage after the other begins to move, the last one first, lower ones slower (Howard & Ruder, ACL 2018)."""
    decay = job.surgery.decay if job.surgery.decay > 1 else DECAY
    slower = replace(job.surgery, decay=decay)
    return Outcome(*train(replace(job, surgery=slower, plan=replace(job.plan, backbone_lr=1.0)), gradual=True), {})


@_recipe
def wise(job: Job, alpha: float = 0.5) -> Outcome:
    """The mean of the probe and of what is fine-tuned from it (Wortsman et al., CVPR 2022)."""
    start = _after_probe(job)
    net, history = train(start)
    state = between(start.net.state_dict(), net.state_dict(), alpha)
    return Outcome(_with(job, state), history, {"alpha": alpha})


@_recipe
def soup(job: Job) -> Outcome:
    """Nets tuned from the probe at several rates, averaged while rows kept aside gain (Wortsman et al., ICML 2022).

    A fifth of the rows is kept aside for that.
    """
    for_choice = held_aside(job.y, 0.2, job.random_state)
    learnt, choice = job.some(np.flatnonzero(~for_choice)), job.some(np.flatnonzero(for_choice))
    start = _after_probe(learnt)
    runs = [train(replace(start, plan=replace(start.plan, lr=start.plan.lr * rate))) for rate in MEMBERS]

    def score(state: State) -> float:
        net = _with(learnt, state)
        Z = torch.cat(list(choice.rows.through(nn.Sequential(net["features"], net["head"]))))
        return -float(nn.functional.cross_entropy(Z, choice.y))

    state, members = greedy_soup([net.state_dict() for net, _ in runs], score)
    return Outcome(_with(learnt, state), runs[members[0]][1], {"rates": [MEMBERS[i] for i in members]})


def _outputs(net: Any) -> int:
    return int(net["head"].out_features)


def _after_probe(job: Job) -> Job:
    slow = replace(job.plan, lr=job.plan.lr * AFTER_PROBE)
    return replace(job, net=probe(job).net, plan=slow)


def _with(job: Job, state: State) -> nn.ModuleDict:
    """The job's net with another state; running statistics that were averaged are taken anew on the job's rows."""
    net = job.surgery.apply(copy.deepcopy(job.net)) if not job.surgery.rank else copy.deepcopy(job.net)
    net.load_state_dict(state)
    old = job.net.state_dict()
    if any(not torch.equal(old[name], value) for name, value in net.state_dict().items() if "running_" in name):
        first = (job.rows.read(job.rows.items[i : i + job.batch]) for i in range(0, len(job.rows), job.batch))
        recalibrate(net, lambda block: net["features"](block), list(first))
    return net.eval().requires_grad_(True)


def linear_head(F: Array, y: Array, outputs: int, seed: int = 0) -> tuple[nn.Linear, float]:
    """A linear layer that is the best logistic regression on features F (n, d), or ridge rule for floats.

    The features are centred and brought to a mean squared length of 1, all columns by one factor; the penalty is chosen
    by folds of the rows. The layer takes the features as they are.

    Returns
    -------
    (torch.nn.Linear, float)
        And the inverse penalty C that was chosen.
    """
    F = F.astype(np.float64)
    centre = F.mean(axis=0)
    scale = float(np.sqrt(((F - centre) ** 2).sum(axis=1).mean())) or 1.0
    Z = (F - centre) / scale
    W, b, C = _fitted(Z, y, seed) if y.dtype.kind == "f" else _fitted_classes(Z, y, outputs, seed)
    return _layer(W / scale, b - W @ centre / scale), C


def _fitted_classes(Z: Array, y: Array, outputs: int, seed: int) -> tuple[Array, Array, float]:
    """Weights (outputs, d) and intercepts; a class that no row has is as unlikely as one of n + 1 rows."""
    present, codes = np.unique(y, return_inverse=True)
    W, b, C = np.zeros((outputs, Z.shape[1])), np.full(outputs, -np.log(len(y) + 1.0)), np.nan
    if len(present) > 1:
        own, offsets, C = _fitted(Z, codes, seed)
        if len(present) == 2:  # two classes have one row of weights
            own, offsets = np.concatenate([-own, own]) / 2, np.concatenate([-offsets, offsets]) / 2
        W[present], b = own, b + offsets.min()
        b[present] = offsets
    else:
        b[present] = 0.0
    return W, b, C


def _fitted(Z: Array, y: Array, seed: int) -> tuple[Array, Array, float]:
    rules = {C: _rule(C, y) for C in (c * len(Z) for c in PENALTIES)}
    C = _best(rules, Z, y, seed)
    rule = rules[C].fit(Z, y)
    return np.atleast_2d(rule.coef_), np.atleast_1d(rule.intercept_), C


def _rule(C: float, y: Array) -> Any:
    return Ridge(alpha=1 / C) if y.dtype.kind == "f" else LogisticRegression(C=C, max_iter=2000)


def _best(rules: dict[float, Any], Z: Array, y: Array, seed: int) -> float:
    """The strongest penalty of those that predict held-out rows best; the middle one where folds cannot be made."""
    least = len(y) if y.dtype.kind == "f" else int(np.bincount(y)[np.unique(y)].min())
    if least < 2:
        return list(rules)[len(rules) // 2]
    predicted = {C: held_out(rule, Z, y, min(_FOLDS, least), seed) for C, rule in rules.items()}
    right = {
        C: -float(((p - y) ** 2).mean()) if y.dtype.kind == "f" else float((p == y).mean())
        for C, p in predicted.items()
    }
    return max(right, key=lambda C: right[C])


def _layer(W: Array, b: Array) -> nn.Linear:
    layer = nn.Linear(W.shape[1], W.shape[0])
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(W))
        layer.bias.copy_(torch.from_numpy(b))
    return layer


def held_aside(y: Tensor | Array, share: float, seed: int) -> Array:
    """Which rows are kept aside, (n,) booleans: of each class that share, at least one, and never all."""
    values = np.asarray(y)
    aside = np.zeros(len(values), dtype=bool)
    order = np.random.default_rng(seed).permutation(len(values))
    for value in np.unique(values):
        own = order[values[order] == value]
        aside[own[: min(max(round(share * len(own)), 1), len(own) - 1)]] = True
    return aside


def check_recipe(name: str) -> Recipe:
    """The recipe of that name."""
    return RECIPES[choose("recipe", name, RECIPES)]


def whole(surgery: Surgery, recipe: str) -> Surgery:
    """What a recipe makes of a surgery: a probe freezes all stages."""
    return replace(surgery, freeze="all") if recipe == "probe" else surgery
