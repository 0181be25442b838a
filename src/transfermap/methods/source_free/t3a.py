"""T3A: the classifier's directions, drawn to the target rows that it is sure of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.deep.lazy import F, nn, torch
from transfermap.deep.source_free import SourceFree, predict_all
from transfermap.deep.training.batch import Outputs
from transfermap.deep.training.objective import entropy

if TYPE_CHECKING:
    from torch import Tensor

    from transfermap.deep.training.batches import Stream
    from transfermap.deep.training.engine import Engine


@method(
    Card(
        name="Test-time template adjuster",
        year=2021,
        setting="transductive",
        transfers="parameters",
        tasks=("classification",),
        objective="argmax_k  z . c_k / |c_k|,  c_k = omega_k / |omega_k| + w sum_{j in S_k} z_j / |z_j|",
        steps=(
            "Train a net on the source, or take one that has been trained.",
            "Let its linear classifier name the target's rows, and keep those of each class that it is surest of.",
            "Add their directions to that of the classifier's own weights: this is the class's new template.",
        ),
        solver="closed form; no gradient",
        cost="one pass over the target",
        assumes=(
            "the features keep the classes apart in the target; it is the classifier's directions that are off",
            "the rows that the net is surest of are mostly right",
        ),
        fails_when=("sure predictions are wrong", "the classifier's offsets matter: templates have none"),
        reference="Iwasawa and Matsuo, Test-Time Classifier Adjustment Module for Model-Agnostic Domain "
        "Generalization, NeurIPS 2021",
        doi="https://proceedings.neurips.cc/paper/2021/hash/1415fe9fea0fa1e45dddcff5682239a0-Abstract.html",
        needs=("pretrained model", "torch"),
        neutral={"weight": 0.0},
        toy="contrary_witness",
    )
)
class T3A(SourceFree):
    r"""Draw the classifier's directions to the target rows that it is sure of.

    .. math:: \hat y(x) = \arg\max_k \frac{z \cdot c_k}{\|c_k\|},\qquad
              c_k = \frac{\omega_k}{\|\omega_k\|} + w\sum_{j \in S_k}\frac{z_j}{\|z_j\|},\quad z = f(x)

    where :math:`\omega_k` are the weights of the linear classifier, and :math:`S_k` the target rows that it gives class
    k: of these and of :math:`\omega_k` itself, the ``keep`` whose predictions have the least entropy. The features do
    not move.

    Fails when sure predictions are wrong. The templates have no offsets, so a net that leans on them loses by it.

    Parameters
    ----------
    weight : float, default=1.0
        What a target row counts against the classifier's own direction; at 0 the net stays as it was trained.
    keep : int, default=100
        Most directions a class; None: all.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 2)) + 3 * y[:, None] + np.repeat([[0, 0], [1, -1]], 100, axis=0)
    >>> T3A().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Iwasawa and Matsuo, Test-Time Classifier Adjustment Module for Model-Agnostic Domain Generalization, NeurIPS 2021.
    https://proceedings.neurips.cc/paper/2021/hash/1415fe9fea0fa1e45dddcff5682239a0-Abstract.html
    """

    keep: int | None = param(default=100, low=1, none=True)

    def adapt(self, m: Engine, rows: Stream) -> list[dict[str, float]]:
        """Put the templates in the place of the classifier's weights."""
        head = m["head"]
        # exactly: its rows are what templates replace
        if type(head) is not nn.Linear:
            raise ValueError(f"T3A needs a head that is one linear layer; got {type(head).__name__}")
        seen = predict_all(m, rows)
        with torch.no_grad():
            own = Outputs(head.weight, head(head.weight), {})
            head.weight.copy_(templates(own, seen, self.keep, self.weight))
            if head.bias is not None:
                # offsets were learnt with the old weights' lengths, which templates do not have
                head.bias.zero_()
        return []


def templates(own: Outputs, seen: Outputs, keep: int | None = None, weight: float = 1.0) -> Tensor:
    """The classes' directions (C, k), of length 1.

    Parameters
    ----------
    own : Outputs
        The classifier's weights (C, k) as if they were rows, and the logits that they get.
    seen : Outputs
        Features and logits of the target's rows; there may be none.
    keep : int or None
        Most directions a class.
    weight : float
        What a row counts.
    """
    made = []
    named = seen.z.argmax(1)
    for k in range(len(own.f)):
        mine = named == k
        f = torch.cat([own.f[k : k + 1], seen.f[mine]])
        unsure = entropy(torch.cat([own.z[k : k + 1], seen.z[mine]]).softmax(1))
        counts = torch.full_like(unsure, weight)
        counts[0] = 1.0
        # stable: of equal rows, and there are many where predictions are sure, always the same ones are kept
        best = unsure.argsort(stable=True)[:keep]
        made.append((counts[best, None] * F.normalize(f[best], dim=1)).sum(0))
    return F.normalize(torch.stack(made), dim=1)
