"""Estimators around the loop: a net, an objective and how to train."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets

from transfermap.card import check_params
from transfermap.deep.nets.small import SCALED, is_image_net
from transfermap.deep.training.objective import Objective
from transfermap.math.ratio import along
from transfermap.split import Array, Reads, Split, known_columns, split

STEPS = 600
# how a pretrained net is trained on images: what it knows is worth small steps
ON_IMAGES: dict[str, Any] = {"lr": 1e-4, "batch_size": 32, "device": "auto"}


class _Shell(BaseEstimator):
    """What both estimators share."""

    _mean: Array | None
    _spread: Array | None
    before_: dict[str, Array]

    __metadata_request__fit: ClassVar = {"sample_domain": True}

    def __init__(
        self,
        objective: Any,
        net: Any = None,
        steps: int | None = None,
        batch_size: int = 64,
        optimizer: str = "adamw",
        lr: float = 1e-3,
        backbone_lr: float = 1.0,
        weight_decay: float = 1e-4,
        schedule: str = "anneal",
        clip: float | None = None,
        device: str = "cpu",
        precision: str = "float32",
        compile: bool = False,
        select: str = "last",
        every: int = 100,
        patience: int | None = None,
        checkpoint: str | Path | None = None,
        random_state: int = 0,
        tick: Callable[[int, int], None] | None = None,
    ) -> None:
        self.objective = objective
        self.net = net
        self.steps = steps
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.backbone_lr = backbone_lr
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.clip = clip
        self.device = device
        self.precision = precision
        self.compile = compile
        self.select = select
        self.every = every
        self.patience = patience
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.tick = tick

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = is_image_net(self._net)
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
        # whoever trains on images predicts from paths, one column of them
        self.n_features_in_ = 1 if is_image_net(self._net) else int(np.prod(first.shape[1:]))
        self._run(source, target, C)
        return self

    def _train(self, rows: Split) -> Self:
        """Train on arrays, whose order is of no consequence."""
        self._begin()
        self.n_features_in_ = rows.Xs.shape[1]
        ys = self._coded(np.asarray(rows.ys))
        s, t = np.lexsort((ys, order_of(rows.Xs))), np.argsort(order_of(rows.Xt), kind="stable")
        # images keep their scale: a point that rarely differs in the source may lie thousands of its spreads away
        if self._net in SCALED:
            self._mean, self._spread = _scale(rows.Xs[s])
        self._run((self._rows(rows.Xs[s]), _tensor(ys[s])), (self._rows(rows.Xt[t]),), self._outputs)
        return self

    def _begin(self) -> None:
        from transfermap.deep.training.settings import check_settings

        check_settings(self)
        self._mean, self._spread = None, None
        self.before_ = {}
        self.objective_ = clone(self.objective)
        check_params(self.objective_)

    def _run(self, source: Any, target: Any, outputs: int) -> None:
        from transfermap.deep.training.settings import trained

        self._outputs = outputs
        self.modules_, self.history_, self.chosen_step_ = trained(self, source, target, outputs)
        self.objective_.after_fit(self, target)

    @property
    def _net(self) -> Any:
        """The net that is trained: the one that was asked for here, else the objective's."""
        return getattr(self.objective, "net", None) if self.net is None else self.net

    def _scaled(self, X: Array) -> Array:
        if self._mean is None or self._spread is None:
            return X
        out: Array = (X - self._mean) / self._spread
        return out

    def _rows(self, X: Array) -> Any:
        """Rows as a run takes them: a tensor on one scale; paths as they are, for the net says how they are read."""
        return X if _holds_paths(X) else _tensor(self._scaled(X), np.float32)

    def _scores(self, X: Array) -> Array:
        """Logits or predictions of target rows, in the precision of the rows."""
        from transfermap.deep.training.settings import outputs_of

        Z: Array = outputs_of(self.modules_, self._scaled(X))
        return Z

    def features(self, X: Any) -> Array:
        """What the net's features make of rows (n, d); (n, k)."""
        from transfermap.deep.training.settings import outputs_of

        F: Array = outputs_of(self.modules_, self._scaled(known_columns(self, X)), "features")
        return F

    def reset(self) -> Self:
        """Undo what the method did to the net after its training, to the last bit."""
        from transfermap.deep.lazy import torch

        own = self.modules_.state_dict()
        self.modules_.load_state_dict(own | {k: torch.from_numpy(np.array(v)) for k, v in self.before_.items()})
        self.before_ = {}
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Weights as arrays, where the net is one of ours and can be made anew: then nothing needs pickle."""
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("tick", None)
        if isinstance(self._net, str) and "modules_" in state:
            state["modules_"] = {k: v.cpu().numpy() for k, v in state["modules_"].state_dict().items()}
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        state = dict(state) | {"tick": None}
        weights = state.pop("modules_", None)
        super().__setstate__(state)
        if isinstance(weights, dict):
            from transfermap.deep.training.settings import rebuilt

            self.modules_ = rebuilt(self, self.n_features_in_, self._outputs, weights)
        elif weights is not None:
            self.modules_ = weights

    def _coded(self, ys: Array) -> Array:
        raise NotImplementedError

    def _outputs_of(self, y: Any) -> int:
        raise NotImplementedError

    def _named_outputs(self, count: int, classes: Any) -> None:
        raise NotImplementedError


class DeepClassifier(ClassifierMixin, _Shell):
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


class DeepRegressor(RegressorMixin, _Shell):
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


def shell(objective: Objective, ys: Any) -> Any:
    """The estimator around an objective that suits the labels, at its defaults."""
    kind = DeepClassifier if objective.__sklearn_tags__().estimator_type == "classifier" else DeepRegressor
    return kind(copy.copy(objective), **(ON_IMAGES if is_image_net(objective.net) else {}))


def _holds_paths(X: Array) -> bool:
    return X.dtype.kind == "U"


def order_of(X: Array) -> Array:
    """What rows are sorted by, so that the order in which they came is of no consequence."""
    return X[:, 0] if _holds_paths(X) else along(X)


def _scale(X: Array) -> tuple[Array, Array]:
    spread = X.std(axis=0, dtype=np.float64)
    mean = X.mean(axis=0, dtype=np.float64)
    # a constant column's spread may be rounding
    return mean, np.where(spread > 1e-9 * (1 + np.abs(mean)), spread, 1.0)


def _tensor(a: Array, kind: Any = None) -> Any:
    from transfermap.deep.lazy import torch

    return torch.from_numpy(np.ascontiguousarray(a, dtype=kind))
