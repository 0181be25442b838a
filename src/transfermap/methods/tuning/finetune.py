"""Fine-tuning: a net that the source has trained learns on from a few labelled target rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transfermap.card import Card, method, param
from transfermap.methods.tuning._shared import TwoStage

if TYPE_CHECKING:
    from torch import nn

    from transfermap.finetuning.training import Job


@method(
    Card(
        name="Fine-tuning, all or from layer k on",
        year=2014,
        setting="inductive",
        transfers="parameters",
        objective="theta_0 = argmin mean_i loss(g(f(x_i^s)), y_i^s);  from theta_0 on, min over the layers above "
        "k of mean_j loss(g(f(x_j^t)), y_j^t)",
        steps=(
            "Train a net on the source.",
            "Freeze its first layers, if any.",
            "Go on training the others on the target's labelled rows, at a small rate.",
        ),
        solver="stochastic gradient steps, twice",
        cost="at most twice that of the net on the source",
        assumes=(
            "what the source has taught the lower layers is of use in the target",
            "some target rows have labels, of all classes if possible",
        ),
        fails_when=(
            "the labelled target rows are so few that the net learns them by heart",
            "the source is so narrow that its features are worse than none",
        ),
        reference="Yosinski, Clune, Bengio and Lipson, How Transferable Are Features in Deep Neural Networks?, "
        "NIPS 2014",
        doi="10.48550/arXiv.1411.1792",
        needs=("target labels", "torch"),
        neutral={"weight": 0.0},
        toy="contrary_majority",
    )
)
class FineTune(TwoStage):
    r"""Train a net on the source, and go on with the labelled target rows from where it stands.

    .. math:: \theta_0 = \arg\min_\theta \frac{1}{n_s}\sum_i \ell\bigl(h_\theta(x^s_i), y^s_i\bigr), \qquad
              \min_{\theta_{>k}} \frac{1}{m}\sum_j \ell\bigl(h_\theta(x^t_j), y^t_j\bigr)
              \ \text{from}\ \theta_0

    over the m target rows that have a label. The first k stages stay as they are. ``decay`` and ``gradual`` are the
    discriminative rates and the gradual unfreezing of Howard and Ruder (2018).

    Fails when the labelled target rows are so few that they are learnt by heart, or when the source has taught the net
    less than nothing.

    Parameters
    ----------
    weight : float, default=1.0
        Steps on the target as a share of those on the source; 0 is source only.
    frozen : int, default=0
        How many of the net's first stages stay as the source made them.
    lr : float, default=0.001
        Rate of the steps on the target, > 0.
    decay : float, default=1.0
        By which the rate falls from each stage to the one below it, >= 1; Howard and Ruder have 2.6.
    gradual : bool, default=False
        Whether only the head moves at first, then one stage after the other, the last one first.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 150)
    >>> X = rng.normal(size=(300, 2)) + 3 * y[:, None]
    >>> X[200:, 0] *= -1  # in the target the first column says the opposite
    >>> seen = np.where(np.arange(300) < 230, y, -1)  # 30 rows of it have labels
    >>> tuned = FineTune().fit(X, seen, sample_domain=np.repeat([1, -1], [200, 100]))
    >>> tuned.score(X[230:], y[230:]) > 0.9
    True

    References
    ----------
    Yosinski et al., How Transferable Are Features in Deep Neural Networks?, NIPS 2014. doi:10.48550/arXiv.1411.1792
    Howard and Ruder, Universal Language Model Fine-tuning for Text Classification, ACL 2018. doi:10.18653/v1/P18-1031
    """

    decay: float = param(default=1.0, low=1)
    gradual: bool = param(default=False, choices=(False, True))

    def recipe(self, job: Job) -> nn.ModuleDict:
        from dataclasses import replace

        from transfermap.finetuning.training import train

        surgery = replace(job.surgery, decay=float(self.decay))
        return train(replace(job, surgery=surgery), gradual=self.gradual)[0]
