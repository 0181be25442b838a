"""Write the pages, and parts of pages, that are made from the code.

    python scripts/pages.py

From the cards of methods and tools: docs/methods/, a page each with the rows that ``transfermap map KEY`` prints, an
index by family, and the list in both READMEs. From the commands: docs/cli.md. From the docstrings of the package's
folders and from the architecture test: the lists in docs/architecture.md. tests/docs/test_made_pages.py fails where a
file is not what this makes of today's code.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import cli_page

from transfermap.card import Card, cards, tools
from transfermap.map import Entry, entries
from transfermap.report.console.card_view import Row, Written, card_rows
from transfermap.report.map_words import family_does, family_title, said

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from write import replaced

ROOT = Path(__file__).resolve().parents[1]

HEADS = {"en": ("family", "methods", "needs"), "zh": ("类别", "方法", "另需")}
READMES = {"en": "README.md", "zh": "README.zh.md"}
TREE = "docs/architecture.md"
MADE = "<!-- made by scripts/pages.py -->"


def made() -> dict[str, str]:
    """The text of every file that is made, by its path in the repository."""
    built = [*cards(), *(tool.card for tool in tools().values())]
    pages = {f"docs/methods/{card.key}.md": page(card) for card in built}
    listed = {
        name: replaced((ROOT / name).read_text("utf8"), "methods", families(lang)) for lang, name in READMES.items()
    }
    tree = replaced(replaced((ROOT / TREE).read_text("utf8"), "rooms", rooms()), "layers", layers())
    own = {"docs/methods/README.md": index(), "docs/cli.md": f"{MADE}\n\n{cli_page.page()}", TREE: tree}
    return pages | own | listed


def page(card: Card) -> str:
    """The card of a method or tool as a page."""
    rows = "\n\n".join(_section(row) for row in card_rows(card))
    return f"{MADE}\n\n# {Written.of(card.key).name}: {card.name} ({card.year})\n\n{rows}\n"


def _section(row: Row) -> str:
    # code and mathematics stand as they are; what is already a list stays one; lines of their own stay apart
    if row.code:
        return f"## {row.label}\n\n```text\n" + "\n".join(row.lines) + "\n```"
    is_list = all(line.startswith(("- ", *"123456789")) for line in row.lines)
    text = ("\n" if is_list else "\n\n").join(row.lines)
    return f"## {row.label}\n\n" + re.sub(r":math:`(.+?)`", r"$\1$", text)


def by_family() -> dict[str, list[Entry]]:
    """The methods that are built, by family, in the map's order."""
    found: dict[str, list[Entry]] = {}
    for e in entries():
        if e.built:
            found.setdefault(e.family, []).append(e)
    return found


def index() -> str:
    """All methods by family, each with a link to its page."""
    parts = [f"{MADE}\n\n# Methods\n\n`transfermap map` prints this as a tree, `transfermap map KEY` a page of it."]
    for family, found in by_family().items():
        lines = [
            f"- [{Written.of(e.key).name}]({e.key}.md): {e.name}, {e.year}"
            + (f" (needs {', '.join(said('need', n, 'en') for n in e.needs)})" if e.needs else "")
            for e in found
        ]
        parts.append(f"## {family_title(family, 'en')}\n\n{family_does(family, 'en')}\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def families(lang: str) -> str:
    """A table of families: the classes of its methods, and what all of them need beyond rows and source labels."""
    rows = []
    for family, found in by_family().items():
        names = ", ".join(Written.of(e.key).name for e in found)
        needs = ", ".join(said("need", n, lang) for n in found[0].needs if all(n in e.needs for e in found))
        rows.append(f"| {family_title(family, lang)} | {names} | {needs} |")
    return "\n".join([f"| {' | '.join(HEADS[lang])} |", "|---|---|---|", *rows])


def rooms() -> str:
    """The folders of the package, each with what its docstring says of it; families of methods are left to the map."""
    top = ROOT / "src" / "transfermap"
    found = [path.parent for path in top.rglob("__init__.py") if path.parent.parent.name != "methods"]
    lines = [f"| {_name(folder)} | {_first_line(folder / '__init__.py')} |" for folder in sorted(found)[1:]]
    files = [f"| `{path.name}` | {_first_line(path)} |" for path in sorted(top.glob("*.py")) if path.name[0] != "_"]
    return "\n".join(["| | |", "|---|---|", *files, *lines])


def _name(folder: Path) -> str:
    parts = folder.relative_to(ROOT / "src" / "transfermap").parts
    return "&nbsp;&nbsp;" * (len(parts) - 1) + f"`{parts[-1]}/`"


def layers() -> str:
    """The rooms from the lowest to the highest, as the architecture test holds them."""
    tree = ast.parse((ROOT / "tests" / "house" / "test_architecture.py").read_text("utf8"))
    found = next(n.value for n in tree.body if isinstance(n, ast.Assign) and _targets(n) == ["LAYERS"])
    return "\n".join(f"{i}. `{'`, `'.join(names)}`" for i, names in enumerate(ast.literal_eval(found), 1))


def _targets(node: ast.Assign) -> list[str]:
    return [t.id for t in node.targets if isinstance(t, ast.Name)]


def _first_line(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text("utf8"))) or ""
    return " ".join(doc.split("\n\n")[0].split())


def main() -> None:
    files = made()
    for old in (ROOT / "docs" / "methods").glob("*.md"):
        if f"docs/methods/{old.name}" not in files:
            old.unlink()
    for name, text in files.items():
        path = ROOT / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf8")


if __name__ == "__main__":
    main()
