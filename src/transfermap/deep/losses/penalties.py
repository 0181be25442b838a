"""What is added to the loss so that fine-tuning does not forget, or does not carry over what hinders."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def distance_from(start: Mapping[str, Tensor], net: nn.Module) -> Tensor:
    r"""Half the squared distance of the weights that move from where they started: :math:`\frac12\|w-w^0\|^2`.

    Parameters
    ----------
    start : mapping of str to tensor
        The weights by name. Those that ``net`` has and ``start`` lacks (a new head) are not counted, nor are buffers:
        running statistics are no weights.
    net : torch.nn.Module

    References
    ----------
    Li, Grandvalet and Davoine, Explicit Inductive Bias for Transfer Learning with Convolutional Networks, ICML 2018,
    arXiv:1802.01483.
    """
    own = [(p, start[name]) for name, p in net.named_parameters() if p.requires_grad and name in start]
    return torch.stack([(p - begun).square().sum() for p, begun in own]).sum() / 2 if own else torch.zeros(())


def size_of(net: nn.Module) -> Tensor:
    r"""Half the squared length of the weights that move, :math:`\frac12\|w\|^2`."""
    own = [p.square().sum() for p in net.parameters() if p.requires_grad]
    return torch.stack(own).sum() / 2 if own else torch.zeros(())


def smallest_spectrum(F: Tensor, k: int = 1) -> Tensor:
    r"""The sum of the k smallest squared singular values of features F (n, d), :math:`\sum_{i\le k}\sigma_{-i}^2`.

    They are eigenvalues of the smaller Gram matrix of the two, whose gradient also exists where singular values
    coincide. F is not centred: the smallest value of centred rows is 0 wherever n <= d.

    References
    ----------
    Chen, Wang, Fu, Long and Wang, Catastrophic Forgetting Meets Negative Transfer: Batch Spectral Shrinkage for Safe
    Transfer Learning, NeurIPS 2019.

    Examples
    --------
    >>> smallest_spectrum(torch.diag(torch.tensor([3.0, 2.0, 1.0])), k=2).item()
    5.0
    """
    gram = F @ F.T if F.shape[0] <= F.shape[1] else F.T @ F
    values: Tensor = torch.linalg.eigvalsh(gram)  # ascending
    return values[:k].clamp(min=0).sum()
