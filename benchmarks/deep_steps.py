"""Milliseconds that a step of training takes, by objective: ours, TLlib's (dalib) and pytorch-adapt's, in one process.

    sh benchmarks/deep-peers-setup.sh .deep-peers
    .deep-peers/bin/python benchmarks/deep_steps.py --nets lenet mlp --batches 32 128 --threads 1 2
    .deep-peers/bin/python benchmarks/deep_steps.py --calls

All take the same step by hand: one forward of both domains' batches, cross-entropy on the source's half and the loss,
backward, one step of SGD; same net, same data, same layer to adapt (the features; for JAN the softmax too), same width
of discriminators. The contenders take turns, a few steps each a round; given is the median over the rounds. "bare" is
the two-domain step without a loss on the target, "source" the step that looks at the source alone. Columns:
milliseconds, and the ratio to "bare" in the same round. Objectives of ours note what is no term of the loss at each
tenth step, as in a run of 2000. The peers' losses are given our layout of memory and our fused optimiser; with
``--recipe`` they have those of their own scripts, torch's defaults. ``--clock processor`` takes the time that the
process itself computed, for machines that others use too.

With ``--calls``: how many functions one whole step of DANN calls, in our loop and in pytorch-adapt's.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import itertools
import pstats
import time
import warnings
from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from transfermap.card import find
from transfermap.deep.nets.small import build
from transfermap.deep.training.batch import Batch
from transfermap.deep.training.batches import Stream
from transfermap.deep.training.engine import Engine
from transfermap.deep.training.loop import Loop, Plan
from transfermap.deep.training.objective import InputSpec

WIDTH, CLASSES = 500, 10
COLUMNS = {"lenet": 784, "resnet": 784, "mlp": 50}
OURS: dict[str, dict[str, object]] = {
    "deepcoral": {},
    "dan": {"layers": "features"},
    "jan": {},
    "mcc": {},
    "dann": {"width": WIDTH},
    "cdan": {"width": WIDTH},
    "daan": {"width": WIDTH},
    "mdd": {"width": WIDTH},
}
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def ours(key: str, net: nn.ModuleDict, size: int) -> tuple[nn.Module, Loss]:
    """An objective of ours, with its parts beside the net."""
    offered = find(key).__dataclass_fields__
    objective = find(key)(**{k: v for k, v in OURS[key].items() if k in offered})
    net.update(objective.parts(InputSpec(shape=(), outputs=CLASSES, net=net)))
    engine = Engine(net, torch.device("cpu"))
    rows, steps = torch.arange(size), itertools.count()

    def loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        engine.noting = next(steps) % 10 == 0
        batches = {"source": Batch(x[:size], y, rows), "target": Batch(x[size:], None, rows)}
        found = objective.loss(engine, batches, 0.5)
        return reduce(add, found.values())

    return net, loss


def on_top(make: Callable[[int], tuple[nn.Module, Callable[..., torch.Tensor]]]):
    """A peer's loss of (f_s, z_s, f_t, z_t), added to the source's."""

    def made(net: nn.ModuleDict, size: int) -> tuple[nn.Module, Loss]:
        part, extra = make(net["head"].in_features)

        def loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            f = net["features"](x)
            z = net["head"](f)
            return F.cross_entropy(z[:size], y) + extra(f[:size], z[:size], f[size:], z[size:])

        return nn.ModuleList([net, part]), loss

    return made


def peers() -> dict[str, Callable[[nn.ModuleDict, int], tuple[nn.Module, Loss]]]:
    """What the two packages have; a package that is not installed has nothing."""
    found: dict[str, Callable[[int], tuple[nn.Module, Callable[..., torch.Tensor]]]] = {}
    try:
        found |= tllib()
    except ImportError as error:
        print(f"without TLlib: {error}")
    try:
        found |= pytorch_adapt()
    except ImportError as error:
        print(f"without pytorch-adapt: {error}")
    return {name: on_top(make) for name, make in found.items()}


def tllib() -> dict[str, Callable[[int], tuple[nn.Module, Callable[..., torch.Tensor]]]]:
    vars(np)["float"] = float  # the release needs this name, which NumPy no longer has
    from dalib.adaptation.cdan import ConditionalDomainAdversarialLoss
    from dalib.adaptation.dan import MultipleKernelMaximumMeanDiscrepancy
    from dalib.adaptation.dann import DomainAdversarialLoss
    from dalib.adaptation.jan import JointMultipleKernelMaximumMeanDiscrepancy
    from dalib.adaptation.mdd import MarginDisparityDiscrepancy
    from dalib.modules.domain_discriminator import DomainDiscriminator
    from dalib.modules.grl import WarmStartGradientReverseLayer
    from dalib.modules.kernels import GaussianKernel

    def kernels() -> list[nn.Module]:
        return [GaussianKernel(alpha=2.0**k) for k in range(-3, 2)]

    def dan(width: int):
        part = MultipleKernelMaximumMeanDiscrepancy(kernels(), linear=False)
        return part, lambda fs, zs, ft, zt: part(fs, ft)

    def jan(width: int):
        softmax = [GaussianKernel(sigma=0.92, track_running_stats=False)]
        part = JointMultipleKernelMaximumMeanDiscrepancy([kernels(), softmax], linear=False)
        return part, lambda fs, zs, ft, zt: part((fs, zs.softmax(1)), (ft, zt.softmax(1)))

    def dann(width: int):
        part = DomainAdversarialLoss(DomainDiscriminator(width, WIDTH))
        return part, lambda fs, zs, ft, zt: part(fs, ft)

    def cdan(width: int):
        discriminator = DomainDiscriminator(width * CLASSES, WIDTH)
        part = ConditionalDomainAdversarialLoss(discriminator, entropy_conditioning=True)
        return part, lambda fs, zs, ft, zt: part(zs, fs, zt, ft)

    def mdd(width: int):
        other = nn.Sequential(nn.Linear(width, WIDTH), nn.ReLU(), nn.Linear(WIDTH, CLASSES))
        back, part = WarmStartGradientReverseLayer(auto_step=True), MarginDisparityDiscrepancy(4)
        return nn.ModuleList([other, part]), lambda fs, zs, ft, zt: -part(zs, other(back(fs)), zt, other(back(ft)))

    made = {"dan": dan, "jan": jan, "dann": dann, "cdan": cdan, "mdd": mdd}
    return {f"{name} of TLlib": make for name, make in made.items()}


def pytorch_adapt() -> dict[str, Callable[[int], tuple[nn.Module, Callable[..., torch.Tensor]]]]:
    from pytorch_adapt.layers import CORALLoss, GradientReversal, MCCLoss, MMDLoss
    from pytorch_adapt.layers.utils import get_kernel_scales

    def coral(width: int):
        part = CORALLoss()
        return part, lambda fs, zs, ft, zt: part(fs, ft)

    def mcc(width: int):
        part = MCCLoss(T=2.5)
        return part, lambda fs, zs, ft, zt: part(zt)

    def dan(width: int):
        part = MMDLoss(get_kernel_scales(-3, 1, 5), mmd_type="quadratic")
        return part, lambda fs, zs, ft, zt: part(fs, ft)

    def dann(width: int):
        linear = [nn.Linear(width, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1)]
        discriminator = nn.Sequential(GradientReversal(0.5), linear[0], nn.ReLU(), linear[1], nn.ReLU(), linear[2])

        def extra(fs, zs, ft, zt):
            truth = torch.cat([torch.ones(len(fs)), torch.zeros(len(ft))])
            return F.binary_cross_entropy_with_logits(discriminator(torch.cat([fs, ft]))[:, 0], truth)

        return discriminator, extra

    made = {"deepcoral": coral, "mcc": mcc, "dan": dan, "dann": dann}
    return {f"{name} of pytorch-adapt": make for name, make in made.items()}


def source(net: nn.ModuleDict, size: int) -> tuple[nn.Module, Loss]:
    return net, lambda x, y: F.cross_entropy(net["head"](net["features"](x[:size])), y)


def bare(net: nn.ModuleDict, size: int) -> tuple[nn.Module, Loss]:
    # the target's logits in the loss with weight 0, so that their gradient is computed
    def loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        z = net["head"](net["features"](x))
        return F.cross_entropy(z[:size], y) + 0.0 * z[size:].sum()

    return net, loss


def steppers(net: str, size: int, only: list[str], recipe: bool) -> dict[str, Callable[[], None]]:
    torch.manual_seed(0)
    x, y = torch.randn(2 * size, COLUMNS[net]), torch.randint(0, CLASSES, (size,))
    contenders = {"source": source, "bare": bare}
    theirs = peers()
    contenders |= {key: lambda n, s, key=key: ours(key, n, s) for key in OURS} | theirs
    return {
        name: stepper(make, build(net, COLUMNS[net], CLASSES), x, y, size, plain=recipe and name in theirs)
        for name, make in contenders.items()
        if name in ("source", "bare") or name.split()[0] in only
    }


def stepper(make, net: nn.ModuleDict, x: torch.Tensor, y: torch.Tensor, size: int, plain: bool) -> Callable[[], None]:
    if not plain:
        net.to(memory_format=torch.channels_last)
    modules, loss = make(net, size)
    modules.train()
    optimizer = torch.optim.SGD(modules.parameters(), 1e-3, momentum=0.9, nesterov=True, fused=None if plain else True)

    def step() -> None:
        optimizer.zero_grad()
        loss(x, y).backward()
        optimizer.step()

    return step


CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def measured(
    steps: dict[str, Callable[[], None]], rounds: int, each: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Milliseconds a step, by round. The contenders take turns, so that a busy machine slows all of them."""
    for step in steps.values():
        step()
        step()
    found: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            began = clock()
            for _ in range(each):
                step()
            found[name].append((clock() - began) / each * 1e3)
    return found


