"""OSBP: the net has one more output, "none of these", and the features choose a side for each target row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transfermap.card import Card, method, param
from transfermap.deep.lazy import nn, torch
from transfermap.deep.learner import DeepLearner
from transfermap.deep.nets.small import code_size
from transfermap.deep.training.batch import Batch, Outputs, Terms
from transfermap.deep.training.objective import reverse
from transfermap.split import Array, known_columns

if TYPE_CHECKING:
    from torch import Tensor

    from transfermap.deep.training.engine import Engine
    from transfermap.deep.training.objective import InputSpec


@method(
    Card(
        name="Open-set adaptation by backpropagation",
        year=2018,
        setting="transductive",
        transfers="features",
        label_sets="open",
        tasks=("classification",),
        objective="min_g  -mean log p_{y^s}(x^s) + w A,  min_f  -mean log p_{y^s}(x^s) - w A,  "
        "A = -mean [ t log p_{C+1}(x^t) + (1 - t) log(1 - p_{C+1}(x^t)) ],  p a softmax over C + 1 outputs",
        steps=(
            "Give the net one output more than there are classes, for rows of none of them.",
            "Train the outputs to call every target row unknown with probability t.",
            "Send that gradient into the features with its sign reversed: they push each target row to one side.",
            "Predict the likeliest known class, and say how probable it is that a row is of none.",
        ),
        solver="stochastic gradient steps with gradient reversal",
        cost="about two times a step on the source alone",
        assumes=(
            "the target may hold classes that the source lacks",
            "target rows of known classes lie nearer to the source's than the others do",
        ),
        fails_when=(
            "the known classes have moved as far as the unknown ones lie: then both sides are mixed",
            "the known classes have moved in ways that the unknown have not: near and far are then not what they seem",
            "a class of the source is absent in the target: nothing here weighs classes",
        ),
        reference="Saito, Yamamoto, Ushiku and Harada, Open Set Domain Adaptation by Backpropagation, ECCV 2018",
        doi="10.48550/arXiv.1804.10427",
        needs=("torch",),
        neutral={"weight": 0.0},
        toy="class_shift",
    )
)
class OSBP(DeepLearner):
    r"""Let the features decide, for each target row, whether it is of a known class or of none.

    .. math:: \min_{g}\ L_s + w A,\quad \min_{f}\ L_s - w A,\qquad
              A = -\frac{1}{n_t}\sum_j t\log p_{C+1}(x^t_j) + (1 - t)\log\bigl(1 - p_{C+1}(x^t_j)\bigr),\qquad
              L_s = -\frac{1}{n_s}\sum_i \log p^C_{y_i}(x^s_i) + w\kappa\log\bigl(1 - p_{C+1}(x^s_i)\bigr)

    where p is the softmax of C + 1 outputs and :math:`p^C` that of the C known ones, so that :math:`L_s` is, at
    :math:`w = \kappa = 1`, the paper's cross-entropy over C + 1 outputs. Terms: "source", "known" (the source's rows
    are not unknown), "unknown" (A); the history also has the target's share of rows more likely unknown than not.

    ``predict`` and ``predict_proba`` speak of the source's classes alone, given that a row is of one of them;
    :meth:`unknown` says how probable it is that it is of none.

    Fails when the known classes have moved as far as the unknown ones lie, or another way: the unknown rows may then be
    put among the known, the known among the unknown, and no unlabelled row shows it. Short runs fail too: the two sides
    part late.

    Parameters
    ----------
    weight : float, default=1.0
        Size w of all that is added; 0 is source only.
    known_weight : float, default=1.0
        Size :math:`\kappa` of the term that source rows are not unknown.
    domain_weight : float, default=1.0
        Multiplies the reversed gradient alone; at 0 the features do not adapt.
    threshold : float, default=0.5
        Probability t of "unknown" that the outputs aim at for every target row.

    Examples
    --------
    >>> import numpy as np
    >>> from transfermap.data.toy import make_toy
    >>> toy = make_toy("unknown_class", seed=1001)
    >>> X, y = np.r_[toy.Xs, toy.Xt], np.r_[toy.ys, toy.yt]
    >>> model = OSBP().fit(X, y, sample_domain=np.repeat([1, -1], 300))
    >>> p, new = model.unknown(toy.Xt), toy.yt == 2
    >>> bool(p[new].mean() > p[~new].mean() + 0.3), model.classes_.tolist()
    (True, [0, 1])

    References
    ----------
    Saito, Yamamoto, Ushiku and Harada, Open Set Domain Adaptation by Backpropagation, ECCV 2018,
    doi:10.48550/arXiv.1804.10427.
    """

    known_weight: float = param(default=1.0, low=0)
    domain_weight: float = param(default=1.0, low=0)
    threshold: float = param(default=0.5, low=0.01, high=0.99)

    def parts(self, spec: InputSpec) -> dict[str, nn.Module]:
        return {"unknown": nn.Linear(code_size(spec.net), 1)}

    def terms(self, m: Engine, a: Outputs, b: Outputs, s: Batch, t: Batch, progress: float) -> Terms:
        # before both outputs: they lower A, the features raise it
        f = reverse(b.f, self.domain_weight)
        _, source_known = log_unknown(a.z, m["unknown"](a.f))
        # from the same reversed features, which m.forward's own logits have not passed
        new, known = log_unknown(m["head"](f), m["unknown"](f))
        m.note("share of unknown", (new > known).float().mean())
        return {
            "known": -self.weight * self.known_weight * source_known.mean(),
            "unknown": -self.weight * (self.threshold * new + (1 - self.threshold) * known).mean(),
        }

    def unknown(self, X: Any, fitted: Any = None) -> Array:
        """How probable it is that rows ``X`` (n, d) are of none of the source's classes, (n,).

        ``fitted`` is the DeepClassifier around this objective, if it was not fitted by itself. At weight 0 nothing has
        been learnt about it.
        """
        model, trained = (self, self.estimator_) if fitted is None else (fitted, fitted)
        X = known_columns(model, X)
        z, u = (trained.outputs(X, "features", head) for head in ("head", "unknown"))
        p: Array = log_unknown(torch.from_numpy(z), torch.from_numpy(u))[0].exp().numpy()
        return p


def log_unknown(z: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithms of the probability to be unknown, and of that to be known, (n,), of logits (n, C) and (n, 1)."""
    known = z.logsumexp(1)
    both = torch.logaddexp(known, u[:, 0])
    return u[:, 0] - both, known - both
