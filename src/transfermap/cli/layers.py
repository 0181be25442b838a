"""``transfermap layers``: which layers of a text net to transfer, frozen or trainable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfermap.cli.console import console, progress, say_json
from transfermap.cli.options import AsJson, Debug, LabelColumn, Lang, Overwrite, Repeats, TextColumn

if TYPE_CHECKING:
    from transfermap.studies.layer_transfer import Texts


SourceLabel = Annotated[
    str | None, typer.Option(help="Column to predict in the source, where it has another name.", metavar="COLUMN")
]
TrainingRows = Annotated[
    int | None,
    typer.Option(help="Target rows to train on, the rest is held out; half, at most 200, if not given.", metavar="N"),
]
Test = Annotated[Path | None, typer.Option(help="Table of further labelled target texts to score on.", metavar="FILE")]
Mix = Annotated[float, typer.Option(help="MULT's lambda: probability of a batch from the target.", metavar="SHARE")]
Glove = Annotated[
    bool | None,
    typer.Option("--glove/--no-glove", help="Initialise embeddings with GloVe too; default: if installed."),
]
Output = Annotated[
    list[Path] | None,
    typer.Option(
        "-o", "--output", help="Plot (.svg, .png) or table (.csv); may be given several times.", metavar="FILE"
    ),
]


def layers(
    source: Annotated[Path, typer.Argument(help="Table of labelled texts: the source.")],
    target: Annotated[Path, typer.Argument(help="Table of labelled texts: the target.")],
    text_column: Annotated[str, TextColumn],
    label: Annotated[str, LabelColumn],
    source_label: SourceLabel = None,
    training_rows: TrainingRows = None,
    test: Test = None,
    repeats: Repeats = 5,
    source_epochs: Annotated[int, typer.Option(help="Epochs on the source.", metavar="N")] = 3,
    target_epochs: Annotated[int, typer.Option(help="Epochs on the target's training rows.", metavar="N")] = 25,
    mix: Mix = 0.5,
    words: Annotated[int, typer.Option(help="Words that are read of each text.", metavar="N")] = 64,
    glove: Glove = None,
    output: Output = None,
    lang: Lang = "en",
    as_json: AsJson = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Layer-wise transfer in a text net: embedding, hidden, output; random, frozen or trainable; multi-task."""
    from transfermap.deep.lazy import require

    _check(output or [], repeats, overwrite)
    require()
    from transfermap.studies.layer_table import answer, summary
    from transfermap.studies.layer_transfer import Recipe, choices, layer_transfer
    from transfermap.studies.word_nets import glove_there

    recipe = Recipe(source_epochs=source_epochs, target_epochs=target_epochs, mix=mix, words=words)
    records: list[dict[str, Any]] = []
    with progress(as_json) as tick:
        tick("reading the tables")
        learned = _texts(source, text_column, source_label or label)
        there = _texts(target, text_column, label)
        further = None if test is None else _texts(test, text_column, label)
        for seed in range(repeats):
            pair = _pair(learned, there, further, training_rows, seed)
            wanted = choices(len(set(map(tuple, pair.classes))) == 1, glove_there() if glove is None else glove)
            records += layer_transfer(pair, wanted, recipe, seed, tick)
    table, notes = summary(records), answer(records)
    _write(output or [], table)
    if as_json:
        rows = table.reset_index(names="choice").to_dict("records")
        say_json({"records": records, "table": rows, "notes": [note.to_dict() for note in notes]})
        return
    from transfermap.report.console.layer_study import layer_study_view

    console().print(layer_study_view(table, lang))
    for note in notes:
        typer.echo(f"- {note.say(lang)}")


def _check(outputs: list[Path], repeats: int, overwrite: bool) -> None:
    """Refuse what could not be written before hours of work, not after."""
    from transfermap.report.plots.bench_plot import check_format

    if repeats < 1:
        raise ValueError(f"--repeats must be 1 or more; got {repeats}")
    for path in outputs:
        if path.suffix.lower() != ".csv":
            check_format(path)
        if path.exists() and not overwrite:
            raise ValueError(f"{path} exists already; give another name, or --overwrite to replace it")


def _texts(path: Path, text: str, label: str) -> Texts:
    """The labelled texts of a table."""
    from transfermap.data.tables.files import read_table
    from transfermap.data.tables.spelling import spelled
    from transfermap.studies.layer_transfer import Texts

    table = read_table(path)
    absent = [name for name in (text, label) if name not in table]
    if absent:
        raise ValueError(f"{path} has no column {absent[0]!r}; it has: {', '.join(map(str, table.columns))}")
    labels = spelled(table[label])
    if not (labels != "").any():
        raise ValueError(f"{path} has no label in its column {label!r}")
    return Texts(list(spelled(table[text])[labels != ""]), labels[labels != ""])


def _pair(source: Texts, target: Texts, test: Texts | None, rows: int | None, seed: int) -> Any:
    """What one repeat is trained on and scored on."""
    from transfermap.studies.layer_transfer import Pair, drawn

    count = rows or min(200, len(target.texts) // 2)
    if test is not None and count >= len(target.texts):
        return Pair(source, target, test)
    learned, rest = drawn(target, count, seed)
    return Pair(source, learned, rest if test is None else test)


def _write(outputs: list[Path], table: Any) -> None:
    from transfermap.report.console.layer_study import layer_study_plot
    from transfermap.report.plots.bench_plot import save_figure
    from transfermap.runs.model_file import whole_file

    for path in outputs:
        with whole_file(path) as part:
            if path.suffix.lower() == ".csv":
                table.to_csv(part, index_label="choice", encoding="utf8")
            else:
                save_figure(layer_study_plot({"": table}), part)
        typer.echo(f"wrote {path}", err=True)
