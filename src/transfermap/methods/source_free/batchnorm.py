"""Batch-norm adaptation: the target's own means and variances in every layer of batch normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from transfermap.card import Card, method, param
from transfermap.deep.source_free import SourceFree, norms, take_statistics

if TYPE_CHECKING:
    from transfermap.deep.training.batches import Stream
    from transfermap.deep.training.engine import Engine


@method(
    Card(
        name="Batch-norm adaptation",
        year=2016,
        setting="transductive",
        transfers="parameters",
        tasks=("classification",),
        objective="in every layer of batch normalisation  mu = (1 - w) mu_s + w mu_t,  v = (1 - w) v_s + w v_t",
        steps=(
            "Train a net with batch normalisation on the source, or take one that has been trained.",
            "Send the target's rows through it, and put their means and variances in the place of the source's.",
        ),
        solver="averages over one pass; no gradient",
        cost="one pass over the target",
        assumes=(
            "what differs is the mean and the spread of what the layers see",
            "the classes are about as common in the target as in the source",
            "the net has batch normalisation",
        ),
        fails_when=(
            "class shares differ: the target's means are then those of other classes",
            "there are few target rows, or rows that are much alike: their statistics are a matter of chance",
        ),
        reference="Li, Wang, Shi, Hou and Liu, Adaptive Batch Normalization for Practical Domain Adaptation, "
        "Pattern Recognition 80, 2018 (as a preprint 2016)",
        doi="10.1016/j.patcog.2018.03.005",
        needs=("pretrained model", "torch"),
        neutral={"weight": 0.0},
        toy="site_offsets",
    )
)
class BatchNorm(SourceFree):
    r"""Give a net's layers of batch normalisation the target's own statistics.

    .. math:: \mu = (1 - w)\,\mu_s + w\,\mu_t,\qquad v = (1 - w)\,v_s + w\,v_t

    for every channel of every such layer, where :math:`\mu_t` and :math:`v_t` are averages over batches of the target's
    rows, each layer before it being normalised by its batch. No weight is trained and no label is read. Predictions
    are made with these statistics, one row at a time or many.

    Fails when class shares differ, and with few rows: 20 rows have the statistics of 20 rows.

    Parameters
    ----------
    weight : float, default=1.0
        Share w of the target's statistics, 0 to 1; at 0 the net stays as the source has trained it.
    batch : int, default=200
        Rows that are averaged at a time, at least 2.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 2)) + 3 * y[:, None]
    >>> X[100:] = 5 * X[100:] + 20
    >>> BatchNorm().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Li, Wang, Shi, Hou and Liu, Adaptive Batch Normalization for Practical Domain Adaptation, Pattern Recognition 80,
    2018, doi:10.1016/j.patcog.2018.03.005.
    """

    normalised: ClassVar[bool] = True

    weight: float = param(default=1.0, low=0, high=1)
    batch: int = param(default=200, low=2)

    def adapt(self, m: Engine, rows: Stream) -> list[dict[str, float]]:
        """Blend the target's statistics into the source's."""
        kept = [(layer.running_mean.clone(), layer.running_var.clone()) for layer in norms(m.modules)]
        take_statistics(m, rows)
        for layer, (mean, variance) in zip(norms(m.modules), kept, strict=True):
            # ``mean`` is the source's: 1 - w is its share
            layer.running_mean.lerp_(mean, 1 - self.weight)
            layer.running_var.lerp_(variance, 1 - self.weight)
        return []
