"""What the methods of fine-tuning share: a net is trained on the source, then on the target rows that have a label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from transfermap.card import param
from transfermap.deep.learner import DeepLearner
from transfermap.deep.trained import holds_paths, order_of, tensor
from transfermap.deep.training import settings
from transfermap.deep.training.batch import Batches, Terms
from transfermap.deep.training.objective import source_loss
from transfermap.split import Array, Reads, Split

if TYPE_CHECKING:
    from torch import nn

    from transfermap.deep.training.engine import Engine
    from transfermap.finetuning.training import Job


@dataclass(eq=False, repr=False, kw_only=True)
class TwoStage(DeepLearner):
    """Train on the source; then go on with the labelled target rows as :meth:`recipe` says, unless ``weight`` is 0."""

    reads = Reads("both")

    frozen: int = param(default=0, low=0)
    lr: float = param(default=1e-3, above=0)

    def recipe(self, job: Job) -> nn.ModuleDict:
        """The net after fine-tuning."""
        raise NotImplementedError

    def loss(self, m: Engine, batches: Batches, progress: float) -> Terms:
        s = batches["source"]
        return {"source": source_loss(m.forward(s.x).z, s.y)}

    def _fit(self, rows: Split) -> None:
        super()._fit(rows)
        if self.weight:
            # into the net at hand: saving, prediction and devices know that one
            self.estimator_.modules_.load_state_dict(self.recipe(self._job(rows)).state_dict())

    def _job(self, rows: Split) -> Job:
        from transfermap.deep.nets.freezing import Surgery, staged
        from transfermap.deep.training.loop import Plan
        from transfermap.finetuning.frozen_rows import Rows
        from transfermap.finetuning.training import Job

        assert rows.known is not None and rows.yt is not None
        trained = self.estimator_
        X, y = rows.Xt[rows.known], self._codes(rows.yt)
        # batches are drawn by place: places by what rows hold make the result independent of their order
        order = np.lexsort((y, order_of(X)))
        x, net = trained._as_data(X[order]), trained.modules_
        return Job(
            net=staged(net),
            rows=Rows(x[:, 0].tolist(), net["features"].read) if holds_paths(X) else Rows(x),
            y=tensor(y[order]),
            plan=Plan(steps=max(1, round(self._share() * (trained.steps or settings.STEPS))), lr=self.lr),
            surgery=Surgery(freeze=self.frozen),
            batch=trained.batch_size,
            random_state=trained.random_state,
        )

    def _share(self) -> float:
        """Steps of fine-tuning as a share of those on the source."""
        return self.weight

    def _codes(self, yt: Array) -> Array:
        """Labels as the net that was trained on the source has them."""
        if not hasattr(self, "classes_"):
            # in the unit that the source's net predicts in
            return ((yt.astype(np.float64) - self.estimator_._centre) / self.estimator_._unit).astype(np.float32)
        strange = np.setdiff1d(yt, self.classes_)
        if len(strange):
            raise ValueError(
                f"target labels hold the class {str(strange[0])!r}, which no source row has; expected the source's "
                f"classes only: {', '.join(map(str, self.classes_[:6]))}"
            )
        return np.searchsorted(self.classes_, yt).astype(np.int64)
