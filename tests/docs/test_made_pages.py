"""What is made from the code is what today's code makes: docs/methods/, the lists in READMEs and architecture."""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import pages

from transfermap.card import find, keys, tools

ROOT = Path(__file__).parents[2]


def test_the_pages_are_fresh():
    stale = [name for name, text in pages.made().items() if not _is(ROOT / name, text)]
    assert not stale, "run: python scripts/pages.py"


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf8") == text


def test_a_page_for_each_method_and_tool_and_none_besides():
    there = {path.stem for path in (ROOT / "docs" / "methods").glob("*.md")}
    assert there == {*keys(), *tools(), "README"}


def test_every_method_stands_in_both_readmes():
    for lang in ("en", "zh"):
        table = pages.families(lang)
        assert all(name in table for name in [*(find(k).__name__ for k in keys()), *(t.name for t in tools().values())])


def test_a_page_holds_what_the_card_says():
    card = find("coral").card
    text = pages.page(card)
    assert card.objective in text and all(a in text for a in card.assumes + card.fails_when) and card.doi in text
    assert "`" not in text.splitlines()[2] and "reg" in text


def test_every_folder_says_what_it_is_for():
    lines = pages.rooms().splitlines()[2:]
    assert len(lines) > 25 and all(line.split("|")[2].strip() for line in lines)


def test_every_command_and_its_options_stand_on_the_page():
    text = pages.cli_page.page()
    assert "### `transfermap adapt`" in text and "### `transfermap bench run`" in text
    assert all(option in text for option in ("`--budget`", "`--labelled-target`", "`--learn`"))


def test_the_shapes_are_where_the_architecture_says():
    rows = re.findall(
        r"^\| (`[^|]+) \| [^|]+ \| (`[^|]+) \|$", (ROOT / "docs" / "architecture.md").read_text("utf8"), re.M
    )
    assert len(rows) > 15
    for names, places in rows:
        files = [ROOT / "src" / "transfermap" / place for place in re.findall(r"`([^`]+)`", places)]
        text = "".join(f.read_text("utf8") for file in files for f in (file.rglob("*.py") if file.is_dir() else [file]))
        assert all(re.search(rf"^(class|def) {name}\b", text, re.M) for name in re.findall(r"`(\w+)`", names)), names
