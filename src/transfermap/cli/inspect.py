"""``transfermap inspect``: what activates a pretrained net's units, and what each of its depths retains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfermap.cli.console import progress, say_json
from transfermap.cli.options import AsJson, Debug, ImageSize, Lang, Overwrite, Seed, Weights

if TYPE_CHECKING:
    from transfermap.studies.inspect_net import Look

LEAST = 32


def inspect(
    backbone: Annotated[str, typer.Argument(help="Pretrained net for images, such as efficientnet-lite0.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the figures and the page.", metavar="FOLDER")
    ],
    image: Annotated[
        Path | None, typer.Option(help="Image whose features are inverted; a photograph if not given.", metavar="FILE")
    ] = None,
    weights: Weights = None,
    stage: Annotated[
        list[str] | None,
        typer.Option(help="Stage to inspect; may be given several times; five if not given.", metavar="NAME"),
    ] = None,
    units: Annotated[int, typer.Option(help="Units per stage.", metavar="N")] = 6,
    steps: Annotated[int, typer.Option(help="Optimisation steps for each image.", metavar="N")] = 96,
    image_size: Annotated[int, ImageSize] = 96,
    seed: Seed = 0,
    lang: Lang = "en",
    as_json: AsJson = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """What a pretrained net has learned: activation maximisation of its units, and feature inversion by depth."""
    from transfermap.report.pages.inspection import write_look

    page = output / ("inspect.html" if lang == "en" else f"inspect.{lang}.html")
    if page.exists() and not overwrite:
        raise ValueError(f"{page} exists already; give another name, or --overwrite to replace it")
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output} is a file; expected the name of a folder")
    for name, value, least in (("units", units, 1), ("steps", steps, 1), ("image-size", image_size, LEAST)):
        if value < least:
            raise ValueError(f"--{name} must be at least {least}; got {value}")
    with progress(as_json) as tick:
        seen = _look(backbone, weights, image, stage, (units, steps, image_size, seed), tick)
        output.mkdir(parents=True, exist_ok=True)
        written = write_look(seen, output, lang)
    predicted = [{"stage": x.name, "psnr": round(x.psnr, 2), "left": round(x.left, 5)} for x in seen.inversions]
    if as_json:
        say_json({"files": [str(path) for path in written], "inversions": predicted})
    else:
        typer.echo(f"{len(written)} files in {output}; the page: {page}")


def _look(
    name: str, weights: Path | None, image: Path | None, stages: list[str] | None, how: tuple[int, ...], tick: Any
) -> Look:
    from transfermap.deep.pretrained.backbones import backbone

    tick(f"loading {name}")
    net = backbone(name, weights)
    if net.kind != "images":
        raise ValueError(f"{name} is a net for {net.kind}; inspect needs one for images")
    from transfermap.studies.inspect_net import looked

    units, steps, side, seed = how
    return looked(net, image, stages, units=units, steps=steps, side=side, seed=seed, tick=tick)
