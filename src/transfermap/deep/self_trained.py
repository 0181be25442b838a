"""A deep method that is fitted by itself: the settings of its training are hyper-parameters of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from transfermap.deep.trained import Scale, Trained, scale
from transfermap.deep.training.objective import Objective
from transfermap.split import Array, Reads, Split

# stands in the docstring of every such method, behind its own parameters
_SETTINGS = """    steps : int, default={steps}
        Steps of the loop; None: 600.
    batch_size : int, default={batch_size}
        Rows of each domain a step, at most all there are.
    optimizer : {{"adamw", "adam", "adam-gan", "sgd"}}, default="{optimizer}"
        "adam-gan" has beta1 0.5; "sgd" Nesterov momentum 0.9. A method may use others for some of its parts.
    lr : float, default={lr}
        Learning rate.
    weight_decay : float, default={weight_decay}
        Pull of all weights to 0, as the optimiser has it.
    schedule : {{"anneal", "constant", "linear"}}, default="{schedule}"
        Of the learning rate, over the run: "anneal" is (1 + 10 p)^-0.75.
    device : str, default="{device}"
        "auto", "cpu", "cuda", "cuda:1", "mps".
    every : int, default={every}
        Steps between two checkpoints.
    checkpoint : path, default={checkpoint}
        A file to keep the run's state in; a run that was cut off goes on from it as if it had not been.
    random_state : int, default={random_state}
        Seed of the nets' start, of the order of rows and of noise.
"""
_NAMES = ("steps", "batch_size", "optimizer", "lr", "weight_decay", "schedule", "device", "every", "checkpoint")


@dataclass(eq=False, repr=False, kw_only=True)
class SelfTrained(Trained, Objective):
    """What a :class:`DeepAdapter` and a :class:`DeepGenerator` share: both train themselves, on rows as they come."""

    def __init_subclass__(cls, **more: Any) -> None:
        """Every method says what the settings are, though it is written once."""
        super().__init_subclass__(**more)
        own, examples, rest = (cls.__doc__ or "").partition("\n    Examples\n")
        # a default that the class itself declares is still a field here
        usual = {name: getattr(value := getattr(cls, name), "default", value) for name in (*_NAMES, "random_state")}
        cls.__doc__ = f"{own.rstrip()}\n{_SETTINGS.format(**usual)}{examples}{rest}" if examples else cls.__doc__

    def signature(self) -> str:
        """Of all but where it runs and where it is kept: either may change between two parts of a run."""
        return repr(clone(self).set_params(device="cpu", checkpoint=None))

    def _losses(self) -> Objective:
        return self

    def _scale(self, Xs: Array, Xt: Array) -> Scale:
        """Both domains' columns on one scale."""
        return scale(np.concatenate([Xs, Xt]))

    def _fit_net(self, rows: Split, reads: Reads) -> None:
        self.require()
        self._train_on(rows, reads, *_coded(rows.ys))


def _coded(ys: Array | None) -> tuple[Array | None, int]:
    """Labels as a loss takes them, and how many outputs they ask for: class numbers, or floats as they are."""
    if ys is None:
        return None, 0
    if np.asarray(ys).dtype.kind == "f":
        return np.asarray(ys, dtype=np.float32), 1
    classes, codes = np.unique(ys, return_inverse=True)
    return codes.astype(np.int64), len(classes)
