"""The commands and their options as a page: what ``--help`` prints, made by scripts/pages.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from transfermap.cli.app import app

# every command has these; they are said once
COMMON = {
    "--lang": "the language of what is printed, en or zh",
    "--json": "print JSON for machines",
    "--overwrite": "replace files that are there already",
    "--seed": "random seed; the same seed gives the same result",
    "--debug": "show the traceback of an error",
    "--help": "print this",
}


def page() -> str:
    """All commands, in the order in which people need them, under the headings of ``transfermap --help``."""
    parts = ["# Commands", "What `transfermap --help` and `transfermap COMMAND --help` print.", _common()]
    group, shown = get_command(app), ""
    for panel, name, command in sorted(_leaves(group), key=_place(group)):
        if panel != shown:
            parts.append(f"## {panel}")
            shown = panel
        parts += [f"### `transfermap {name}`", _about(command.help), _table(command)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _leaves(group: Any) -> Iterator[tuple[str, str, Any]]:
    """Panel, name and command; of a group its commands, under the group's panel."""
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        for word, leaf in ({name: command} if inner is None else inner).items():
            yield command.rich_help_panel, name if inner is None else f"{name} {word}", leaf


def _place(group: Any) -> Any:
    panels = list(dict.fromkeys(command.rich_help_panel for command in group.commands.values()))
    return lambda leaf: panels.index(leaf[0])


def _common() -> str:
    lines = "\n".join(f"- `{option}`: {about}" for option, about in COMMON.items())
    return (
        "Exit codes: 0 done, 2 the input cannot be used (one sentence says why), 1 an error of ours. Most take\n\n"
        + lines
    )


def _about(text: str) -> str:
    said, _, example = text.partition("\n\nExample:  ")
    return said.replace("\n", " ") + (f"\n\n```text\n{example}\n```" if example else "")


def _table(command: Any) -> str:
    rows = [_row(p) for p in command.params if not COMMON.keys() & set(p.opts)]
    return "\n".join(["| | | default |", "|---|---|---|", *rows]) if rows else ""


def _row(p: Any) -> str:
    option = p.param_type_name == "option"
    name = ", ".join(f"`{o}`" for o in (*p.opts, *p.secondary_opts)) if option else f"`{p.metavar or p.name.upper()}`"
    usual = "" if p.required or p.default in (None, "", False, ()) or callable(p.default) else f"`{p.default}`"
    return f"| {name} | {(p.help or '').replace('|', chr(92) + '|')} | {'required' if p.required else usual} |"
