"""Adapting a trained net to target rows without the source: what SHOT, TENT and their like share.

All that follows the training is a function of the net and of target rows, so it can as well begin with a net that
somebody else has trained: :func:`adapted`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.base import clone

from transfermap.card import check_params, param
from transfermap.deep.lazy import nn, torch
from transfermap.deep.learner import DeepLearner
from transfermap.deep.nets.small import NAMES
from transfermap.deep.training.batch import Batches, Outputs, Stage, Terms
from transfermap.deep.training.objective import entropy, source_loss
from transfermap.split import known_columns

if TYPE_CHECKING:
    from torch import Tensor

    from transfermap.deep.training.batches import Stream
    from transfermap.deep.training.engine import Engine

ROWS = 200
_BLOCK, _SHOWN = 1000, 2000
# a run is ended where the predictions use so much less than the classes that they used at its start: the share of
# their effective number that must be left, and of each class that at least one row in a hundred had
LEAST, RARE, LEFT = 0.8, 0.01, 0.1


@dataclass(eq=False, repr=False, kw_only=True)
class SourceFree(DeepLearner):
    """A deep method that adapts a trained net to target rows and needs no source row for it.

    Fitted like any other it first trains the net on the source, as erm does; at ``weight`` 0 it leaves it at that.
    """

    # whether nets without batch normalisation are of no use to it
    normalised: ClassVar[bool] = False

    net: str = param(default="normed", choices=NAMES)

    def loss(self, m: Engine, batches: Batches, progress: float) -> Terms:
        """The source's alone, at any weight: the target comes after it."""
        s = batches["source"]
        return {"source": source_loss(m.forward(s.x).z, s.y)}

    def adapt(self, m: Engine, rows: Stream) -> list[dict[str, float]]:
        """Adapt the modules to the rows, which are all of the target's, and tell what was noted on the way."""
        raise NotImplementedError

    def after_fit(self, estimator: Any, target: Any) -> None:
        """After the training: adapt the estimator's net to the target, a tuple of a tensor or a Dataset."""
        if self.weight:
            _adapt(estimator, target)


def adapted(fitted: Any, method: SourceFree, X: Any, seed: int | None = None) -> Any:
    """A trained classifier that has been adapted to target rows; what was trained stays as it is.

    Parameters
    ----------
    fitted : DeepClassifier
    method : SourceFree
        Such as ``TENT()``; its param ``net`` is not asked.
    X : array-like of shape (n, d), or paths of images
        Unlabelled target rows, at least 2.
    seed : int, default=None
        Of the order of the rows; None: that of the training.

    Returns
    -------
    DeepClassifier
        Its ``reset()`` undoes the adaptation, to the last bit.

    Raises
    ------
    ValueError
        If there are too few rows, or the net does not suit the method.
    """
    X = known_columns(fitted, X)
    check_params(method)
    after = copy.deepcopy(fitted)
    after.objective, after.objective_ = clone(method), clone(method)
    after.net = fitted._own_net()
    after.random_state = fitted.random_state if seed is None else seed
    _adapt(after, (after._as_data(X),))
    return after


def _adapt(estimator: Any, target: Any) -> None:
    from transfermap.deep.training.batches import Stream
    from transfermap.deep.training.fitting import placed, ready

    method = estimator.objective_
    name, count = type(method).__name__, len(target[0]) if isinstance(target, tuple) else len(target)
    if not hasattr(estimator, "classes_"):
        raise ValueError(f"{name} needs classes; {type(estimator).__name__} predicts numbers")
    if count < 2:
        raise ValueError(f"{name}: expected at least 2 target rows, since one row has no spread; got {count}")
    if method.normalised and not norms(estimator.modules_):
        raise ValueError(
            f"{name} works on batch normalisation, of which this net has none; train one that has, such as 'normed' "
            "for tables or 'resnet' for square images"
        )
    before = {k: v.clone() for k, v in estimator.modules_.state_dict().items()}
    with ready(estimator, lambda: estimator.modules_) as m:
        size = getattr(method, "batch", ROWS)
        m.target = Stream(placed(target, m), size, estimator.random_state, m.device, labelled=False)
        noted = method.adapt(m, m.target)
    estimator.modules_ = m.modules.cpu().eval()
    last = estimator.history_[-1]["step"] + 1 if estimator.history_ else 0
    estimator.history_ = [*estimator.history_, *(point | {"step": last + point["step"]} for point in noted)]
    estimator.before_ = {
        k: v.numpy() for k, v in before.items() if not torch.equal(v, estimator.modules_.state_dict()[k])
    }


