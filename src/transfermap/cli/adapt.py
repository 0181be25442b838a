"""``transfermap adapt``: try methods, weigh the evidence, give a verdict, keep the run."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from transfermap.cli.console import progress, seconds
from transfermap.cli.options import (
    DATA,
    MODELS,
    OUTPUT,
    AsJson,
    BackboneName,
    Budget,
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
    TextFeatures,
)
from transfermap.cli.task import task_of
from transfermap.cli.verdict import show_run

Method = Annotated[
    list[str] | None,
    typer.Option(
        help="auto (those that suit the data), or a method's key ('transfermap map'); may be given several times.",
        metavar="KEY",
        rich_help_panel=MODELS,
    ),
]
Estimator = Annotated[
    str | None,
    typer.Option(
        help="Model trained after each method: logistic, forest, boosting, svm, knn or ridge.",
        metavar="NAME",
        rich_help_panel=MODELS,
    ),
]
Net = Annotated[
    str,
    typer.Option(
        help="Net of deep methods: mlp, normed, dense, lenet, resnet, a backbone, or auto (what suits the rows).",
        metavar="NAME",
        rich_help_panel=MODELS,
    ),
]
LabelledTarget = Annotated[
    Path | None,
    typer.Option(
        help="A few labelled target rows, to score on. Training and verdict read them only with --learn.",
        metavar="FILE",
        rich_help_panel=DATA,
    ),
]
Learn = Annotated[
    bool,
    typer.Option(
        "--learn",
        help="Methods may learn from --labelled-target too, scored by cross-validation on these rows.",
        rich_help_panel=MODELS,
    ),
]
Model = Annotated[
    Path | None,
    typer.Option(
        help="Source-free: a run whose net is adapted to the one table or folder, A.",
        metavar="RUN",
        rich_help_panel=MODELS,
    ),
]
Output = Annotated[
    Path, typer.Option("-o", "--output", help="Folder for the run.", metavar="FOLDER", rich_help_panel=OUTPUT)
]


def adapt(
    tables: Tables,
    *,
    label: Label = None,
    source: Source = None,
    domain: Domain = None,
    target: Target = None,
    method: Method = None,
    estimator: Estimator = None,
    net: Net = "auto",
    budget: Budget = "2m",
    group: Group = None,
    labelled_target: LabelledTarget = None,
    learn: Learn = False,
    kind: Kind = None,
    text_features: TextFeatures = "auto",
    backbone: BackboneName = None,
    model: Model = None,
    output: Output,
    seed: Seed = 0,
    lang: Lang = "en",
    as_json: AsJson = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Adapt source to target: try methods, validate them without target labels, and give a verdict."""
    from transfermap.runs.folder import check_place
    from transfermap.runs.run import adapt as run_adapt

    check_place(output, overwrite)
    limit = seconds(budget)
    with progress(as_json) as tick:
        tick("reading the tables")
        if model is not None:
            others: dict[str, Any] = {"--label": label, "--source": source, "--domain": domain}
            others |= {"--estimator": estimator, "--labelled-target": labelled_target, "--learn": learn or None}
            run = _without_source(model, tables, others, method, seed, tick)
        else:
            task = task_of(tables, label, source, domain, target, group, kind, labelled_target, backbone, tick)
            how: dict[str, Any] = {
                "method": _asked(method),
                "estimator": estimator,
                "net": net,
                "text": text_features,
            }
            run = run_adapt(task, **how, learn=learn, seed=seed, budget=limit, tick=tick)
        run.note_command(shlex.join(["transfermap", *sys.argv[1:]]))
        tick("writing the run")
        run.save(output, overwrite=overwrite)
    show_run(run, lang, as_json)
    if not as_json:
        typer.echo(f"The run is in {output}. Next: transfermap report {output}, or label {output / 'label_me.csv'}")


def _asked(method: list[str] | None) -> str | list[str]:
    """The methods to try, "auto" however it is spelled; alone it is one word, as in Python, for it names no method."""
    asked = ["auto" if name.strip().casefold() == "auto" else name for name in method or ["auto"]]
    return "auto" if asked == ["auto"] else asked


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
    return adapt_run(model, tables[0], method=_asked(method), seed=seed, tick=tick)
