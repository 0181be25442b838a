"""What every estimator around the loop shares, whatever it answers: training, prediction, saving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from transfermap.deep.lazy import torch
from transfermap.deep.training.objective import InputSpec, Objective
from transfermap.deep.training.settings import Training
from transfermap.math.ratio import along
from transfermap.split import Array, Reads, Side, Split

Scale = tuple[Array, Array] | None


@dataclass(eq=False, repr=False, kw_only=True)
class Trained(Training, BaseEstimator):
    """An objective that the loop has trained: its modules, what they make of rows, and how they are kept.

    Attributes
    ----------
    modules_ : torch.nn.ModuleDict
    spec_ : InputSpec
    history_ : list of dict
        The terms of the loss, and what else was noted, over the run's steps.
    chosen_step_ : int
    """

    def _losses(self) -> Objective:
        """The objective that is trained."""
        raise NotImplementedError

    def _own_net(self) -> Any:
        """The net of features and head beside the objective's parts: a name or a module; None where there is none."""
        return None

    def _judge(self, engine: Any, domains: Any) -> Any:
        """The label-free score of a state, larger better; None where the last state is kept."""
        return None

    def _scale(self, Xs: Array, Xt: Array) -> Scale:
        """What rows are shifted and divided by before the modules get them, (d,) each; None: they stay as they are."""
        return None

    def _train_on(self, rows: Split, reads: Reads, ys: Array | None = None, outputs: int = 0) -> None:
        """Train on rows, whose order is of no consequence; ``ys`` are the source's labels as a loss takes them."""
        rows = in_order(rows, ys)
        self._scaling: Scale = self._scale(rows.Xs, rows.Xt)
        Xs, Xt = self._as_data(rows.Xs), self._as_data(rows.Xt)
        source = (Xs,) if rows.ys is None else (Xs, tensor(rows.ys))
        self._run(spec_of(rows, outputs), source, (Xt,), **drawn_from(rows, reads))

    def _run(self, spec: InputSpec, source: Any, target: Any, **more: Any) -> None:
        """Train on the data of both domains; ``more`` is what :class:`Domains` is told beside."""
        from transfermap.deep.training.batches import Domains
        from transfermap.deep.training.fitting import begun, placed, train

        self.spec_ = spec
        losses, size, seed = self._losses(), self.batch_size, self.random_state
        self.modules_, self.history_, self.chosen_step_ = train(
            self,
            losses,
            lambda: begun(losses, spec, seed, self._own_net()),
            lambda m: Domains(
                source=placed(source, m), target=placed(target, m), size=size, seed=seed, device=m.device, **more
            ),
            self._judge,
        )
        self._set_predictor()

    def _set_predictor(self) -> None:
        from transfermap.deep.training.predictor import Predictor

        self._predictor: Any = Predictor(self.modules_, self.device)

    def _through(self, X: Array, *chain: str) -> Array:
        """What the trained modules of these names, one after the other, make of rows (n, ...); (n, ...)."""
        if self._predictor.modules is not self.modules_:
            self._set_predictor()
        out: Array = self._predictor(X, chain)
        return out

    def outputs(self, X: Array, *chain: str) -> Array:
        """What the trained modules of these names, one after the other, make of rows (n, d), in their precision."""
        return self._through(self._scaled(X), *chain)

    def _as_data(self, X: Array) -> Any:
        """Rows as a run takes them: a tensor on one scale; paths as they are, for the net says how they are read."""
        return X if holds_paths(X) else tensor(self._scaled(X), np.float32)

    def _scaled(self, X: Array) -> Array:
        if self._scaling is None:
            return X
        mean, spread = self._scaling
        out: Array = (X - mean) / spread
        return out

    def _unscaled(self, Z: Array) -> Array:
        """Rows as the caller has them, of rows as the modules have them."""
        if self._scaling is None:
            return Z
        mean, spread = self._scaling
        out: Array = Z * spread + mean
        return out

    def __getstate__(self) -> dict[str, Any]:
        """Weights as arrays, where the modules can be made anew: then nothing needs pickle."""
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_predictor", None)
        if "modules_" in state and isinstance(self._own_net(), str | None):
            state["modules_"] = {k: v.cpu().numpy() for k, v in state["modules_"].state_dict().items()}
            side = None if self.spec_.side is None else self.spec_.side.attributes
            state["spec_"] = {**vars(self.spec_), "side": side}
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        state = dict(state)
        weights, spec = state.get("modules_"), state.get("spec_")
        super().__setstate__(state)
        if isinstance(weights, dict) and isinstance(spec, dict):
            from transfermap.deep.training.fitting import rebuilt

            side = None if spec["side"] is None else Side(attributes=spec["side"])
            self.spec_ = InputSpec(**{**spec, "shape": tuple(spec["shape"]), "side": side})
            self.modules_ = rebuilt(self._losses(), self.spec_, self._own_net(), weights)
        if weights is not None:
            self._set_predictor()


def in_order(rows: Split, ys: Array | None) -> Split:
    """The rows in an order of their own, so that what is drawn from them does not depend on the caller's.

    ``ys`` are the source's labels as the loss takes them, by which equal rows are put in order.
    """
    s = np.argsort(order_of(rows.Xs), kind="stable") if ys is None else np.lexsort((ys, order_of(rows.Xs)))
    t = np.argsort(order_of(rows.Xt), kind="stable")
    side, yt = rows.side, rows.yt
    if yt is not None and rows.known is not None:
        place = np.cumsum(rows.known) - 1
        yt = yt[place[t][rows.known[t]]]
    if side is not None and side.pairs is not None:
        side = replace(side, pairs=np.asarray(side.pairs)[np.r_[s, len(s) + t]])
    return rows._replace(
        Xs=rows.Xs[s],
        ys=None if ys is None else ys[s],
        Xt=rows.Xt[t],
        source_domains=rows.source_domains[s],
        target_domains=rows.target_domains[t],
        yt=yt,
        known=None if rows.known is None else rows.known[t],
        side=side,
    )


def holds_paths(X: Array) -> bool:
    """Whether rows are paths of images, (n, 1)."""
    return X.dtype.kind == "U"


def order_of(X: Array) -> Array:
    """What rows are sorted by, so that the order in which they came is of no consequence."""
    return X[:, 0] if holds_paths(X) else along(X)


def drawn_from(rows: Split, reads: Reads) -> dict[str, Any]:
    """What batches are told of rows beside the rows: their domains' numbers, side information, who has labels."""
    labelled = ("source",) if reads.source and rows.ys is not None else ()
    domains = {"source_domains": tensor(rows.source_domains), "target_domains": tensor(rows.target_domains)}
    return {"labelled": labelled, "side": rows.side, **domains}


def spec_of(rows: Split, outputs: int = 0) -> InputSpec:
    """The shape of rows."""
    return InputSpec(
        shape=rows.Xs.shape[1:],
        outputs=outputs,
        sources=len(np.unique(rows.source_domains)),
        targets=len(np.unique(rows.target_domains)),
        side=rows.side,
    )


def scale(X: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each column, (d,); 1 where a column does not vary."""
    spread = X.std(axis=0, dtype=np.float64)
    mean = X.mean(axis=0, dtype=np.float64)
    # a constant column's spread may be rounding
    return mean, np.where(spread > 1e-9 * (1 + np.abs(mean)), spread, 1.0)


def tensor(a: Array, kind: Any = None) -> Any:
    """The array as a tensor."""
    return torch.from_numpy(np.ascontiguousarray(a, dtype=kind))
