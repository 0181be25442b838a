"""The map as an image: a tree that grows from left to right, in one self-contained SVG."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from unicodedata import east_asian_width

from transfermap.map import Entry, counts, tree
from transfermap.messages import say
from transfermap.report.map_words import family_title, legend, tags

SIZE = {
    "root": 17.0,
    "what": 15.0,
    "family": 13.5,
    "built": 13.0,
    "planned": 13.0,
    "note": 11.5,
    "head": 22.0,
    "small": 12.0,
}
ROW, GAP, MARGIN, ARM, MARK = 21.0, 10.0, 24.0, 48.0, 15.0  # pixels
LEAF = 3  # levels below the root: what is transferred, family, method
BOLD = ("root", "what", "family", "head")

STYLE = """
svg{background:#fff}
text{fill:#1b2733;font-family:system-ui,"Segoe UI","Helvetica Neue",Arial,"PingFang SC","Microsoft YaHei",sans-serif}
path{fill:none;stroke:#c3ccd6;stroke-width:1.2}
.head,.root,.what,.family,.key{font-weight:bold}
.planned,.note,.small{fill:#5b6875}
.built{fill:#0b5d3b}
circle.built{fill:#12875a;stroke:#12875a;stroke-width:1.5}
circle.planned{fill:none;stroke:#7d8a97;stroke-width:1.5}
@media(prefers-color-scheme:dark){
svg{background:#12181f}
text{fill:#e6ebf0}
path{stroke:#3a4652}
.planned,.note,.small{fill:#9aa7b4}
.built{fill:#5fd3a2}
circle.built{fill:#3fbf8a;stroke:#3fbf8a}
}
"""
FADED = ' class="faded"'
LIT = "path:not(.faded){stroke:#12875a;stroke-width:2}.faded{opacity:.4}"


@dataclass(slots=True)
class _Node:
    """A label at (x, y) and what grows from it; ``key`` stands before it in bold, ``note`` in the last column."""

    text: str
    kind: str
    children: list[_Node] = field(default_factory=list)
    key: str = ""
    note: str = ""
    lit: bool = True
    x: float = 0.0
    y: float = 0.0

    @property
    def width(self) -> float:
        mark = MARK if self.kind in ("built", "planned") else 0.0
        return mark + _width(self.key, self.kind, bold=True) + _width(self.text, self.kind, bold=self.kind in BOLD)


def svg(found: Iterable[Entry], lang: str = "en", lit: Collection[str] | None = None, about: Sequence[str] = ()) -> str:
    """Draw the map as SVG: nothing but text, lines and circles, in generic fonts.

    Parameters
    ----------
    found : iterable of Entry
    lang : {"en", "zh"}
    lit : collection of str, optional
        Keys of methods: all else is faded, but for the branches that lead to them.
    about : sequence of str
        Lines below the title.

    Examples
    --------
    >>> from transfermap.map import entries
    >>> svg(entries()).startswith("<svg ")
    True
    """
    found = list(found)
    root, key = _nodes(found, lang), _key(found, lang, about)
    if lit is not None:
        _fade(root, lit)
    columns = _columns(root)
    bottom = _place(root, columns, 0, key[-1].y + 34) + MARGIN
    parts = [n for level in range(LEAF + 1) for n in _level(root, level)]
    notes = [_Node(n.note, "note", lit=n.lit, x=columns[-1], y=n.y) for n in parts if n.note]
    labels = [*key, *parts, *notes]
    width = max(n.x + n.width for n in labels) + MARGIN
    arms = [_arm(n, child) for n in parts for child in n.children]
    return "\n".join(
        [_open(width, bottom, say("map.title", lang), lit is not None), *arms, *map(_label, labels), "</svg>\n"]
    )


def _nodes(found: list[Entry], lang: str) -> _Node:
    return _Node(
        say("map.root", lang),
        "root",
        [
            _Node(
                say(f"map.transfers_{what}", lang),
                "what",
                [
                    _Node(family_title(f, lang), "family", [_leaf(e, lang) for e in methods])
                    for f, methods in families.items()
                ],
            )
            for what, families in tree(found).items()
        ],
    )


def _leaf(e: Entry, lang: str) -> _Node:
    kind = "built" if e.built else "planned"
    return _Node(f"{e.name}, {e.year}", kind, key=e.key, note=" · ".join(tags(e, lang)))


def _fade(node: _Node, lit: Collection[str]) -> bool:
    """Light what is in ``lit`` and what leads there; returns whether that is anything."""
    below = [_fade(child, lit) for child in node.children]
    node.lit = node.key in lit or any(below)
    return node.lit


def _key(found: list[Entry], lang: str, about: Sequence[str]) -> list[_Node]:
    """Title, counts, and what the marks and the words mean, one below the other."""
    lines = [
        (say("map.title", lang), "head"),
        *((line, "family") for line in about),
        (say("map.count", lang, **counts(found)), "small"),
    ]
    lines += [(say(f"map.legend_{state}", lang), state) for state in ("built", "planned")]
    lines += [(line, "small") for line in legend(found, lang)]
    return [_Node(text, kind, x=MARGIN, y=MARGIN + 12 + i * 19 + 8 * (i > 0)) for i, (text, kind) in enumerate(lines)]


def _level(node: _Node, depth: int) -> list[_Node]:
    return [node] if depth == 0 else [n for child in node.children for n in _level(child, depth - 1)]


def _columns(root: _Node) -> list[float]:
    """Where each level of the tree starts, and behind the last one the notes: right of the widest label before it."""
    starts = [MARGIN]
    for depth in range(LEAF + 1):
        widest = max((n.width for n in _level(root, depth)), default=0.0)
        starts.append(starts[-1] + widest + (ARM if depth < LEAF else MARGIN))
    return starts


def _place(node: _Node, columns: list[float], depth: int, top: float) -> float:
    """Give the node and all that grows from it a place below ``top``; returns where the next one may start."""
    node.x, node.y, end = columns[depth], top + ROW / 2, top + ROW
    if node.children:
        end = top
        for child in node.children:
            end = _place(child, columns, depth + 1, end)
        node.y = (node.children[0].y + node.children[-1].y) / 2
    return end + (GAP if depth in (1, 2) else 0.0)


# Widths in em, from a wide face and rounded up, so that labels have room in any face
_EM = dict.fromkeys("mwMW@", 0.99) | dict.fromkeys("iljI.,:;'|!", 0.34) | dict.fromkeys("ftr-() ", 0.42)


def _width(text: str, kind: str, *, bold: bool) -> float:
    """A bound in pixels on how wide a label gets in a common sans-serif face."""
    # no font can be measured here: the reader's browser chooses one
    em = sum(1.0 if east_asian_width(c) in "WF" else _EM.get(c, 0.72 if c.isupper() else 0.61) for c in text)
    return em * SIZE[kind] * (1.14 if bold else 1.0) + (SIZE[kind] if text else 0.0) / 2


def _arm(node: _Node, child: _Node) -> str:
    """From the label's end level to the fork, then in a curve to the child."""
    fork, end = child.x - ARM + 4, child.x - 5
    middle = (fork + end) / 2
    return (
        f'<path{"" if child.lit else FADED} d="M{node.x + node.width + 3:.1f} {node.y:.1f}H{fork:.1f}'
        f'C{middle:.1f} {node.y:.1f} {middle:.1f} {child.y:.1f} {end:.1f} {child.y:.1f}"/>'
    )


def _label(n: _Node) -> str:
    size, marked = SIZE[n.kind], n.kind in ("built", "planned")
    mark = f'<circle class="{n.kind}" cx="{n.x + 5:.1f}" cy="{n.y:.1f}" r="4.5"/>' if marked else ""
    key = f'<tspan class="key">{escape(n.key)}</tspan>&#160; ' if n.key else ""
    # 0.36 of the font's size below the middle: text stands on its base line
    at = f'x="{n.x + MARK * marked:.1f}" y="{n.y + size * 0.36:.1f}" font-size="{size:g}"'
    label = f'{mark}<text class="{n.kind}" {at}>{key}{escape(n.text)}</text>'
    return label if n.lit else f"<g{FADED}>{label}</g>"


def _open(width: float, height: float, name: str, lit: bool) -> str:
    w, h = round(width), round(height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img">'
        f"<title>{escape(name)}</title><style>{STYLE}{LIT if lit else ''}</style>"
    )
