"""``transfermap adapt``: try methods, weigh the evidence, give a verdict, keep the run."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from transfermap.cli.console import progress, seconds
from transfermap.cli.options import (
    AsJson,
    Backbone,
    Debug,
    Domain,
    Group,
    Kind,
    Label,
    Lang,
    Overwrite,
    Seed,
    Source,
    Tables,
    Target,
    Text,
)
from transfermap.cli.task import task_of
from transfermap.cli.verdict import show_run


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
            task = task_of(tables, label, source, domain, target, group, kind, target_labels, backbone, tick)
            how: dict[str, Any] = {"method": method or "auto", "estimator": estimator, "net": net, "text": text}
            run = run_adapt(task, **how, learn=learn, seed=seed, budget=limit, tick=tick)
        run.note_command(shlex.join(["transfermap", *sys.argv[1:]]))
        tick("writing the run")
        run.save(output, overwrite=overwrite)
    show_run(run, lang, as_json)
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
