"""``transfermap map``: the tree of methods, whole or in part, and one method's card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from transfermap.cli.console import console, say_json, write_text
from transfermap.cli.options import (
    AsJson,
    Debug,
    LabelSets,
    Lang,
    Overwrite,
)
from transfermap.messages.choices import choose


def map_(
    key: Annotated[str | None, typer.Argument(help="A method's key: print its card.")] = None,
    setting: Annotated[
        str | None, typer.Option(help="Which labels exist: transductive, inductive or unsupervised.", metavar="WORD")
    ] = None,
    label_sets: LabelSets = None,
    needs: Annotated[
        str | None, typer.Option(help="What a method needs, such as 'target labels', or 'nothing'.", metavar="WORD")
    ] = None,
    reads: Annotated[
        str | None,
        typer.Option(help="Whose labels the method itself reads: none, source, target or both.", metavar="WORD"),
    ] = None,
    built: Annotated[
        bool | None, typer.Option("--built/--planned", help="Only what runs today, or only the rest.")
    ] = None,
    format: Annotated[str, typer.Option(help="text, html, svg or json.", metavar="FORMAT")] = "text",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write to this file.")] = None,
    lang: Lang = "en",
    as_json: AsJson = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """The map of transfer learning: every method by what is transferred and how; one method's card."""
    from transfermap.map import entries, lookup, select, to_json
    from transfermap.report.console import card_view as cardview
    from transfermap.report.pages import map_view as mapview
    from transfermap.report.plots import map_svg as mapsvg

    if key is not None:
        found = lookup(key)
        say_json(cardview.card_json(found)) if as_json else console().print(cardview.card_text(found, lang))
        return
    chosen = select(entries(), setting=setting, label_sets=label_sets, needs=needs, built=built, reads=reads)
    kinds: dict[str, Callable[[], str]] = {
        "html": lambda: mapview.html(chosen, lang),
        "svg": lambda: mapsvg.svg(chosen, lang),
        "json": lambda: to_json(chosen),
    }
    kind = "json" if as_json else choose("--format", format, ("text", *kinds))
    if kind == "text" and output is None:
        console().print(mapview.terminal(chosen, lang))
        return
    if kind == "text":
        raise ValueError(f"--format must be {', '.join(kinds)} for a file; text is for the terminal")
    typer.echo(kinds[kind]()) if output is None else write_text(output, kinds[kind](), overwrite)