class Enough(Exception):
    """A run that has been looked at long enough."""


def our_whole_step(size: int) -> cProfile.Profile:
    """The fifth step of the loop of a long DANN run, which is not recorded: batches, losses, optimiser, all."""
    x, y = torch.randn(10 * size, COLUMNS["mlp"]), torch.randint(0, CLASSES, (10 * size,))
    objective, net = find("dann")(width=WIDTH), build("mlp", COLUMNS["mlp"], CLASSES)
    net.update(objective.parts(InputSpec(shape=(COLUMNS["mlp"],), outputs=CLASSES, net=net)))
    cpu, profile = torch.device("cpu"), cProfile.Profile()
    sources = {"source": Stream((x, y), size, 0, cpu, labelled=True)}
    sources["target"] = Stream((x,), size, 1, cpu, labelled=False)

    def tick(done: int, of: int) -> None:
        if done == 4:
            profile.enable()
        elif done == 5:
            profile.disable()
            raise Enough

    with contextlib.suppress(Enough):
        Loop(objective, Engine(net, cpu), sources, Plan(steps=10**6, optimizer="sgd", every=1), tick=tick).run()
    return profile


def their_whole_step(size: int) -> cProfile.Profile:
    """pytorch-adapt's DANN hook, with its optimisers; the batches are given."""
    from pytorch_adapt.hooks import DANNHook

    net = build("mlp", COLUMNS["mlp"], CLASSES)
    G, head = net["features"], net["head"]
    D = nn.Sequential(nn.Linear(64, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1))
    optimizers = [torch.optim.SGD(m.parameters(), 1e-3, momentum=0.9, nesterov=True) for m in (G, head, D)]
    hook = DANNHook(optimizers)
    x, y = torch.randn(2 * size, COLUMNS["mlp"]), torch.randint(0, CLASSES, (size,))
    domains = torch.zeros(size), torch.ones(size)
    models = {"G": G, "C": head, "D": nn.Sequential(D, nn.Flatten(0))}
    batch = {
        "src_imgs": x[:size], "src_labels": y, "src_domain": domains[0], "target_imgs": x[size:],
        "target_domain": domains[1],
    }  # fmt: skip

    given = models | batch
    for _ in range(4):
        hook(dict(given))
    profile = cProfile.Profile()
    profile.runcall(hook, dict(given))
    return profile


