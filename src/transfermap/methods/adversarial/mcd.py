"""MCD: two heads that part on the target, and features that bring them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.deep.learner import DeepLearner
from transfermap.deep.training.batch import Batch, Batches, Outputs, Stage, Terms, Turn
from transfermap.deep.training.objective import source_loss
from transfermap.methods.adversarial._shared import second_head

if TYPE_CHECKING:
    from torch import Tensor, nn

    from transfermap.deep.training.engine import Engine
    from transfermap.deep.training.objective import InputSpec


@method(
    Card(
        name="Maximum classifier discrepancy",
        year=2018,
        setting="transductive",
        transfers="features",
        tasks=("classification",),
        objective="min_{f,g,h}  L_g + L_h;  min_{g,h}  L_g + L_h - w D;  min_f  w D,  D = mean |p_g(x^t) - p_h(x^t)|",
        steps=(
            "Train a net with two heads on the source.",
            "Move the heads apart on the target, while both stay right about the source.",
            "Move the features so that the heads agree on the target again, several steps.",
            "Predict the target with the first head.",
        ),
        solver="stochastic gradient steps, three turns on each batch",
        cost="about ten times a step on the source alone",
        assumes=("some rule on common features is right in both domains", "the classes are apart in the source"),
        fails_when=(
            "the two heads are wrong together: where they agree, nothing moves",
            "the classes overlap in the source: the heads part there for no reason of the domains",
        ),
        reference="Saito, Watanabe, Ushiku and Harada, Maximum Classifier Discrepancy for Unsupervised Domain "
        "Adaptation, IEEE CVPR 2018",
        doi="10.48550/arXiv.1712.02560",
        needs=("torch",),
        neutral={"weight": 0.0},
        toy="contrary_witness",
    )
)
class MCD(DeepLearner):
    r"""Move the features of target rows to where two heads that know the source cannot differ.

    .. math:: \min_{f,g,h} L_g + L_h,\qquad \min_{g,h} L_g + L_h - w D,\qquad \min_f w D,\qquad
              D = \frac{1}{n_t C}\sum_j \lVert p_g(x^t_j) - p_h(x^t_j)\rVert_1

    in turn, on the same batch; :math:`L_g` and :math:`L_h` are the heads' losses on the source. The first turn moves
    all, the second the heads only, the third the features only. The first head predicts.

    Fails when the two heads are wrong together, or when the classes overlap in the source.

    Parameters
    ----------
    weight : float, default=1.0
        Size w of the heads' discrepancy; 0 is source only, in one turn.
    repeat : int, default=4
        How often the third turn is taken.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 2)) + 3 * y[:, None] + np.repeat([[0, 0], [1, -1]], 100, axis=0)
    >>> MCD().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Saito, Watanabe, Ushiku and Harada, Maximum Classifier Discrepancy for Unsupervised Domain Adaptation, IEEE CVPR
    2018, doi:10.48550/arXiv.1712.02560.
    """

    repeat: int = param(default=4, low=1)

    @property
    def stages(self) -> tuple[Stage, ...]:  # type: ignore[override]
        """Three turns on every batch, the last several times."""
        # the source's loss stays in the second turn: without it heads can part by being wrong about the source
        learn, part = Turn("learn"), Turn("part", trains=("head", "second"))
        return (Stage(1.0, (learn, part, Turn("meet", trains=("features",), repeat=self.repeat))),)

    def parts(self, spec: InputSpec) -> dict[str, nn.Module]:
        return {"second": second_head(spec.net)}

    def learn(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """First turn: both heads on the source."""
        s = batches["source"]
        return self._right(m, m.forward(s.x), s)

    def part(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """Second: the heads apart on the target, and still right about the source."""
        s, t = batches["source"], batches["target"]
        # one domain at a time, as in the other turns: batch normalisation must not see them mixed in this one only
        a, b = m.forward(s.x), m.forward(t.x)
        return self._right(m, a, s) | {"part": -self.weight * self._apart(m, b)}

    def meet(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """Third: the features to where the heads agree."""
        t = batches["target"]
        return {"meet": self.weight * self._apart(m, m.forward(t.x))}

    def _right(self, m: Engine, a: Outputs, s: Batch) -> Terms:
        return {"source": source_loss(a.z, s.y), "source, second head": source_loss(m["second"](a.f), s.y)}

    def _apart(self, m: Engine, b: Outputs) -> Tensor:
        z = m["second"](b.f)
        m.note("disagreement", lambda: (z.argmax(1) != b.z.argmax(1)).float().mean())
        # the paper's distance, l1 between probabilities, over rows and classes
        return (b.p - z.softmax(1)).abs().mean()
