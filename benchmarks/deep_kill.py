"""Kill a training process at random moments, resume from its checkpoint, and compare with a run that was never killed.

    python benchmarks/deep_kill.py [--times 20] [--method dann] [--net mlp]

One run is killed (SIGKILL) again and again, each time some steps after it began or went on, and at last let finish;
its weights must then be those of the run without a kill, bit for bit. The moments are drawn in steps, which the process
tells, so that a slow machine changes nothing; the kill itself comes from outside, wherever the process is by then.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

STEPS = 400


def train(method: str, net: str, checkpoint: Path | None, out: Path) -> None:
    """The run itself: it prints each step that is done and writes its weights at the end."""
    import torch
    from safetensors.torch import save_file

    from transfermap.card import find
    from transfermap.deep.estimators import DeepClassifier

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    y, d = np.tile([0, 1, 2], 60), np.repeat([1, -1], 90)
    X = rng.random((180, 256)) + 0.2 * y[:, None] + 0.3 * (d[:, None] < 0)
    model = DeepClassifier(
        find(method)(),
        net=net,
        steps=STEPS,
        every=1,
        batch_size=16,
        checkpoint=checkpoint,
        tick=lambda done, of: print(done, flush=True),
    ).fit(X, y, sample_domain=d)
    save_file({name: value.contiguous() for name, value in model.modules_.state_dict().items()}, out)


def started(options: argparse.Namespace, out: Path, checkpoint: Path | None) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--method", options.method, "--net", options.net, "--out", str(out)]
    kept = [] if checkpoint is None else ["--checkpoint", str(checkpoint)]
    return subprocess.Popen([*command, *kept], stdout=subprocess.PIPE, text=True)


def until(process: subprocess.Popen[str], steps: int) -> int:
    """Read what the process tells for some steps, then kill it; the last step it told (-1: it was done before)."""
    assert process.stdout is not None
    last = -1
    for _, line in zip(range(steps), process.stdout, strict=False):
        last = int(line)
    process.kill()
    process.communicate()
    return last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--method", default="dann")
    parser.add_argument("--net", default="mlp")
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--checkpoint", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.out:
        train(options.method, options.net, options.checkpoint, options.out)
        return
    folder = Path(tempfile.mkdtemp())
    whole, killed, checkpoint = folder / "whole", folder / "killed", folder / "checkpoint"
    started(options, whole, None).communicate()
    apart = np.random.default_rng(options.seed).integers(1, STEPS // options.times, options.times)
    reached = [until(started(options, killed, checkpoint), int(steps)) for steps in apart]
    if killed.exists():
        raise SystemExit("the run was done before the last kill")
    started(options, killed, checkpoint).communicate()
    left = sorted(path.name for path in folder.iterdir())
    if left != ["checkpoint", "killed", "whole"]:
        raise SystemExit(f"kills left files behind: {left}")
    equal = whole.read_bytes() == killed.read_bytes()
    print(f"{options.method}, {options.net}: killed after steps {reached}; weights {'equal' if equal else 'DIFFER'}")
    raise SystemExit(0 if equal else 1)


if __name__ == "__main__":
    main()
