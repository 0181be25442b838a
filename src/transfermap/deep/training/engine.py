"""Where the modules of a run live: device, precision, processes; and what the net makes of a batch.

With several processes (started by ``torchrun``) each sees its part of every batch; the features are gathered, and all
processes compute the same losses on all of them. So an objective that compares rows with rows, as MMD does, gives the
gradients that one process would give on the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from transfermap.deep.training.batch import Outputs


class _Gather(torch.autograd.Function):
    """Rows of all processes one below the other; backwards, each keeps the gradient of its own rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, sizes: list[int], rank: int) -> Tensor:
        ctx.sizes, ctx.rank = sizes, rank
        padded = torch.cat([x, x.new_zeros(max(sizes) - len(x), *x.shape[1:])])
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded.contiguous())
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return torch.split(grads[0], ctx.sizes)[ctx.rank], None, None


class Engine:
    """The modules of a run; ``engine["discriminator"]`` is one of them."""

    def __init__(
        self,
        modules: nn.ModuleDict,
        device: torch.device,
        precision: str = "float32",
        compile: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        # with the channels last, convolutions on a processor take half the time
        modules.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.modules = modules.to(device)
        self.device, self.rank, self.world = device, rank, world
        self.notes: dict[str, Tensor] = {}
        self.noting = True
        # a stream of the target's rows, for a method that looks at all of them at once
        self.target: Any = None
        self._type = torch.bfloat16 if precision == "bfloat16" else None
        # a method without labels may have no such net
        net = modules["features"] if "features" in modules else None  # noqa: SIM401 -- a ModuleDict has no get
        self._features: Any = torch.compile(net) if compile and net is not None else net

    def __getitem__(self, name: str) -> Any:
        return self.modules[name]

    def note(self, name: str, value: Tensor | Callable[[], Tensor]) -> None:
        """Put a number on record that is no term of the loss; a function is asked for it only at recorded steps."""
        if self.noting:
            self.notes[name] = (value() if callable(value) else value).detach()

    def forward(
        self, x: Tensor, watched: Sequence[str] = (), features: Callable[[Tensor], Tensor] | None = None
    ) -> Outputs:
        """What the net makes of rows; ``features`` instead of its own."""
        with self._watching(watched) as layers, torch.autocast(self.device.type, self._type, self._type is not None):
            f = (features or self._features)(self._own(x))
            f = self._gathered(f, len(x))
            inner = {name: self._gathered(layer, len(x)) for name, layer in layers.items()}
            z = self.modules["head"](f)
        return Outputs(f.float(), z.float(), {name: layer.float() for name, layer in inner.items()})

    def forward_both(self, xs: Tensor, xt: Tensor, watched: Sequence[str] = ()) -> tuple[Outputs, Outputs]:
        """Both domains' batches in one pass, which costs less than two."""
        if self.world == 1:
            both, sizes = self.forward(torch.cat([xs, xt]), watched), [len(xs), len(xt)]
            # split, not sliced twice: backwards, one copy and no sum of halves padded with zeros
            f, z = both.f.split_with_sizes(sizes), both.z.split_with_sizes(sizes)
            layers = {name: layer.split_with_sizes(sizes) for name, layer in both.layers.items()}
            a, b = (Outputs(f[at], z[at], {name: parts[at] for name, parts in layers.items()}) for at in (0, 1))
            return a, b
        return self.forward(xs, watched), self.forward(xt, watched)

    def average_gradients(self) -> None:
        """Make the gradients of all processes those of one: the features' add up, the others are already equal."""
        if self.world == 1:
            return
        for name, module in self.modules.items():
            for p in module.parameters():
                if p.grad is not None:
                    dist.all_reduce(p.grad)
                    if name != "features":
                        p.grad /= self.world

    def _own(self, x: Tensor) -> Tensor:
        return x if self.world == 1 else x.tensor_split(self.world)[self.rank]

    def _gathered(self, x: Tensor, n: int) -> Tensor:
        if self.world == 1:
            return x
        sizes = [len(part) for part in torch.arange(n).tensor_split(self.world)]
        out: Tensor = _Gather.apply(x, sizes, self.rank)  # type: ignore[no-untyped-call]
        return out

    @contextmanager
    def _watching(self, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
        """Outputs of the features' layers, by names such as "features.1"; flattened to (n, k)."""
        seen: dict[str, Tensor] = {}
        hooks = []
        for name in names:
            try:
                layer = self.modules.get_submodule(name)
            except AttributeError as error:
                known = [k for k, _ in self.modules.named_modules() if k.startswith("features")]
                raise ValueError(f"the net has no layer {name!r}; it has: {', '.join(known)}") from error
            hooks.append(
                layer.register_forward_hook(lambda _m, _x, out, name=name: seen.update({name: out.flatten(1)}))
            )
        try:
            yield seen
        finally:
            for hook in hooks:
                hook.remove()
