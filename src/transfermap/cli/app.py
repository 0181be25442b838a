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

from transfermap.cli.advise import advise
from transfermap.cli.bench import bench
from transfermap.cli.console import command, console, lenient_streams, progress, say_json, seconds, write_text
from transfermap.cli.finetune import finetune, models
from transfermap.cli.inspect import look
from transfermap.cli.layers import layers
from transfermap.cli.options import (
    AsJson,
    Backbone,
    Debug,
    Domain,
    Kind,
    Label,
    Lang,
    Overwrite,
    Source,
    Target,
    Text,
    one_table,
)
from transfermap.messages import Note

app = typer.Typer(
    name="transfermap",
    help="Can I use table A on table B, which method, and did it help? Transfer learning with a verdict.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
app.add_typer(bench)
app.add_typer(models)
Tables = Annotated[
    list[Path],
    typer.Argument(help="SOURCE TARGET, or one table with --domain; folders of images too.", metavar="A [B]"),
]
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
    backbone: str | None = None,
    tick: Callable[[str], None] = lambda _: None,
) -> Any:
    from transfermap.data.images.image_files import any_images
    from transfermap.tasks.task import Task

    images = any_images([*tables, *(source or [])])
    if backbone is not None and not images:
        raise ValueError("--backbone is for folders of images, or tables that name images; got neither")
    if not label and not images:
        raise ValueError("--label is missing: say which column is to be predicted")
    if kind not in (None, "classification", "regression"):
        raise ValueError(f"--task must be classification or regression; got {kind!r}")
    more: dict[str, Any] = {"label": label, "group": group, "target_labels": target_labels, "kind": kind}
    one = one_table(tables, source, domain, target)
    if images:
        from transfermap.tasks.images import image_task, image_task_of_one

        more |= {"net": backbone or "auto", "tick": tick}
        if one:
            return image_task_of_one(tables[0], domain=domain or "", target=target, **more)
        return image_task([*tables[:-1], *(source or [])], tables[-1], **more)
    if one:
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
    from transfermap.report.console import card_view as cardview
    from transfermap.report.pages import map_view as mapview
    from transfermap.report.plots import map_svg as mapsvg

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


command(app, "layers", "transfermap layers films.csv shops.csv --text review --label verdict -o layers.svg")(layers)
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
    text: Text = "auto",
    backbone: Backbone = None,
    seed: Seed = 0,
    lang: Lang = "en",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """What differs between the two tables, before any training, and what cannot be known without target labels."""
    from transfermap.report.console.terminal import check_view
    from transfermap.verdict.check.check import check as compare

    with progress(as_json) as tick:
        tick("reading the tables")
        task = _task(tables, label, source, domain, target, group, kind, backbone=backbone, tick=tick)
        tick("comparing them")
        found = compare(task, seed, text).to_dict()
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
        str, typer.Option(help="What deep methods train: mlp, normed, dense, lenet, resnet; auto: what suits the rows.")
    ] = "auto",
    budget: Annotated[str, typer.Option(help="Time for gathering evidence: 90s, 2m, 1h.")] = "2m",
    group: Group = None,
    target_labels: Annotated[
        Path | None,
        typer.Option(help="A few labelled target rows. Not read by training or the verdict unless --learn says so."),
    ] = None,
    learn: Annotated[
        bool,
        typer.Option(help="Let methods learn from --target-labels too, judged by cross-validation on these rows."),
    ] = False,
    kind: Kind = None,
    text: Text = "auto",
    backbone: Backbone = None,
    model: Annotated[
        Path | None,
        typer.Option(help="A run whose net is adapted to the one table or folder, A, without the source."),
    ] = None,
    seed: Seed = 0,
    lang: Lang = "en",
    as_json: AsJson = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Try methods, weigh the evidence without target labels, and give a verdict: use METHOD, stay, or can't tell."""
    from transfermap.runs.folder import check_place
    from transfermap.runs.run import adapt as run_adapt

    check_place(output, overwrite)
    limit = seconds(budget)
    with progress(as_json) as tick:
        tick("reading the tables")
        if model is not None:
            others: dict[str, Any] = {"--label": label, "--source": source, "--domain": domain}
            others |= {"--estimator": estimator, "--target-labels": target_labels, "--learn": learn or None}
            run = _without_source(model, tables, others, method, seed, tick)
        else:
            task = _task(tables, label, source, domain, target, group, kind, target_labels, backbone, tick)
            how: dict[str, Any] = {"method": method or "auto", "estimator": estimator, "net": net, "text": text}
            run = run_adapt(task, **how, learn=learn, seed=seed, budget=limit, tick=tick)
        run.record["command"] = shlex.join(["transfermap", *sys.argv[1:]])
        tick("writing the run")
        run.save(output, overwrite=overwrite)
    _show_run(run, lang, as_json)
    if not as_json:
        typer.echo(f"The run is in {output}. Next: transfermap report {output}, or label {output / 'label_me.csv'}")


def _without_source(
    model: Path, tables: list[Path], others: dict[str, Any], method: list[str] | None, seed: int, tick: Any
) -> Any:
    from transfermap.runs.source_free import adapt_run

    given = [name for name, value in others.items() if value]
    if len(tables) != 1 or given:
        raise ValueError(
            "with --model expected one table or folder, the target's, and no options of a source; got "
            + ", ".join([f"{len(tables)} tables", *given])
        )
    return adapt_run(model, tables[0], method=method or "auto", seed=seed, tick=tick)


def _show_run(run: Any, lang: str, as_json: bool) -> None:
    from transfermap.report.console.terminal import leaderboard_table, truth_view, verdict_panel

    if as_json:
        say_json(run.record)
        return
    screen = console()
    screen.print(leaderboard_table(run.record, lang))
    screen.print(verdict_panel(run.record, lang))
    if run.record.get("truth"):
        screen.print(truth_view(run.record["truth"], lang))


command(app, "look", "transfermap look efficientnet-lite0 -o look1")(look)


command(app, "finetune", "transfermap finetune images --backbone efficientnet-lite0 -o run1")(finetune)


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
    from transfermap.runs.finetuned import is_tuned, predict_items
    from transfermap.runs.predict import predict_file
    from transfermap.runs.run import load_run

    if output.exists() and not overwrite:
        raise ValueError(f"{output} exists already; give another name, or --overwrite to replace it")
    with progress(as_json) as tick:
        if is_tuned(run):
            done = predict_items(run, table, output)
        else:
            done = predict_file(load_run(run), table, output, method, tick)
    if as_json:
        say_json(done)
        return
    far = f", {done['far']:,} of them far from anything seen" if "far" in done else ""
    typer.echo(f"{done['rows']:,} rows predicted by {done['method']}{far}: {output}")
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
    from transfermap.report.console.finetuning_view import verified_view
    from transfermap.report.console.terminal import truth_view
    from transfermap.runs.finetuned import is_tuned, verify_items
    from transfermap.runs.predict import verify_file

    if is_tuned(run):
        found = verify_items(run, labelled)
        say_json(found) if as_json else console().print(verified_view(found, lang))
        return
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
    from transfermap.runs.finetuned import is_tuned, report_tuned
    from transfermap.runs.model_file import whole_file
    from transfermap.runs.run import load_run

    page = report_tuned(run, lang) if is_tuned(run) else load_run(run).report(lang=lang)
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
    from transfermap.runs.folder import check_place
    from transfermap.runs.run import adapt as run_adapt
    from transfermap.tasks.digits import digits_task

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
