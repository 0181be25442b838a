"""The front page is short, says the same in both languages, and what the pages link to is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from transfermap._version import __version__

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def text(name):
    return (ROOT / name).read_text("utf8")


def code_only(block):
    """A fenced block without its comments, and without the flag that asks for Chinese."""
    return [re.sub(r"\s+#.*| --lang zh", "", line).rstrip() for line in block.splitlines()]


def test_the_readme_is_short():
    assert len(text("README.md").split()) <= 900


def test_both_languages_show_the_same():
    en, zh = text("README.md"), text("README.zh.md")
    for part in (r"^#+ ", r"^\|", r"^!\[", r"^<!-- "):
        assert len(re.findall(part, en, re.M)) == len(re.findall(part, zh, re.M)), part
    blocks = [re.findall(r"```\w*\n(.*?)```", page, re.S) for page in (en, zh)]
    assert [code_only(b) for b in blocks[0]] == [code_only(b) for b in blocks[1]]
    numbers = [sorted(re.findall(r"\d+\.\d+", re.sub(r"(?s)```.*?```", "", page))) for page in (en, zh)]
    assert numbers[0] == numbers[1]
    links = [{link for link in LINK.findall(page) if not link.startswith("README")} for page in (en, zh)]
    assert links[0] == links[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for link in LINK.findall(re.sub(r"(?s)```.*?```", "", page.read_text("utf8"))):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def anchors(page):
    """The anchors that GitHub gives to a page's headings."""
    heads = re.findall(r"^#+ (.+)$", page.read_text("utf8"), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_citation_has_todays_version_and_licence():
    fields = dict(re.findall(r"^([\w-]+): (.+)$", text("CITATION.cff"), re.M))
    assert fields["version"] == __version__
    assert fields["license"] == tomllib.loads(text("pyproject.toml"))["project"]["license"]
