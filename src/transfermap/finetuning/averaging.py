"""Means of nets that were fine-tuned from one start: between two (WiSE-FT), and of many (soups)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from transfermap.card import Card, tool

State = Mapping[str, Tensor]


def between(start: State, end: State, alpha: float) -> dict[str, Tensor]:
    r"""The state :math:`(1-\alpha)\theta_0+\alpha\theta_1`, weights and running statistics; counters are the end's.

    Parameters
    ----------
    start, end : mapping of str to tensor
        States of one net before and after fine-tuning, its head included.
    alpha : float
        In [0, 1]; 0 is the start and 1 the end, exactly.

    References
    ----------
    Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022, doi:10.1109/CVPR52688.2022.00780.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"expected alpha in [0, 1], got {alpha}")
    if start.keys() != end.keys():
        raise ValueError("expected two states of one net; their names differ")
    return {k: torch.lerp(start[k], v, alpha) if v.is_floating_point() else v.clone() for k, v in end.items()}


def mean_of(states: Sequence[State]) -> dict[str, Tensor]:
    """The mean of states of one net; the mean of equal ones is that one, exactly."""
    mean = {name: value.clone() for name, value in states[0].items()}
    for count, state in enumerate(states[1:], start=2):
        mean = between(mean, state, 1 / count)
    return mean


@tool(
    Card(
        key="soups",
        family="tuning",
        command="transfermap finetune FOLDER --recipe soup -o RUN",
        name="Model soups",
        year=2022,
        setting="inductive",
        transfers="parameters",
        label_sets="disjoint",
        tasks=("classification",),
        reads="target",
        needs=("target labels", "pretrained model", "torch"),
        objective="theta = mean of theta_i, i in M;  M grows where its mean scores no worse on rows kept aside",
        steps=(
            "Fine-tune a pretrained net several times from one start, at different rates.",
            "Score each net on rows kept aside; begin with the best.",
            "Add the others from the best to the worst, each only if the mean of the weights scores no worse with it.",
        ),
        solver="greedy, one pass over the nets",
        cost="time: the fine-tuning of all members, and two scorings a member; prediction costs what one net costs",
        assumes=(
            "the nets come from one pretrained start, so that the path between two of them stays at low loss",
            "some labelled target rows can be kept aside for the choice",
        ),
        fails_when=(
            "the nets have drifted apart (large rates, long training, other starts): their mean is worse than each",
            "few rows are kept aside: the choice follows their noise",
        ),
        reference=(
            "Wortsman et al., Model Soups: Averaging Weights of Multiple Fine-tuned Models Improves Accuracy without "
            "Increasing Inference Time, ICML 2022"
        ),
        doi="10.48550/arXiv.2203.05482",
    )
)
def greedy_soup(states: Sequence[State], score: Callable[[State], float]) -> tuple[dict[str, Tensor], list[int]]:
    """The mean of those states that do not make it worse, tried from the best one on.

    Parameters
    ----------
    states : sequence of mappings
        Of nets that were fine-tuned from one start, with one head.
    score : callable
        ``score(state)`` on rows kept for this choice, larger better. What is returned never scores below the best
        member.

    Returns
    -------
    (state, list of int)
        The soup, and which members are in it, the best one first.

    Examples
    --------
    >>> import torch
    >>> nets = [{"w": torch.tensor(value)} for value in (0.75, 1.5, 9.0)]
    >>> soup, members = greedy_soup(nets, lambda net: -abs(float(net["w"]) - 1.0))
    >>> float(soup["w"]), members
    (1.125, [0, 1])

    References
    ----------
    Wortsman et al., Model soups, ICML 2022, arXiv:2203.05482.
    """
    if not states:
        raise ValueError("expected at least one state to make a soup of")
    scores = [score(state) for state in states]
    order = sorted(range(len(states)), key=lambda i: -scores[i])
    members, best = order[:1], scores[order[0]]
    for candidate in order[1:]:
        tried = score(mean_of([states[i] for i in (*members, candidate)]))
        if tried >= best:
            members, best = [*members, candidate], tried
    return mean_of([states[i] for i in members]), members


@torch.no_grad()
def recalibrate(net: nn.Module, forward: Callable[[Tensor], object], batches: Sequence[Tensor]) -> None:
    """Take the running statistics of batch normalisations that move anew, as means over batches.

    The mean of two nets' statistics is not the statistic of their mean. Also where a net was trained for few steps,
    its statistics still are largely those it started from.
    """
    layers = [m for m in net.modules() if isinstance(m, _BatchNorm) and m.track_running_stats and _moves(m)]
    if not layers:
        return
    mode, momenta = net.training, [layer.momentum for layer in layers]
    net.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over the batches
        layer.train()
    for batch in batches:
        forward(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    net.train(mode)


def _moves(layer: _BatchNorm) -> bool:
    return not layer.affine or layer.weight.requires_grad
