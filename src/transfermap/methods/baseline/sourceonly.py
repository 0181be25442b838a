"""Source only: no transfer at all, the yardstick of every other method."""

from __future__ import annotations

from transfermap.card import Card, method
from transfermap.roles import Adapter
from transfermap.split import Array


@method(
    Card(
        name="Source only",
        year=2010,
        setting="transductive",
        transfers="parameters",
        objective="min_f  sum_i loss(f(x_i^s), y_i^s)",
        steps=("Train on the source as it is.", "Predict the target with the same model."),
        solver="the estimator's own",
        cost="that of the estimator",
        assumes=("source and target rows come from the same distribution",),
        fails_when=("the two distributions differ where it matters for the label",),
        reference="Pan and Yang, A Survey on Transfer Learning, IEEE TKDE 22(10), 2010",
        doi="10.1109/TKDE.2009.191",
    )
)
class SourceOnly(Adapter):
    r"""Leave both domains as they are: what one does without transfer learning.

    .. math:: \min_f \sum_i \ell(f(x^s_i), y^s_i)

    Every other method is measured against it: negative transfer means to fall below it.

    Fails when the two distributions differ where it matters for the label.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> SourceOnly().fit_transform(X, sample_domain=[1, 1, -1, -1]).tolist() == X.tolist()
    True

    References
    ----------
    Pan and Yang, A Survey on Transfer Learning, IEEE TKDE 22(10), 2010. doi:10.1109/TKDE.2009.191
    """

    sparse_ok = True

    def _fit(self, Xs: Array, ys: Array | None, Xt: Array) -> None:
        """There is nothing to learn."""

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")