def norms(modules: Any) -> list[Any]:
    """The layers of batch normalisation that keep statistics."""
    kinds = nn.modules.batchnorm._BatchNorm
    return [layer for layer in modules.modules() if isinstance(layer, kinds) and layer.track_running_stats]


def predict_all(m: Engine, rows: Stream, most: int | None = None) -> Outputs:
    """What the net, as it would predict, makes of all rows in their order, or of ``most`` spread over them."""
    order = torch.arange(rows.rows)[:: 1 if most is None else max(1, rows.rows // most)]
    m.modules.eval()
    with torch.no_grad():
        seen = [m.forward(x) for x in rows.blocks(order, -(-len(order) // _BLOCK))]
    return Outputs(torch.cat([v.f for v in seen]), torch.cat([v.z for v in seen]), {})


def take_statistics(m: Engine, rows: Stream) -> None:
    """Give batch normalisation the rows' own means and variances: averages over batches in mixed order."""
    layers = norms(m.modules)
    kept = [layer.momentum for layer in layers]
    m.modules.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # all batches count the same
        layer.train()
    order = torch.randperm(rows.rows)
    with torch.no_grad():
        # so many that none is smaller than asked for: one row alone has no variance
        for x in rows.blocks(order, max(1, rows.rows // rows.size)):
            m.forward(x)
    for layer, momentum in zip(layers, kept, strict=True):
        layer.momentum = momentum
        layer.eval()


@contextmanager
def only_trained(modules: Any, moving: list[Any]) -> Iterator[None]:
    """Within it no parameters but the ``moving`` ones ask for gradients."""
    still = {p for p in modules.parameters() if p.requires_grad} - set(moving)
    for p in still:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in still:
            p.requires_grad_(True)


def tune(method: Any, m: Engine, rows: Stream, stages: tuple[Stage, ...], **how: Any) -> list[dict[str, float]]:
    """Run the loop on target rows alone for ``method.epochs``, under the guard against collapse.

    After each epoch it is looked at how many classes the predictions use. Where that has fallen too far, or a class
    has vanished, the run ends with the state of the last epoch in which all was well; ``method.stopped_`` is then the
    number of epochs that are kept, else None.
    """
    from transfermap.deep.training.loop import Loop, Plan

    every = max(1, rows.rows // rows.size)
    plan = Plan(steps=every * method.epochs, lr=method.rate, every=every, patience=1, **how)
    judge = guard(m, rows)
    start = {name: value.detach().clone() for name, value in m.modules.state_dict().items()}
    loop = Loop(method, m, {"target": rows}, plan, judge, stages=stages, best=(0.0, 0, start))
    loop.run()
    assert loop.best is not None
    method.stopped_ = loop.best[1] // every if loop.best[1] < plan.steps else None
    return loop.history


def guard(m: Engine, rows: Stream) -> Callable[[], float]:
    """A judge for the loop: a later state is better, but one that has lost classes is worse than all others.

    Entropy falls fastest where all rows are given one class, and nothing else in it speaks against that. A state is
    held against the one that has used most classes so far.
    """
    fullest = predict_all(m, rows, _SHOWN).p
    looks = iter(range(1, 2**31))

    def judge() -> float:
        nonlocal fullest
        now = predict_all(m, rows, _SHOWN).p
        fullest = max(fullest, now, key=classes_in_use)
        m.notes["classes in use"] = classes_in_use(now) / now.shape[1]
        return -torch.inf if lost_classes(fullest, now) else float(next(looks))

    m.notes["classes in use"] = classes_in_use(fullest) / fullest.shape[1]
    return judge


def classes_in_use(p: Tensor) -> Tensor:
    """The effective number of classes that rows of probabilities (n, C) use: exp of their mean's entropy, in [1, C]."""
    return entropy(p.mean(0, keepdim=True))[0].exp()


def lost_classes(before: Tensor, after: Tensor) -> bool:
    """Whether probabilities (n, C) use far fewer classes than they did, or have all but lost one."""
    had, has = (torch.bincount(p.argmax(1), minlength=p.shape[1]) / len(p) for p in (before, after))
    fewer = bool(classes_in_use(after) < LEAST * classes_in_use(before))
    # that a class had far more than its part of the rows is no reason for it to keep a tenth of them
    return fewer or bool(((had >= RARE) & (has < LEFT * had.clamp(max=1 / len(had)))).any())
