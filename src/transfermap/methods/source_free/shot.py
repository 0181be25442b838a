"""SHOT: features are moved until the source's classifier is sure of the target, and uses all its classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.deep.lazy import F, torch
from transfermap.deep.source_free import SourceFree, predict_all, tune
from transfermap.deep.training.batch import Batches, Stage, Terms, Turn
from transfermap.deep.training.objective import entropy

if TYPE_CHECKING:
    from torch import Tensor

    from transfermap.deep.training.batches import Stream
    from transfermap.deep.training.engine import Engine


@method(
    Card(
        name="Source hypothesis transfer",
        year=2020,
        setting="transductive",
        transfers="parameters",
        tasks=("classification",),
        objective="min_f  w (mean_j H(p_j) - H(mean_j p_j) + b mean_j CE(p_j, yhat_j)),  p_j = g(f(x_j^t)), g fixed",
        steps=(
            "Train a net on the source with smoothed labels, or take one that has been trained; hold its classifier.",
            "Before each pass over the target name every row by the nearest of the classes' centres.",
            "Move the features so that each prediction is sure, all classes are used alike, and the names are met.",
        ),
        solver="stochastic gradient steps with momentum on the features",
        cost="as training on the target's rows for `epochs` passes",
        assumes=(
            "all classes are about equally common in the target",
            "the target's rows lie in clumps, and most of a clump are of one class",
        ),
        fails_when=(
            "classes are rare or absent in the target: rows of others are then drawn to them",
            "the net is wrong about whole clumps at the start",
        ),
        reference="Liang, Hu and Feng, Do We Really Need to Access the Source Data? Source Hypothesis Transfer for "
        "Unsupervised Domain Adaptation, ICML 2020",
        doi="10.48550/arXiv.2002.08546",
        needs=("pretrained model", "torch"),
        neutral={"weight": 0.0},
        toy="contrary_witness",
    )
)
class SHOT(SourceFree):
    r"""Move the features until the source's classifier is sure of the target's rows, and uses all its classes.

    .. math:: \min_f\ w\Bigl[\frac{1}{n_t}\sum_j H(p_j) - H\Bigl(\frac{1}{n_t}\sum_j p_j\Bigr)
              - \frac{b}{n_t}\sum_j \log p_{j,\hat y_j}\Bigr],\qquad p_j = g(f(x^t_j))

    with the classifier g as the source left it. The names :math:`\hat y_j` are given anew before each pass: each row
    has that of the class whose centre is nearest by the angle, the centres being means of features weighted by
    :math:`p`, and then once more means over the rows so named. The source is learnt with smoothed labels.

    Fails when classes are not about equally common in the target: the second term wants them to be.

    Parameters
    ----------
    weight : float, default=1.0
        Size w of the target's loss; 0 is source only, without smoothing.
    pseudo : float, default=0.3
        Size b of the third term; the paper's is 0.1 for digits.
    smoothing : float, default=0.1
        Share of a source label that is spread over all classes.
    epochs : int, default=15
        Passes over the target.
    rate : float, default=0.01
        Of the steps at the start; it falls over the run.
    batch : int, default=64
        Rows a step, at least 2.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 2)) + 3 * y[:, None] + np.repeat([[0, 0], [1, -1]], 100, axis=0)
    >>> SHOT().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Liang, Hu and Feng, Do We Really Need to Access the Source Data? Source Hypothesis Transfer for Unsupervised Domain
    Adaptation, ICML 2020, doi:10.48550/arXiv.2002.08546.
    """

    pseudo: float = param(default=0.3, low=0)
    smoothing: float = param(default=0.1, low=0, high=0.9)
    epochs: int = param(default=15, low=1)
    rate: float = param(default=0.01, above=0)
    batch: int = param(default=64, low=2)

    def loss(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """The source's, with smoothed labels."""
        s = batches["source"]
        # at weight 0 it is source-only to the bit, so not even smoothing may differ
        if not self.weight:
            return super().loss(m, batches, progress)
        assert s.y is not None
        return {"source": F.cross_entropy(m.forward(s.x).z, s.y, label_smoothing=self.smoothing)}

    def adapt(self, m: Engine, rows: Stream) -> list[dict[str, float]]:
        """Pass after pass over the target, each with names of its own."""
        from transfermap.deep.nets.modules import Memory

        m.modules["names"] = Memory(of=torch.zeros(rows.rows, dtype=torch.int64, device=m.device))
        one = Stage(1 / self.epochs, (Turn("inform", trains=("features",)),), begin="name")
        # the authors' optimiser and decay; the classifier stands still, as only "features" are trained
        noted = tune(self, m, rows, (one,) * self.epochs, optimizer="sgd", weight_decay=1e-3)
        del m.modules["names"]
        return noted

    def name(self, m: Engine) -> None:
        """Give every target row the name of a class."""
        seen = predict_all(m, m.target)
        m["names"].of.copy_(pseudo_labels(seen.f, seen.p))
        # the sweep has put the net into evaluation
        m.modules.train()

    def inform(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """Sure of each row, all classes alike, and the rows' names."""
        t = batches["target"]
        b = m.forward(t.x)
        sure, varied = information(b.p)
        named = F.cross_entropy(b.z, m["names"].of[t.rows.to(m.device)])
        return {
            "entropy": self.weight * sure,
            "variety": self.weight * varied,
            "names": self.weight * self.pseudo * named,
        }


def information(p: Tensor) -> tuple[Tensor, Tensor]:
    """The mean entropy of rows of probabilities (n, C), and the negative entropy of their mean.

    Their sum is least, -log C, where every row is sure and the classes are used alike.
    """
    return entropy(p).mean(), -entropy(p.mean(0, keepdim=True))[0]


def pseudo_labels(f: Tensor, p: Tensor) -> Tensor:
    """Names (n,) of rows by the nearest centre, from features (n, k) and probabilities (n, C).

    Twice: with centres that are means weighted by p, and with the means of the rows so named; classes that no row was
    given have no centre then.
    """
    # nearness is by the angle, which the length of features does not change
    f = F.normalize(f, dim=1)
    named = _nearest(f, p)
    return _nearest(f, F.one_hot(named, p.shape[1]).to(f.dtype))


def _nearest(f: Tensor, shares: Tensor) -> Tensor:
    """The class of the centre at the least angle to each row; ``shares`` (n, C) say which rows make up a centre."""
    mass = shares.sum(0)
    # sums do for means: only their direction counts
    angles = f @ F.normalize(shares.T @ f, dim=1).T
    return torch.where(mass > 0, angles, -torch.inf).argmax(1)
