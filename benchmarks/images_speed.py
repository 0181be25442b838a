"""How fast features of images come, against the bare backbone on images that are decoded already.

    python benchmarks/images_speed.py FOLDER --backbone efficientnet-lite0 --count 512 --threads 2 -o speed.jsonl

Both take the same images in the same batches on the same device; the bare backbone has them in memory, ours reads,
decodes, computes and writes the cache. They take turns, ``--rounds`` times; the medians are compared. ``--grow 12``
brings images to 12 times their size first, as from a camera. A last look, at the cache alone, is timed too.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from PIL import Image

from transfermap.data.images.image_files import find_images
from transfermap.deep.pretrained.backbones import backbone
from transfermap.deep.pretrained.feature_cache import BATCH, features
from transfermap.deep.pretrained.provider import Backbone
from transfermap.deep.training.device import pick_device


def bare(net: Backbone, x: torch.Tensor, device: str) -> float:
    """Seconds for images that are in memory."""
    place = pick_device(device)
    module = net.net.to(place, memory_format=torch.channels_last)
    began = time.perf_counter()
    with torch.inference_mode():
        for start in range(0, len(x), BATCH):
            module(x[start : start + BATCH].to(place)).cpu()
    return time.perf_counter() - began


def ours(net: Backbone, files: list[str], device: str, workers: int | None) -> tuple[float, float]:
    """Seconds for images in files, with an empty cache and with a full one."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRANSFERMAP_CACHE"] = folder
        took = []
        for _ in range(2):
            began = time.perf_counter()
            features(net, files, device=device, workers=workers)
            took.append(time.perf_counter() - began)
    return took[0], took[1]


def grown(files: list[str], folder: Path, times: int) -> list[str]:
    """The images, so many times as wide and high, each different from the others."""
    for i, file in enumerate(files):
        with Image.open(file) as image:
            size = (image.width * times, image.height * times)
            image.convert("RGB").resize(size).save(folder / f"{i}.jpg", quality=90)
    return [str(folder / f"{i}.jpg") for i in range(len(files))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", default="efficientnet-lite0")
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--workers", type=int)
    parser.add_argument("--grow", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("-o", "--output", type=Path, default=Path("images_speed.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    net, files = backbone(arguments.backbone), find_images(arguments.folder).files[: arguments.count]
    with tempfile.TemporaryDirectory() as folder:
        files = grown(files, Path(folder), arguments.grow) if arguments.grow > 1 else files
        x = net.read(files)
        bare(net, x[: 2 * BATCH], arguments.device)  # what the first batches cost more is nobody's
        rounds = [
            (bare(net, x, arguments.device), *ours(net, files, arguments.device, arguments.workers))
            for _ in range(arguments.rounds)
        ]
    rate = [len(files) / median(times) for times in zip(*rounds, strict=True)]
    record = {name: getattr(arguments, name) for name in ("backbone", "threads", "workers", "grow", "device", "rounds")}
    record |= {"images": len(files), "bare": round(rate[0], 1), "ours": round(rate[1], 1)}
    record |= {"cached": round(rate[2], 1), "share": round(rate[1] / rate[0], 3)}
    with arguments.output.open("a", encoding="utf8") as file:
        file.write(json.dumps(record) + "\n")
    print(record)


if __name__ == "__main__":
    main()
