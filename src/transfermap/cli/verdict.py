"""How a run is shown once it is made."""

from __future__ import annotations

from typing import Any

from transfermap.cli.console import console, say_json


def show_run(run: Any, lang: str, as_json: bool) -> None:
    from transfermap.report.console.terminal import leaderboard_table, truth_view, verdict_panel

    if as_json:
        say_json(run.record.to_dict())
        return
    screen = console()
    screen.print(leaderboard_table(run.record, lang))
    screen.print(verdict_panel(run.record, lang))
    if run.record.truth is not None:
        screen.print(truth_view(run.record.truth, lang))
