"""TENT: batch normalisation's scales and offsets, moved until the predictions are surer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from transfermap.card import Card, method, param
from transfermap.deep.source_free import SourceFree, norms, only_trained, take_statistics, tune
from transfermap.deep.training.batch import Batches, Stage, Terms, Turn
from transfermap.deep.training.objective import entropy

if TYPE_CHECKING:
    from transfermap.deep.training.batches import Stream
    from transfermap.deep.training.engine import Engine


@method(
    Card(
        name="Test-time entropy minimisation",
        year=2021,
        setting="transductive",
        transfers="parameters",
        tasks=("classification",),
        objective="min_{gamma, beta}  (w / n_t) sum_j H(g(f(x_j^t)))  over batch normalisation's scales and offsets",
        steps=(
            "Train a net with batch normalisation on the source, or take one that has been trained.",
            "Normalise by the target's own batches, and move scales and offsets so that the predictions get surer.",
            "End as soon as the predictions lose classes; last, take the statistics of the whole target.",
        ),
        solver="stochastic gradient steps (Adam) on the scales and offsets alone",
        cost="as training on the target's rows for `epochs` passes; one pass is the paper's",
        assumes=(
            "the net is right on most target rows once they are normalised by their own statistics",
            "the classes are about as common in the target as in the source",
            "the net has batch normalisation",
        ),
        fails_when=(
            "it runs long: all rows drift to few classes, since that is the surest prediction of all",
            "class shares differ, or batches hold few classes",
        ),
        reference="Wang, Shelhamer, Liu, Olshausen and Darrell, Tent: Fully Test-time Adaptation by Entropy "
        "Minimization, ICLR 2021",
        doi="10.48550/arXiv.2006.10726",
        needs=("pretrained model", "torch"),
        neutral={"weight": 0.0},
        toy="site_offsets",
    )
)
class TENT(SourceFree):
    r"""Move batch normalisation's scales and offsets until the net's predictions on the target are surer.

    .. math:: \min_{\gamma,\beta}\ \frac{w}{n_t}\sum_j H\bigl(g(f(x^t_j))\bigr),\qquad
              f\text{'s layers}\ \gamma\,\frac{z - \mu_B}{\sqrt{v_B + \epsilon}} + \beta

    with :math:`\mu_B, v_B` of the batch at hand. All other weights stay. Where the paper predicts each batch as it
    comes, here the net is adapted first and then predicts, with the statistics of the whole target: so rows can be
    predicted one at a time.

    Fails when it runs long: entropy is least where all rows have one class. After each pass it is therefore looked at
    which classes the predictions use; when they lose some, the run ends with the last sound state (see
    :func:`~transfermap.deep.source_free.tune`).

    Parameters
    ----------
    weight : float, default=1.0
        Size w of the entropy; Adam's steps do not depend on it. At 0 the net stays as the source has trained it.
    epochs : int, default=1
        Passes over the target.
    rate : float, default=0.001
        Of the steps.
    batch : int, default=200
        Rows a step, at least 2.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 2)) + 3 * y[:, None]
    >>> X[100:] = 5 * X[100:] + 20
    >>> TENT().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Wang, Shelhamer, Liu, Olshausen and Darrell, Tent: Fully Test-time Adaptation by Entropy Minimization, ICLR 2021,
    doi:10.48550/arXiv.2006.10726.
    """

    normalised: ClassVar[bool] = True

    epochs: int = param(default=1, low=1)
    rate: float = param(default=1e-3, above=0)
    batch: int = param(default=200, low=2)

    def adapt(self, m: Engine, rows: Stream) -> list[dict[str, float]]:
        """Statistics, scales and offsets, and the statistics of what came of them."""
        take_statistics(m, rows)
        layers = norms(m.modules)
        with only_trained(m.modules, [p for layer in layers for p in layer.parameters(recurse=False)]):
            # Adam at a constant rate without decay, as in the paper: decay would pull the scales to 0
            stages = (Stage(1.0, (Turn("surer"),)),)
            noted = tune(self, m, rows, stages, optimizer="adam", schedule="constant", weight_decay=0.0)
        take_statistics(m, rows)
        return noted

    def surer(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """The entropy of a batch that is normalised by its own statistics; nothing is dropped out."""
        t = batches["target"]
        # no dropout: its noise would be taken for the net's own doubt
        m.modules.eval()
        for layer in norms(m.modules):
            layer.train()
        return {"entropy": self.weight * entropy(m.forward(t.x).p).mean()}
