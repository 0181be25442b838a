"""How everything in the report's plots is drawn: colours, marks, axes, legends, and a figure as SVG for the page.

Text widths are estimated, not measured, because the browser draws the text of the SVGs in its own font.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from transfermap.report.phrases import columns, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, LINE, PAPER = "#1d2129", "#5f6773", "#dfe3e8", "#ffffff"
SOURCE, TARGET, MODEL = "#2563a8", "#e08a2e", "#3b3f46"
BETTER, EVEN, WORSE = "#0b7a67", "#858d98", "#c2410c"
# in the page each colour is a CSS variable, so that the plots follow the reader's light or dark scheme
_VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    PAPER: "paper",
    SOURCE: "source",
    TARGET: "target",
    MODEL: "model",
    BETTER: "better",
    EVEN: "even",
    WORSE: "worse",
}
SIZE = 9.5
# inches; the page shows the three widths at about the same size of text
WIDE, MIDDLE, NARROW = 6.2, 5.2, 4.7


def blank(width: float, height: float) -> Figure:
    """An empty figure, measured in inches."""
    # not through pyplot, which keeps figures alive and picks a window system
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), facecolor=PAPER)


def panels(figure: Figure, count: int, labels: Sequence[str], *, top: float, bottom: float) -> list[Axes]:
    """Panels side by side that share their rows, the labels left of the first; ``top`` and ``bottom`` in inches."""
    axes = figure.subplots(1, count, sharey=True, squeeze=False)[0].tolist()
    # half an em a column holds for the sans-serif fonts of browsers, a little more for matplotlib's own
    left = 0.15 + max(columns(x) for x in labels) * 0.56 * SIZE / 72
    width, height = figure.get_size_inches()
    figure.subplots_adjust(left / width, bottom / height, 0.975, 1 - top / height, wspace=0.25)
    axes[0].set_yticks(range(len(labels)), [literal(x) for x in labels])
    # downwards: the first row stands on top, as in a table
    axes[0].set_ylim(len(labels) - 0.4, -0.6)
    return axes


def ticks(ax: Axes, shape: Any, count: int = 4) -> None:
    """At most ``count`` steps along x, written by ``shape``; a light grid and no frame."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    # two at least: one tick has no scale
    ax.xaxis.set_major_locator(MaxNLocator(count, min_n_ticks=2))
    ax.xaxis.set_major_formatter(FuncFormatter(shape))
    ax.tick_params(length=0, labelsize=SIZE, labelcolor=INK)
    ax.tick_params(axis="x", labelcolor=MUTED, labelsize=SIZE - 1)
    ax.grid(axis="x", color=LINE, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.set_facecolor("none")
    for spine in ax.spines.values():
        spine.set_visible(False)


def bare(ax: Axes) -> None:
    """A framed panel without ticks, for maps whose axes have no unit."""
    ax.set(xticks=[], yticks=[], facecolor="none")
    ax.margins(0.06)
    for spine in ax.spines.values():
        spine.set_color(LINE)


def mark(side: str) -> dict[str, Any]:
    """How the source (hollow circle), the target (full triangle) and the model (full square) are drawn everywhere."""
    # by shape and filling as well as colour: the page must be readable in grey
    marker, edge, face = {
        "source": ("o", SOURCE, PAPER),
        "target": ("^", TARGET, TARGET),
        "model": ("s", MODEL, MODEL),
    }[side]
    return {"marker": marker, "color": edge, "markerfacecolor": face, "linestyle": "none", "markersize": 5.5}


def mark_legend(figure: Figure, sides: Sequence[str], what: str, lang: str) -> None:
    """What the marks of ``sides`` stand for; ``what`` is "rows" or "share"."""
    from matplotlib.lines import Line2D

    legend(figure, [Line2D([], [], **mark(s)) for s in sides], [word(f"{what}_{s}", lang) for s in sides])


def legend(figure: Figure, marks: Sequence[Any], labels: Sequence[str]) -> None:
    """One line of marks and their meaning below the panels."""
    style: dict[str, Any] = {"frameon": False, "fontsize": SIZE - 0.5, "labelcolor": INK}
    figure.legend(marks, labels, loc="lower left", ncols=len(labels), borderpad=0.1, columnspacing=2, **style)


def literal(text: str) -> str:
    """A name that matplotlib shall not read as mathematics."""
    # between two dollar signs matplotlib sets formulas, and fails on what is none
    return text.replace("$", r"\$")


def to_svg(figure: Figure) -> str:
    """A figure as SVG to stand inside a page: the same bytes each time, text as text, colours as CSS variables.

    Ids carry a digest of the drawing, so those of several figures on a page do not clash.
    """
    from matplotlib import rc_context

    drawn = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "transfermap"}), warnings.catch_warnings():
        # the browser has the glyphs that matplotlib's font lacks
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(drawn, format="svg", metadata={"Date": None}, transparent=True)
    svg = drawn.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    # a digest, not a counter: the same figure has the same bytes wherever it stands
    prefix = hashlib.sha256(svg.encode("utf8")).hexdigest()[:8]
    used = set(re.findall(r"(?:url\(#|href=\"#)([\w-]+)", svg))
    # only inside tags: what stands between them are strangers' names
    return re.sub(r"<[^>]+>", lambda tag: _page_tag(tag[0], prefix, used), svg)


def _page_tag(tag: str, prefix: str, used: set[str]) -> str:
    """One tag of matplotlib's SVG as the page wants it."""
    tag = re.sub(r' id="([\w.-]+)"', lambda m: f' id="{prefix}-{m[1]}"' if m[1] in used else "", tag)
    tag = re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", tag)
    # a hundredth of a pixel is enough, and the page stays light
    tag = re.sub(r"-?\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}", tag)
    tag = re.sub(r"#[0-9a-f]{6}\b", lambda m: f"var(--{_VARIABLES[m[0]]}, {m[0]})" if m[0] in _VARIABLES else m[0], tag)
    tag = re.sub(r"font: ((?:\w+ )*[\d.]+px) [^;\"]+", r"font: \1 var(--font, sans-serif)", tag)
    # without a size of its own the figure follows the page's width
    return re.sub(r' (?:width|height)="[\d.]+pt"', "", tag) if tag.startswith("<svg") else tag
