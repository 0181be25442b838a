"""Estimators around the loop: a net, an objective and how to train."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import softmax
from sklearn.base import ClassifierMixin, RegressorMixin, clone
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets

from transfermap.card import check_params, param
from transfermap.deep.nets.small import SCALED, is_image_net
from transfermap.deep.trained import Scale, Trained, scale, tensor
from transfermap.deep.training.objective import InputSpec, Objective
from transfermap.deep.training.settings import JUDGES, ON_IMAGES, NetTraining
from transfermap.roles import Learner
from transfermap.split import Array, Reads, Split, known_columns, split

# rows that a score is taken on, and what is added to the seed by which they are drawn
_SHOWN, _SHOWN_SEED = 2000, 2**21


@dataclass(eq=False, repr=False)
class _Estimator(Trained, NetTraining):
    """What both estimators share."""

    __metadata_request__fit: ClassVar = {"sample_domain": True}

    objective: Any
    net: Any = param(default=None)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = is_image_net(self._own_net())
        return tags

    def fit(self, X: Any, y: Any, *, sample_domain: Any = None) -> Self:
        """Train the net with the objective.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Rows of both domains, in any order; for a net on images their paths, (n,) or (n, 1).
        y : array-like of shape (n,)
            Labels; those of target rows are never looked at.
        sample_domain : array-like of int of shape (n,), default=None
            ``>= 0`` source, ``< 0`` target; None: every row is both.

        Raises
        ------
        ValueError
            If the data or a setting cannot be used.
        FloatingPointError
            If the loss stops being finite; the message has the step and the terms.
        """
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        return self._train(split(self, X, y, sample_domain, Reads("source")))

    def fit_datasets(self, source: Any, target: Any, classes: Any = None) -> Self:
        """The same from any two datasets: tensors ``(x, y)`` and ``(x,)``, or torch Datasets of (row, label) and rows.

        Labels are class numbers 0 ... C - 1 (floats, for a regressor); ``classes`` names them.
        """
        self._begin()
        if isinstance(source, tuple):
            C = self._outputs_of(source[1])
        elif classes is None:
            raise ValueError("expected classes: the names of the source dataset's class numbers")
        else:
            C = len(classes)
        self._named_outputs(C, classes)
        first = source[0] if isinstance(source, tuple) else source[0][0][None]
        spec = InputSpec(shape=tuple(first.shape[1:]), outputs=C)
        # whoever trains on images predicts from paths, one column of them
        self.n_features_in_ = 1 if is_image_net(self._own_net()) else spec.columns
        self._run(spec, source, target, labelled=("source",))
        return self

    def _begin(self) -> None:
        check_params(self)
        # its terms add to the loss of a net with labels: what only moves or makes rows is fitted by itself
        if not (isinstance(self.objective, Objective) and isinstance(self.objective, Learner)):
            name = type(self).__name__
            raise ValueError(f"{name}: objective must be a deep method, such as DANN(); got {self.objective!r}")
        self._scaling = None
        self.before_: dict[str, Array] = {}
        self.objective_ = clone(self.objective)
        check_params(self.objective_)

    def _train(self, rows: Split) -> Self:
        """Train on arrays, whose order is of no consequence."""
        self._begin()
        self.n_features_in_ = rows.Xs.shape[1]
        ys = self._coded(np.asarray(rows.ys))
        self._train_on(rows, Reads("source"), ys, self._outputs)
        return self

    def _scale(self, Xs: Array, Xt: Array) -> Scale:
        # images keep their scale: a point that rarely differs in the source may lie thousands of its spreads away
        return scale(Xs) if self._own_net() in SCALED else None

    def _run(self, spec: InputSpec, source: Any, target: Any, **more: Any) -> None:
        super()._run(spec, source, target, **more)
        self.objective_.after_fit(self, target)

    def _losses(self) -> Objective:
        losses: Objective = self.objective_
        return losses

    def _own_net(self) -> Any:
        """The net that is trained: the one that was asked for here, else the objective's."""
        return getattr(self.objective, "net", None) if self.net is None else self.net

    def _judge(self, engine: Any, domains: Any) -> Any:
        if self.select == "last":
            return None
        if not hasattr(self, "classes_"):
            raise ValueError(
                f"{type(self).__name__}: select={self.select!r} scores classes; a regressor keeps the last state"
            )
        from transfermap.deep.lazy import torch

        shown = domains.stream("target", _SHOWN, self.random_state + _SHOWN_SEED).next()

        def judge() -> float:
            with torch.no_grad():
                return JUDGES[self.select](engine.forward(shown.x).p.double().cpu().numpy())

        return judge

    def _scores(self, X: Array) -> Array:
        """Logits or predictions of target rows, in the precision of the rows."""
        return self.outputs(X, "features", "head")

    def features(self, X: Any) -> Array:
        """What the net's features make of rows (n, d); (n, k)."""
        return self.outputs(known_columns(self, X), "features")

    def reset(self) -> Self:
        """Undo what the method did to the net after its training, to the last bit."""
        own = self.modules_.state_dict()
        self.modules_.load_state_dict(own | {k: tensor(v) for k, v in self.before_.items()})
        self.before_ = {}
        return self

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        state.pop("tick", None)
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        super().__setstate__(dict(state) | {"tick": None})

    def _coded(self, ys: Array) -> Array:
        raise NotImplementedError

    def _outputs_of(self, y: Any) -> int:
        raise NotImplementedError

    def _named_outputs(self, count: int, classes: Any) -> None:
        raise NotImplementedError


