"""The commands. Each reads its arguments, calls one function of the library, and shows what came of it.

Heavy imports stand inside the commands, so that ``transfermap --help`` is there at once.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from transfermap.advise_cli import advise
from transfermap.bench_cli import bench
from transfermap.console import command, console, lenient_streams, progress, say_json, seconds, write_text
from transfermap.options import AsJson, Debug, Domain, Kind, Label, Lang, Overwrite, Source, Target, one_table
from transfermap.words import Note

app = typer.Typer(
    name="transfermap",
    help="Can I use table A on table B, which method, and did it help? Transfer learning with a verdict.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
app.add_typer(bench)
Tables = Annotated[list[Path], typer.Argument(help="SOURCE TARGET, or one table with --domain.", metavar="A [B]")]
Group = Annotated[str | None, typer.Option(help="Column whose rows belong together (a patient, a machine).")]
Seed = Annotated[int, typer.Option(help="Seed; the same seed gives the same answer.")]


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
    if one_table(tables, source, domain, target):
        return Task.from_table(tables[0], domain=domain or "", target=target, **more)
    return Task.from_files([*tables[:-1], *(source or [])], tables[-1], **more)


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        from transfermap._version import __version__

        typer.echo(f"transfermap {__version__}")
        raise typer.Exit


@command(app, "map", "transfermap map --setting transductive")
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
        say_json(cardview.card_json(found)) if as_json else console().print(cardview.card_text(found, lang))
        return
    chosen = select(entries(), setting=setting, labels=labels, needs=needs, built=built)
    kinds: dict[str, Callable[[], str]] = {
        "html": lambda: mapview.html(chosen, lang),
        "svg": lambda: mapsvg.svg(chosen, lang),
        "json": lambda: to_json(chosen),
    }
    kind = "json" if as_json else format
    if kind == "text" and output is None:
        console().print(mapview.terminal(chosen, lang))
        return
    if kind not in kinds:
        raise ValueError(f"--format must be {', '.join(kinds)} for a file, or text for the terminal; got {kind!r}")
    typer.echo(kinds[kind]()) if output is None else write_text(output, kinds[kind](), overwrite)


command(app, "advise", "transfermap advise last_year.csv this_year.csv --label churned -o advice.html")(advise)


@command(app, "check", "transfermap check last_year.csv this_year.csv --label churned")
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
    from transfermap.verdict.check import check as compare

    with progress(as_json) as tick:
        tick("reading the tables")
        task = _task(tables, label, source, domain, target, group, kind)
        tick("comparing them")
        found = compare(task, seed).to_dict()
    if as_json:
        say_json(found)
    else:
        console().print(check_view(found | {"notes": [*found["notes"], *found["reading"]]}, lang))


@command(app, "adapt", "transfermap adapt last_year.csv this_year.csv --label churned -o run1")
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
    net: Annotated[
        str, typer.Option(help="What deep methods train: mlp, dense, lenet, resnet; auto: lenet on square pictures.")
    ] = "auto",
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
    limit = seconds(budget)
    with progress(as_json) as tick:
        tick("reading the tables")
        task = _task(tables, label, source, domain, target, group, kind, target_labels)
        how: dict[str, Any] = {"method": method or "auto", "estimator": estimator, "net": net}
        run = run_adapt(task, **how, seed=seed, budget=limit, tick=tick)
        run.record["command"] = shlex.join(["transfermap", *sys.argv[1:]])
        tick("writing the run")
        run.save(output, overwrite=overwrite)
    _show_run(run, lang, as_json)
    if not as_json:
        typer.echo(f"The run is in {output}. Next: transfermap report {output}, or label {output / 'label_me.csv'}")


def _show_run(run: Any, lang: str, as_json: bool) -> None:
    from transfermap.report.terminal import leaderboard_table, truth_view, verdict_panel

    if as_json:
        say_json(run.record)
        return
    screen = console()
    screen.print(leaderboard_table(run.record, lang))
    screen.print(verdict_panel(run.record, lang))
    if run.record.get("truth"):
        screen.print(truth_view(run.record["truth"], lang))


@command(app, "predict", "transfermap predict run1 new_rows.parquet -o predictions.csv")
def predict(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    table: Annotated[Path, typer.Argument(help="New target rows.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="CSV file for the predictions.")],
    method: Annotated[str | None, typer.Option(help="Another method of the run than the verdict's.")] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Predict new rows with a run's model, without refitting; marks rows far from anything seen."""
    from transfermap.predict import predict_file
    from transfermap.run import load_run

    if output.exists() and not overwrite:
        raise ValueError(f"{output} exists already; give another name, or --overwrite to replace it")
    loaded = load_run(run)
    with progress(as_json) as tick:
        done = predict_file(loaded, table, output, method, lambda n: tick(f"{n:,} rows"))
    if as_json:
        say_json(done)
        return
    typer.echo(
        f"{done['rows']:,} rows predicted by {done['method']}, {done['far']:,} of them far from anything seen: {output}"
    )
    for note in done["notes"]:
        typer.echo(f"- {Note(**note).say()}")


@command(app, "verify", "transfermap verify run1 run1/label_me.csv")
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
    say_json(truth) if as_json else console().print(truth_view(truth, lang))


@command(app, "report", "transfermap report run1 --lang zh")
def report(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="HTML file; run/report.html if not given.")
    ] = None,
    lang: Lang = "en",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """The run as one HTML page that needs no network."""
    from transfermap.io import whole_file
    from transfermap.run import load_run

    page = load_run(run).report(lang=lang)
    path = output or run / ("report.html" if lang == "en" else f"report.{lang}.html")
    with whole_file(path) as part:
        part.write_text(page, encoding="utf8")
    if as_json:
        say_json({"report": str(path), "lang": lang})
    else:
        typer.echo(f"wrote {path}")


@command(app, "demo", "transfermap demo")
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
    from transfermap.run import check_place

    check_place(output, overwrite=True)
    with progress(as_json) as tick:
        tick("reading the digits")
        task = digits_task()
        run = run_adapt(task, seed=seed, budget=seconds(budget), tick=tick)
        run.record["command"] = shlex.join(["transfermap", "demo", "-o", str(output)])
        run.save(output, overwrite=True)
        run.report(output / "report.html", lang)
    _show_run(run, lang, as_json)
    if not as_json:
        typer.echo(f"The report: {output / 'report.html'}")


def main() -> None:
    """The console script."""
    lenient_streams()
    app()


if __name__ == "__main__":
    main()