def show_calls() -> None:
    print("function calls of one DANN step (all, written in Python)")
    for name, make in {"ours, the whole loop": our_whole_step, "pytorch-adapt's hook": their_whole_step}.items():
        try:
            stats: Any = pstats.Stats(make(32))
            written = sum(n for (file, *_), (_, n, *_) in stats.stats.items() if file != "~")
            print(f"  {name:24}{stats.total_calls:6d}{written:6d}")
        except ImportError as error:
            print(f"  {name:24}not here: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", default=["lenet", "mlp"], choices=sorted(COLUMNS))
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--each", type=int, default=5)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parser.add_argument("--only", nargs="+", default=list(OURS), choices=list(OURS))
    parser.add_argument("--recipe", action="store_true", help="peers take steps as their own scripts do")
    parser.add_argument("--calls", action="store_true", help="count function calls instead")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.calls:
        show_calls()
        return
    cells = [(n, b, t) for n in arguments.nets for b in arguments.batches for t in arguments.threads]
    for net, size, threads in cells:
        torch.set_num_threads(threads)
        found = measured(
            steppers(net, size, arguments.only, arguments.recipe),
            arguments.rounds,
            arguments.each,
            CLOCKS[arguments.clock],
        )
        print(f"\n{net}, {size} rows of each domain, {threads} thread{'s' * (threads > 1)}")
        for name, times in found.items():
            ratio = float(np.median(np.divide(times, found["bare"])))
            print(f"  {name:26}{np.median(times):9.2f} ms   {ratio:6.2f} x bare", flush=True)


if __name__ == "__main__":
    main()
