"""What a net has learned, as figures and as one page that needs nothing beside itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment
from markupsafe import Markup

from transfermap.messages import say
from transfermap.report.pages.templating import environment
from transfermap.report.phrases import number
from transfermap.report.plots.drawing import INK, MUTED, SIZE, SOURCE, blank, literal, ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from transfermap.studies.inspect_net import Gallery, Look

Array = np.ndarray[Any, np.dtype[Any]]
_PANEL = 1.15


def write_look(look: Look, folder: Path, lang: str = "en") -> list[Path]:
    """Write the figures as PNG files and the page into a folder that is there; the files written."""
    figures = drawn(look)
    written = []
    for name, png in figures.items():
        written.append(folder / f"{name}.png")
        written[-1].write_bytes(png)
    written.append(folder / ("inspect.html" if lang == "en" else f"inspect.{lang}.html"))
    written[-1].write_text(page(look, figures, lang), encoding="utf8")
    return written


def drawn(look: Look) -> dict[str, bytes]:
    """The figures as PNG, by the names of their files; they hold no words, so any language may stand beside them."""
    figures = {f"units_{i}_{g.name}": gallery_figure(g) for i, g in enumerate(look.galleries)}
    figures |= {"activations": curves_figure(look.galleries)} if look.galleries else {}
    figures |= {"inversions": inversions_figure(look)} if look.inversions else {}
    return {name: _png(figure) for name, figure in figures.items()}


def page(look: Look, figures: Mapping[str, bytes], lang: str) -> str:
    """The page, in one language, with its figures inside."""
    shown = {name: Markup(_inline(png)) for name, png in figures.items()}
    names = [f"units_{i}_{g.name}" for i, g in enumerate(look.galleries)]
    return (
        _environment(lang)
        .get_template("inspect.html")
        .render(
            look=look,
            lang={"en": "en", "zh": "zh-CN"}[lang],
            galleries=list(zip(look.galleries, [shown[name] for name in names], strict=True)),
            shown=shown,
        )
    )


@cache
def _environment(lang: str) -> Environment:
    env = environment()
    env.globals |= {"t": lambda key, **values: say(f"inspect.{key}", lang, **values)}
    env.filters |= {"number": number}
    return env


def gallery_figure(gallery: Gallery) -> Figure:
    """The images of one stage, each under the number of its unit."""
    return _row([as_shown(x) for x in gallery.images], [f"#{unit}" for unit in gallery.units])


def inversions_figure(look: Look) -> Figure:
    """The original, then what each depth still knows of it."""
    labels = ["", *(f"{x.name}\n{x.psnr:.1f} dB" for x in look.inversions)]
    return _row([as_shown(look.original), *(as_shown(x.image) for x in look.inversions)], labels)


def curves_figure(galleries: Sequence[Gallery]) -> Figure:
    """Activations over the steps, a panel a stage."""
    figure = blank(_PANEL * 1.35 * len(galleries), 1.7)
    axes = figure.subplots(1, len(galleries), squeeze=False)[0]
    for ax, gallery in zip(axes, galleries, strict=True):
        ax.plot(gallery.curves, color=SOURCE, linewidth=0.9, alpha=0.8)
        ticks(ax, lambda x, _: f"{x:,.0f}", count=2)
        ax.tick_params(axis="y", labelcolor=MUTED, labelsize=SIZE - 2)
        ax.set_title(literal(gallery.name), fontsize=SIZE, color=INK)
    figure.tight_layout(pad=0.4)
    return figure


def as_shown(x: Array) -> Array:
    """An image (c, h, w) as (h, w, 3) in [0, 1]; one that uses little of the range is stretched about its middle."""
    x = np.asarray(x, dtype=float)
    low, high = float(x.min()), float(x.max())
    if low < 0 or high > 1 or high - low < 0.5:
        x = (x - low) / max(high - low, 1e-9)
    return np.repeat(x, 3, axis=0).transpose(1, 2, 0) if len(x) == 1 else x[:3].transpose(1, 2, 0)


def _row(images: Sequence[Array], labels: Sequence[str]) -> Figure:
    figure = blank(_PANEL * len(images), _PANEL + 0.45)
    for ax, image, label in zip(figure.subplots(1, len(images), squeeze=False)[0], images, labels, strict=True):
        ax.imshow(image, interpolation="nearest")
        ax.set_title(literal(label), fontsize=SIZE - 1, color=INK)
        ax.axis("off")
    figure.tight_layout(pad=0.3)
    return figure


def _png(figure: Figure) -> bytes:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=150, metadata={"Software": None})
    return drawn.getvalue()


def _inline(png: bytes) -> str:
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}">'
