"""ERM: a net trained on the source as it is, the yardstick of every deep method."""

from __future__ import annotations

from transfermap.card import Card, method, param
from transfermap.deep.learner import DeepLearner


@method(
    Card(
        name="Source only, by a net",
        year=1991,
        setting="transductive",
        transfers="parameters",
        objective="min_theta  mean_i loss(g(f(x_i^s)), y_i^s)",
        steps=("Train a net on batches of source rows.", "Predict the target with it."),
        solver="stochastic gradient steps",
        cost="that of the net",
        assumes=("source and target rows come from the same distribution",),
        fails_when=("the two distributions differ where it matters for the label",),
        reference="Vapnik, Principles of Risk Minimization for Learning Theory, NIPS 1991",
        doi="https://papers.nips.cc/paper/1991/hash/ff4d5fbbafdf976cfdc032e3bde78de5-Abstract.html",
        needs=("torch",),
        by_default=True,
    )
)
class ERM(DeepLearner):
    r"""Train a net on the source: what one does without transfer learning.

    .. math:: \min_\theta \frac{1}{n_s} \sum_i \ell\bigl(g(f(x^s_i)), y^s_i\bigr)

    Every deep method is measured against it, and equals it to the last bit where its weight is 0.

    Fails when the two distributions differ where it matters for the label.

    Parameters
    ----------
    weight : float, default=0.0
        Always 0: nothing is added to the source's loss.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 2)) + 3 * y[:, None]
    >>> ERM().fit(X, y, sample_domain=np.repeat([1, -1], 100)).score(X[100:], y[100:]) > 0.9
    True

    References
    ----------
    Vapnik, Principles of Risk Minimization for Learning Theory, NIPS 1991.
    https://papers.nips.cc/paper/1991/hash/ff4d5fbbafdf976cfdc032e3bde78de5-Abstract.html
    """

    weight: float = param(default=0.0, low=0, high=0)
