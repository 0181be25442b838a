"""What the wizard found, lit on the map: as a page, and as an image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from transfermap.map import entries
from transfermap.report.advice_words import AdviceView
from transfermap.report.pages.map_view import html
from transfermap.report.plots.map_svg import svg


def drawing(path: Path | None) -> Callable[[AdviceView], str]:
    """How a file of this name is drawn.

    Raises
    ------
    ValueError
        If the name ends neither in ``.html`` nor in ``.svg``.
    """
    kinds: dict[str, Callable[[AdviceView], str]] = {".html": page, ".svg": image}
    suffix = ".html" if path is None else path.suffix.lower()
    if suffix not in kinds:
        raise ValueError(f"--output must end in {' or '.join(kinds)}; got {path}")
    return kinds[suffix]


def page(view: AdviceView) -> str:
    """The map as a page, the advice above it, and the branches that fit lit."""
    return html(entries(), view.lang, advice=view)


def image(view: AdviceView) -> str:
    """The map as an image in which what does not fit is faded."""
    lines = [f"{view.say(f'cell_{view.advice.cell}')}: {view.say('here')}", view.say("lit", count=len(view.fits()))]
    return svg(entries(), view.lang, lit=set(view.fits()), about=lines)