class DeepClassifier(ClassifierMixin, _Estimator):
    """A net trained with a deep method.

    Parameters
    ----------
    objective : Objective
        The method, such as ``DANN()``.
    net : {"mlp", "normed", "dense", "lenet", "resnet"}, name of a backbone, or torch module, default=None
        None: the objective's own. A backbone for images, such as "efficientnet-lite0", takes rows that are paths of
        images. A module of your own needs the submodules ``features`` and ``head``; it is copied, and starts from its
        weights.
    steps : int, default=None
        Steps of the optimiser; None: 600.
    batch_size : int, default=64
        Rows of each domain a step, at most all there are.
    optimizer : {"adamw", "adam", "adam-gan", "sgd"}, default="adamw"
        "sgd" has Nesterov momentum 0.9; "adam-gan" beta1 0.5.
    lr, backbone_lr, weight_decay : float, default=0.001, 1.0, 0.0001
        ``backbone_lr`` multiplies the rate of ``features``: below 1 where they come from elsewhere.
    schedule : {"anneal", "constant", "linear"}, default="anneal"
        Of the rate, over the run: "anneal" is (1 + 10 p)^-0.75.
    clip : float, default=None
        Largest norm of the gradient.
    device : str, default="cpu"
        "auto", "cpu", "cuda", "cuda:1", "mps". Under ``torchrun`` every process takes its part of each batch.
    precision : {"float32", "bfloat16"}, default="float32"
        "bfloat16" computes in mixed precision.
    compile : bool, default=False
        Compile the features (worth it on long runs only).
    select : {"last", "infomax", "snd", "corr_c"}, default="last"
        Which state is kept: the last, or the best of those seen each ``every`` steps by a score of
        :mod:`transfermap.measure.validators.label_free`. None of them reads a target label.
    every : int, default=100
        Steps between two looks, checkpoints and ticks.
    patience : int, default=None
        End after so many looks without a better one.
    checkpoint : path, default=None
        A file to keep the run's state in; a run that was cut off goes on from it as if it had not been.
    random_state : int, default=0
    tick : callable, default=None
        Told ``(steps done, of)`` at each look.

    Attributes
    ----------
    modules_ : torch.nn.ModuleDict with ``features``, ``head`` and the objective's parts
    history_ : list of dict
        The terms of the loss over the run.
    chosen_step_ : int
    classes_ : ndarray of shape (n_classes,)
    """

    def _coded(self, ys: Array) -> Array:
        check_classification_targets(ys)
        self.classes_, codes = np.unique(ys, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"the source rows hold 1 class ({str(ys[0])!r}); a classifier needs at least two")
        self._outputs = len(self.classes_)
        return codes.astype(np.int64)

    def _outputs_of(self, y: Any) -> int:
        return int(y.max()) + 1

    def _named_outputs(self, count: int, classes: Any) -> None:
        self.classes_ = np.arange(count) if classes is None else np.asarray(classes)

    def decision_function(self, X: Any) -> Array:
        """Logits (n, n_classes); with two classes that of the second less that of the first, (n,)."""
        Z = self._scores(known_columns(self, X))
        return Z[:, 1] - Z[:, 0] if Z.shape[1] == 2 else Z

    def predict_proba(self, X: Any) -> Array:
        """Class probabilities, (n, n_classes)."""
        P: Array = softmax(self._scores(known_columns(self, X)), axis=1)
        return P

    def predict(self, X: Any) -> Array:
        """The likeliest class of each row, (n,)."""
        predicted: Array = self.classes_[self._scores(known_columns(self, X)).argmax(axis=1)]
        return predicted


class DeepRegressor(RegressorMixin, _Estimator):
    """A net trained with a deep method to predict numbers; settings as in :class:`DeepClassifier`, but ``select``."""

    def _coded(self, ys: Array) -> Array:
        ys = ys.astype(np.float64)
        self._centre, self._unit = float(ys.mean()), float(ys.std()) or 1.0
        self._outputs = 1
        coded: Array = ((ys - self._centre) / self._unit).astype(np.float32)
        return coded

    def _outputs_of(self, y: Any) -> int:
        self._centre, self._unit = 0.0, 1.0
        return 1

    def _named_outputs(self, count: int, classes: Any) -> None:
        pass

    def _scores(self, X: Array) -> Array:
        predicted: Array = super()._scores(X)[:, 0] * self._unit + self._centre
        return predicted

    def predict(self, X: Any) -> Array:
        """Predicted numbers, (n,)."""
        return self._scores(known_columns(self, X))


def estimator_for(objective: Any) -> Any:
    """The estimator around a learner that suits its labels, at its defaults."""
    kind = DeepClassifier if objective.__sklearn_tags__().estimator_type == "classifier" else DeepRegressor
    return kind(copy.copy(objective), **(ON_IMAGES if is_image_net(objective.net) else {}))
