"""The commands. Each reads its arguments, calls one function of the library, and shows what came of it.

Heavy imports stand inside the commands, so that ``transfermap --help`` is there at once.
"""

from __future__ import annotations

import functools
import json
import math
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

app = typer.Typer(
    name="transfermap",
    help="Can I use table A on table B, which method, and did it help? Transfer learning with a verdict.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
F = TypeVar("F", bound=Callable[..., Any])

Tables = Annotated[list[Path], typer.Argument(help="SOURCE TARGET, or one table with --domain.", metavar="A [B]")]
Label = Annotated[str | None, typer.Option(help="Column to predict (a name, or a number counted from 0).")]
Source = Annotated[list[Path] | None, typer.Option(help="A further source table; may be given several times.")]
Domain = Annotated[str | None, typer.Option(help="One table: the column that names each row's domain.")]
Target = Annotated[str | None, typer.Option(help="One table: the value of --domain that is the target.")]
Group = Annotated[
    str | None, typer.Option(help="Column whose rows belong together (a patient, a machine); no feature.")
]
Kind = Annotated[str | None, typer.Option("--task", help="classification or regression; inferred if not given.")]
Seed = Annotated[int, typer.Option(help="Seed; the same seed gives the same answer.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Lang = Annotated[str, typer.Option(help="Language: en or zh.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


def command(name: str, example: str) -> Callable[[F], F]:
    """A command with an example in its help, whose errors are one sentence and an exit code: 2 bad input, 1 anything else."""

    def mark(function: F) -> F:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            debug = kwargs.get("debug", False)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("default" if debug else "ignore")
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
        app.command(name)(guarded)
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
    typer.echo(f"transfermap: {sentence}", err=True)


def _stop_quietly() -> None:
    """Whoever read our output has gone (``transfermap map | head``): there is nobody to tell."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(0)


def _say_json(data: Any) -> None:
    typer.echo(json.dumps(_finite(data), ensure_ascii=False, indent=1, allow_nan=False))


def _finite(data: Any) -> Any:
    """JSON has no infinity and no NaN: they become null."""
    if isinstance(data, dict):
        return {str(k): _finite(v) for k, v in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(v) for v in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data.item() if hasattr(data, "item") else data


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Something that moves on the error channel while work goes on, where somebody is looking."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        line = bar.add_task("starting", total=None)
        yield lambda text: bar.update(line, description=text)


def _seconds(budget: str) -> float:
    """``90``, ``90s``, ``2m`` or ``1h`` in seconds."""
    unit = {"s": 1, "m": 60, "h": 3600}.get(budget[-1:].lower(), 0)
    try:
        seconds = float(budget[:-1]) * unit if unit else float(budget)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError(f"--budget must be a time such as 90s, 2m or 1h; got {budget!r}")
    return seconds


def _task(
    tables: list[Path],
    label: str | None,
    source: list[Path] | None,
    domain: str | None,
    target: str | None,
    group: str | None,
    kind: str | None,
    target_labels: Path | None = None,
) -> Any:
    from transfermap.data.task import Task

    if not label:
        raise ValueError("--label is missing: say which column is to be predicted")
    if kind not in (None, "classification", "regression"):
        raise ValueError(f"--task must be classification or regression; got {kind!r}")
    more: dict[str, Any] = {"label": label, "group": group, "target_labels": target_labels, "kind": kind}
    if domain is not None or target is not None:
        if domain is None or target is None or len(tables) != 1 or source:
            raise ValueError("one table with several domains needs one file, --domain COLUMN and --target VALUE")
        return Task.from_table(tables[0], domain=domain, target=target, **more)
    sources = [*(source or []), *tables[:-1]]
    if not sources or len(tables) > 2:
        raise ValueError(f"expected two tables, SOURCE TARGET, or one with --domain and --target; got {len(tables)}")
    return Task.from_files(sources, tables[-1], **more)


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        from transfermap._version import __version__

        typer.echo(f"transfermap {__version__}")
        raise typer.Exit


@command("map", "transfermap map --setting transductive")
def map_(
    key: Annotated[str | None, typer.Argument(help="A method: print its card.")] = None,
    setting: Annotated[str | None, typer.Option(help="transductive, inductive or unsupervised.")] = None,
    labels: Annotated[str | None, typer.Option(help="closed, partial, open or disjoint label sets.")] = None,
    needs: Annotated[
        str | None, typer.Option(help="What a method needs, such as 'target labels', or 'nothing'.")
    ] = None,
    built: Annotated[
        bool | None, typer.Option("--built/--planned", help="Only what runs today, or only the rest.")
    ] = None,
    format: Annotated[str, typer.Option(help="text, html, svg or json.")] = "text",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write to this file.")] = None,
    lang: Lang = "en",
    as_json: AsJson = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """The map of transfer learning: what is transferred, how, by which method; what runs today and what is planned."""
    from transfermap.map import entries, lookup, select, to_json
    from transfermap.report import cardview, mapsvg, mapview

    if key is not None:
        found = lookup(key)
        _say_json(cardview.card_json(found)) if as_json else _console().print(cardview.card_text(found, lang))
        return
    chosen = select(entries(), setting=setting, labels=labels, needs=needs, built=built)
    kinds: dict[str, Callable[[], str]] = {
        "html": lambda: mapview.html(chosen, lang),
        "svg": lambda: mapsvg.svg(chosen, lang),
        "json": lambda: to_json(chosen),
    }
    kind = "json" if as_json else format
    if kind == "text" and output is None:
        _console().print(mapview.terminal(chosen, lang))
        return
    if kind not in kinds:
        raise ValueError(f"--format must be {', '.join(kinds)} for a file, or text for the terminal; got {kind!r}")
    typer.echo(kinds[kind]()) if output is None else _write(output, kinds[kind](), overwrite)


def _write(path: Path, text: str, overwrite: bool) -> None:
    from transfermap.io import whole_file

    if path.exists() and not overwrite:
        raise ValueError(f"{path} exists already; give another name, or --overwrite to replace it")
    with whole_file(path) as part:
        part.write_text(text, encoding="utf8")
    typer.echo(f"wrote {path}", err=True)


@command("check", "transfermap check last_year.csv this_year.csv --label churned")
def check(
    tables: Tables,
    label: Label = None,
    source: Source = None,
    domain: Domain = None,
    target: Target = None,
    group: Group = None,
    kind: Kind = None,
    seed: Seed = 0,
    lang: Lang = "en",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """What differs between the two tables, before any training, and what cannot be known without target labels."""
    from transfermap.report.terminal import check_view
    from transfermap.verdict import check as checking

    with _progress(as_json) as tick:
        tick("reading the tables")
        task = _task(tables, label, source, domain, target, group, kind)
        tick("comparing them")
        encoder, data = checking.encode(task, seed)
        found = checking.check_encoded(task, encoder, data, seed).to_dict()
    found["notes"] = [
        n.to_dict() if hasattr(n, "to_dict") else n for n in (*found["notes"], *task.notes, *encoder.notes)
    ]
    _say_json(found) if as_json else _console().print(check_view(found, lang))


@command("adapt", "transfermap adapt last_year.csv this_year.csv --label churned -o run1")
def adapt(
    tables: Tables,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the run.")],
    label: Label = None,
    source: Source = None,
    domain: Domain = None,
    target: Target = None,
    method: Annotated[
        list[str] | None, typer.Option(help="auto, or the key of a method; several times for several.")
    ] = None,
    estimator: Annotated[
        str | None,
        typer.Option(help="logistic, forest, boosting, svm, knn or ridge; what is trained after the method."),
    ] = None,
    budget: Annotated[str, typer.Option(help="Time for gathering evidence: 90s, 2m, 1h.")] = "2m",
    group: Group = None,
    target_labels: Annotated[
        Path | None,
        typer.Option(
            help="A few labelled target rows. Never read by training or the verdict; scores are shown beside it."
        ),
    ] = None,
    kind: Kind = None,
    seed: Seed = 0,
    lang: Lang = "en",
    as_json: AsJson = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Try methods, weigh the evidence without target labels, and give a verdict: use METHOD, stay, or can't tell."""
    from transfermap.run import adapt as run_adapt
    from transfermap.run import check_place

    check_place(output, overwrite)
    seconds = _seconds(budget)
    with _progress(as_json) as tick:
        tick("reading the tables")
        task = _task(tables, label, source, domain, target, group, kind, target_labels)
        run = run_adapt(task, method=method or "auto", estimator=estimator, seed=seed, budget=seconds, tick=tick)
        run.record["command"] = shlex.join(["transfermap", *sys.argv[1:]])
        tick("writing the run")
        run.save(output, overwrite=overwrite)
    _show_run(run, lang, as_json)
    if not as_json:
        typer.echo(f"The run is in {output}. Next: transfermap report {output}, or label {output / 'label_me.csv'}")


def _show_run(run: Any, lang: str, as_json: bool) -> None:
    from transfermap.report.terminal import leaderboard_table, truth_view, verdict_panel

    if as_json:
        _say_json(run.record)
        return
    console = _console()
    console.print(leaderboard_table(run.record, lang))
    console.print(verdict_panel(run.record, lang))
    if run.record.get("truth"):
        console.print(truth_view(run.record["truth"], lang))


@command("predict", "transfermap predict run1 new_rows.parquet -o predictions.csv")
def predict(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    table: Annotated[Path, typer.Argument(help="New target rows.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="CSV file for the predictions.")],
    method: Annotated[str | None, typer.Option(help="Another method of the run than the verdict's.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Predict new rows with a run's model, without refitting; marks rows far from anything seen. Large files are streamed."""
    from transfermap.predict import predict_file
    from transfermap.run import load_run

    if output.exists() and not overwrite:
        raise ValueError(f"{output} exists already; give another name, or --overwrite to replace it")
    loaded = load_run(run)
    with _progress(as_json) as tick:
        done = predict_file(loaded, table, output, method, lambda n: tick(f"{n:,} rows"))
    if as_json:
        _say_json(done)
        return
    typer.echo(
        f"{done['rows']:,} rows predicted by {done['method']}, {done['far']:,} of them far from anything seen: {output}"
    )


@command("verify", "transfermap verify run1 run1/label_me.csv")
def verify(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    labelled: Annotated[Path, typer.Argument(help="Target rows with their label: the columns, or the row numbers.")],
    lang: Lang = "en",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """The truth: scores with intervals for each method that was tried, and whether the verdict was right."""
    from transfermap.predict import verify_file
    from transfermap.report.terminal import truth_view

    truth = verify_file(run, labelled)
    _say_json(truth) if as_json else _console().print(truth_view(truth, lang))


@command("report", "transfermap report run1 --lang zh")
def report(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="HTML file; run/report.html if not given.")
    ] = None,
    lang: Lang = "en",
    debug: Debug = False,
) -> None:
    """The run as one HTML page that needs no network."""
    from transfermap.io import whole_file
    from transfermap.run import load_run

    page = load_run(run).report(lang=lang)
    path = output or run / ("report.html" if lang == "en" else f"report.{lang}.html")
    with whole_file(path) as part:
        part.write_text(page, encoding="utf8")
    typer.echo(f"wrote {path}")


@command("demo", "transfermap demo")
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the run.")] = Path("demo"),
    budget: Annotated[str, typer.Option(help="Time for gathering evidence.")] = "2m",
    seed: Seed = 0,
    lang: Lang = "en",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """The main job on real handwritten digits of two collections: verdict, the truth beside it, and the report."""
    from transfermap.data.digits import digits_task
    from transfermap.run import adapt as run_adapt

    with _progress(as_json) as tick:
        tick("reading the digits")
        task = digits_task()
        run = run_adapt(task, seed=seed, budget=_seconds(budget), tick=tick)
        run.record["command"] = shlex.join(["transfermap", *sys.argv[1:]])
        run.save(output, overwrite=True)
        run.report(output / "report.html", lang)
    _show_run(run, lang, as_json)
    if not as_json:
        typer.echo(f"The report: {output / 'report.html'}")


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
