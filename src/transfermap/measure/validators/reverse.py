"""The way there and back: can what was predicted for the target predict the source?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transfermap.measure.inputs import labels, pair, vector
from transfermap.measure.quality import accuracy, balanced_accuracy, r2

FitPredict = Callable[[NDArray[np.float64], NDArray[Any], NDArray[np.float64]], ArrayLike]
ReverseScore = Literal["accuracy", "balanced_accuracy", "r2"]


def reverse_validation(
    fit_predict: FitPredict,
    Xs: ArrayLike,
    ys: ArrayLike,
    Xt: ArrayLike,
    pseudo: ArrayLike,
    score: ReverseScore = "balanced_accuracy",
) -> float:
    """Learn from the target rows with their predicted labels, adapt back, and score on the source's true labels.

    :math:`\\mathrm{score}\\bigl(y_s,\\ \\hat f_{t\\to s}(X_s)\\bigr)` with :math:`\\hat f_{t\\to s}` fitted to
    :math:`(X_t,\\hat y_t)` by the same method that gave :math:`\\hat y_t`. Predictions that are wrong, or all the same,
    teach the way back badly. It passes too easily where the method merely copies its labels through, and it costs a
    second fit.

    Parameters
    ----------
    fit_predict : callable
        ``fit_predict(Xa, ya, Xb)``: fit to labelled rows of a, adapt to b, return the predictions for b's rows.
    Xs : (n_s, d) array
        Source rows; best those that the candidate was not fitted to.
    ys : (n_s,) array
    Xt : (n_t, d) array
    pseudo : (n_t,) array
        The candidate's predictions for the target.
    score : {"accuracy", "balanced_accuracy", "r2"}
        "r2" for regression.

    Returns
    -------
    float
        In [0, 1], or at most 1 for "r2". One class only in ``pseudo`` is not fitted: it predicts that class.

    References
    ----------
    Zhong et al., Cross validation framework to choose amongst models and datasets for transfer learning, ECML PKDD
    2010, doi:10.1007/978-3-642-15939-8_35. Bruzzone and Marconcini, TPAMI 32 (2010) 770-787, doi:10.1109/TPAMI.2009.57.

    Examples
    --------
    >>> def nearest(Xa, ya, Xb):
    ...     return ya[np.abs(Xb - Xa.T).argmin(axis=1)]
    >>> reverse_validation(nearest, [[0.0], [4.0]], ["a", "b"], [[1.0], [5.0]], ["a", "b"])
    1.0
    """
    source, target = pair(Xs, Xt, least=1)
    if score == "r2":
        guess = vector(pseudo, "pseudo", len(target))
        return r2(vector(ys, "ys", len(source)), fit_predict(target, guess, source))
    if score not in ("accuracy", "balanced_accuracy"):
        raise ValueError(f"expected score to be accuracy, balanced_accuracy or r2, got {score!r}")
    truth, named = labels(ys, "ys", len(source)), labels(pseudo, "pseudo", len(target))
    # a classifier refuses one class; a collapsed candidate is to score low, not to fail
    single = (named == named[0]).all()
    back = np.full(len(source), named[0]) if single else fit_predict(target, named, source)
    return (accuracy if score == "accuracy" else balanced_accuracy)(truth, back)
