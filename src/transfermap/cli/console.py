"""What every command shares: how an error is told, how JSON is printed, and what moves while work goes on."""

from __future__ import annotations

import functools
import io
import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import typer

from transfermap.messages import language

F = TypeVar("F", bound=Callable[..., Any])


def command(app: typer.Typer, name: str, example: str, panel: str | None = None) -> Callable[[F], F]:
    """A command with an example in its help, under the heading ``panel``.

    Its errors are one sentence and exit code 2 (bad input) or 1.
    """

    def mark(function: F) -> F:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            debug = kwargs.get("debug", False)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("default" if debug else "ignore")
                    # an unknown language is refused before the work, not after
                    if "lang" in kwargs:
                        kwargs["lang"] = language(kwargs["lang"])
                    return function(*args, **kwargs)
            except (typer.Exit, typer.Abort):
                raise
            except BrokenPipeError:
                _stop_quietly()
            except Exception as error:
                if debug:
                    raise
                raise _refusal(error) from None
            except KeyboardInterrupt:
                _complain("stopped; nothing was written")
                raise typer.Exit(130) from None

        guarded.__doc__ = (function.__doc__ or "") + f"\n\nExample:  {example}"
        app.command(name, rich_help_panel=panel)(guarded)
        return function

    return mark


def _refusal(error: Exception) -> typer.Exit:
    if isinstance(error, (ValueError, OSError)):
        _complain(" ".join(str(error).split()))
        return typer.Exit(2)
    if isinstance(error, MemoryError):
        _complain("out of memory; try fewer rows or columns")
        return typer.Exit(1)
    _complain(f"an error of ours ({type(error).__name__}: {' '.join(str(error).split())}); --debug shows where")
    return typer.Exit(1)


def _complain(sentence: str) -> None:
    """Say it on the error channel; names from strangers' files may hold characters that steer a terminal."""
    shown = "".join(c if c.isprintable() else "?" for c in sentence)
    typer.echo(f"transfermap: {shown}", err=True)


def _stop_quietly() -> None:
    """Whoever read our output has gone (``transfermap map | head``): there is nobody to tell."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(0)


def say_json(data: Any) -> None:
    """Print plain values for machines."""
    narrow = not (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    typer.echo(json.dumps(_finite(data), ensure_ascii=narrow, indent=1, allow_nan=False))


def _finite(data: Any) -> Any:
    """JSON has no infinity and no NaN: they become null."""
    if isinstance(data, dict):
        return {str(k): _finite(v) for k, v in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(v) for v in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data.item() if hasattr(data, "item") else data


def lenient_streams() -> None:
    """A character that the terminal's encoding lacks is shown as ``?``; it must not end a run that went well."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def console() -> Any:
    """Where results are shown."""
    from rich.console import Console

    return Console(highlight=False)


def write_text(path: Path, text: str, overwrite: bool) -> None:
    """Write a whole file, never over one that is there unless asked to."""
    from transfermap.runs.model_file import whole_file

    if path.exists() and not overwrite:
        raise ValueError(f"{path} exists already; give another name, or --overwrite to replace it")
    with whole_file(path) as part:
        part.write_text(text, encoding="utf8")
    typer.echo(f"wrote {path}", err=True)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Something that moves on the error channel while work goes on, where somebody is looking."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    screen = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True, disable=quiet or not screen.is_terminal) as bar:
        line = bar.add_task("starting", total=None)
        yield lambda text: bar.update(line, description=text)


def seconds(budget: str) -> float:
    """``90``, ``90s``, ``2m`` or ``1h`` in seconds."""
    unit = {"s": 1, "m": 60, "h": 3600}.get(budget[-1:].lower(), 0)
    try:
        seconds = float(budget[:-1]) * unit if unit else float(budget)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"--budget must be a time such as 90s, 2m or 1h; got {budget!r}")
    return seconds
