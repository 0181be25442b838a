"""The command ``transfermap look``: what drives a pretrained net's units, and what each of its depths still knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfermap.cli.console import progress, say_json
from transfermap.cli.options import AsJson, Debug, Lang, Overwrite

if TYPE_CHECKING:
    from transfermap.studies.inspect_net import Look

LEAST = 32


def look(
    backbone: Annotated[str, typer.Argument(help="A pretrained net for images, such as efficientnet-lite0.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the figures and the page.")],
    image: Annotated[
        Path | None, typer.Option(help="The image whose features are inverted; a photograph if not given.")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="A file of weights to be used instead of the net's own.")] = None,
    stage: Annotated[
        list[str] | None, typer.Option(help="A stage to look at; may be given several times; five if not given.")
    ] = None,
    units: Annotated[int, typer.Option(help="Units a stage.")] = 6,
    steps: Annotated[int, typer.Option(help="Steps for each image.")] = 96,
    side: Annotated[int, typer.Option(help="Points of an image's side.")] = 96,
    seed: Annotated[int, typer.Option(help="Seed; the same seed gives the same images.")] = 0,
    lang: Lang = "en",
    as_json: AsJson = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """What a pretrained net has learned: what drives its units, and what each depth still knows of an image."""
    from transfermap.report.pages.inspection import write_look

    page = output / ("look.html" if lang == "en" else f"look.{lang}.html")
    if page.exists() and not overwrite:
        raise ValueError(f"{page} exists already; give another name, or --overwrite to replace it")
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output} is a file; expected the name of a folder")
    for name, value, least in (("units", units, 1), ("steps", steps, 1), ("side", side, LEAST)):
        if value < least:
            raise ValueError(f"--{name} must be at least {least}; got {value}")
    with progress(as_json) as tick:
        seen = _look(backbone, weights, image, stage, (units, steps, side, seed), tick)
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
        raise ValueError(f"{name} is a net for {net.kind}; look needs one for images")
    from transfermap.studies.inspect_net import looked

    units, steps, side, seed = how
    return looked(net, image, stages, units=units, steps=steps, side=side, seed=seed, tick=tick)
