"""How far two domains' features lie apart: pure functions on tensors, with gradients.

Kernel discrepancies take one Gram matrix over the joined batch, source rows first: every kernel of a layer is made from
the same distances, and every layer's matrix is of the same pairs. The domains may differ in their numbers of rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from transfermap.deep.lazy import torch
from transfermap.deep.losses.kernel_bank import KERNELS, mean_distance

if TYPE_CHECKING:
    from torch import Tensor

Pair = tuple["Tensor", "Tensor"]
_BLOCK = 512


def gram(a: Tensor, b: Tensor, kernels: int = KERNELS, width: float | None = None) -> Tensor:
    """The :func:`bank` of the joined rows, (n + m, n + m); ``width`` None is their :func:`mean_distance`."""
    from transfermap.deep.losses.gram import SelfGram

    z = torch.cat([a, b])
    K: Tensor = SelfGram.apply(z, mean_distance(z) if width is None else width, kernels)  # type: ignore[no-untyped-call]
    return K


def mmd2(K: Tensor, n: int, unbiased: bool = True) -> Tensor:
    r"""Squared maximum mean discrepancy, from a Gram matrix whose first n rows are the source's.

    .. math:: \overline{K_{ss}} + \overline{K_{tt}} - 2\,\overline{K_{st}}

    with means over all pairs; unbiased, those within a domain leave :math:`i=j` out. That estimate has mean 0 for
    equal distributions and so *may be negative*: it is not to be clipped or rooted. The biased one is never below 0,
    but for rounding, and of order 1/n between equal distributions.

    References
    ----------
    Gretton et al., A kernel two-sample test, JMLR 13 (2012) 723-773, equations 3 and 5.
    """
    m = len(K) - n
    _check_rows(n, m)
    spare = int(unbiased)
    counts = torch.full_like(K, -1 / (n * m), requires_grad=False)
    counts[:n, :n] = 1 / (n * (n - spare))
    counts[n:, n:] = 1 / (m * (m - spare))
    if unbiased:
        counts.fill_diagonal_(0)
    return (K * counts).sum()


def joint_mmd2(layers: Sequence[Pair], ps: Tensor, pt: Tensor, unbiased: bool = True, width: float = 1.68) -> Tensor:
    """Discrepancy of layers *together with* the prediction: :func:`mmd2` of the product of their Gram matrices.

    The layers have a bank of kernels each; ``ps`` (n, C) and ``pt`` (m, C) are probabilities, not logits, with one
    kernel of a fixed ``width``, since the square of their distance is at most 2.
    """
    K = math.prod((gram(a, b) for a, b in layers), start=gram(ps, pt, 1, width))
    return mmd2(K, len(ps), unbiased)


def mmd2_blocks(a: Tensor, b: Tensor, kernels: int = KERNELS, unbiased: bool = True, block: int = _BLOCK) -> Tensor:
    """``mmd2(gram(a, b), n)`` for many rows: never more than ``block`` x ``block`` of the Gram matrix are held.

    Its gradient is found on the same way, where one may be asked for.
    """
    from transfermap.deep.losses.gram import TiledMMD

    _check_rows(len(a), len(b))
    if not torch.is_grad_enabled():
        a, b = a.detach(), b.detach()
    width = mean_distance(torch.cat([a, b]))
    value: Tensor = TiledMMD.apply(a, b, width, kernels, unbiased, block)  # type: ignore[no-untyped-call]
    return value


def mean_gap2(a: Tensor, b: Tensor) -> Tensor:
    r"""The squared distance of the domains' mean rows, :math:`\|\bar a-\bar b\|^2`: MMD with the linear kernel."""
    return (a.mean(0) - b.mean(0)).square().sum()


def coral2(a: Tensor, b: Tensor) -> Tensor:
    r"""How far two covariances differ: :math:`\|C_a-C_b\|_F^2/4d^2`, of d columns; blind to the means."""
    _check_rows(len(a), len(b))
    return (_covariance(a) - _covariance(b)).square().mean() / 4


def _covariance(x: Tensor) -> Tensor:
    x = x - x.mean(0)
    return x.T @ x / (len(x) - 1)


def _check_rows(n: int, m: int) -> None:
    if min(n, m) < 2:
        raise ValueError(f"expected at least two rows of each domain in a batch; got {n} and {m}")
