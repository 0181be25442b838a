"""The fenced blocks of a Markdown page, by section, and the commands that stand in it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

_FENCE = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]+) -->\n+)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)
_HEADING = re.compile(r"^(#+) (.+)$", re.M)


class Block(NamedTuple):
    """A fenced block; ``reason`` says why it is not run, "" where it is."""

    language: str
    text: str
    reason: str


class Section(NamedTuple):
    """What stands below one heading of the second level, with the sub-headings'."""

    page: str
    title: str
    blocks: list[Block]


def sections(path: Path, root: Path) -> list[Section]:
    """The sections of a page that hold fenced blocks."""
    text = path.read_text("utf8")
    parts = re.split(r"^## (.+)$", text, flags=re.M)
    titled = zip(["", *parts[1::2]], parts[::2], strict=True)
    page = path.relative_to(root).as_posix()
    found = [Section(page, title, blocks(part)) for title, part in titled]
    return [section for section in found if section.blocks]


def blocks(text: str) -> list[Block]:
    """All fenced blocks, in order."""
    return [Block(m["language"], m["text"], (m["reason"] or "").strip()) for m in _FENCE.finditer(text)]


def commands(block: Block) -> list[list[str]]:
    """The command lines of a shell block, as words, without comments."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def inline_code(path: Path) -> list[str]:
    """What stands between single backquotes outside of blocks."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", _FENCE.sub("", path.read_text("utf8")))
