"""The commands of ``transfermap bench``: many methods on many data sets, recorded, shown and drawn."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from transfermap.cli.console import command, console, progress, say_json
from transfermap.cli.options import AsJson, DataDir, Debug, Jobs, Overwrite

bench = typer.Typer(
    name="bench",
    help="Benchmark methods on data sets with known target labels: run, resume, show, plot.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
RecordsFile = Annotated[Path, typer.Argument(help="What 'bench run' wrote.", metavar="RECORDS")]


Output = Annotated[
    Path, typer.Option("-o", "--output", help="File of records; the same command resumes it.", metavar="FILE")
]
Methods = Annotated[
    list[str] | None,
    typer.Option(help="Methods and hyper-parameters: tca,jda:n_components=20,kernel=linear.", metavar="KEYS"),
]
Seeds = Annotated[str, typer.Option(help="Random seeds of the source draws, such as 0,1,2; or full.", metavar="SEEDS")]
PerClass = Annotated[int | None, typer.Option(help="Source rows per class in a draw; if not given, 80 %.", metavar="N")]
Pair = Annotated[
    list[str] | None,
    typer.Option(
        help="Only this pair of domains; A+B:C has two sources; may be given several times.",
        metavar="SOURCE:TARGET",
    ),
]
Estimators = Annotated[str, typer.Option(help="Models trained after each method: nn,logistic ...", metavar="NAMES")]
Preprocess = Annotated[
    str, typer.Option(help="Normalisation of each domain: none, z, l1z, l2, l1z-l2 or rowz.", metavar="NAME")
]
Dask = Annotated[str | None, typer.Option(help="Dask: local, or the address of a scheduler.", metavar="ADDRESS")]


@command(bench, "run", "transfermap bench run coil20 --methods tca,coral --preprocess l2 -o records.jsonl")
def run(
    names: Annotated[list[str], typer.Argument(help="Data sets; 'bench sets' lists them.", metavar="NAME...")],
    output: Output,
    methods: Methods = None,
    seeds: Seeds = "0",
    per_class: PerClass = None,
    pair: Pair = None,
    estimators: Estimators = "nn",
    preprocess: Preprocess = "none",
    data_dir: DataDir = None,
    jobs: Jobs = 1,
    dask: Dask = None,
    retry: Annotated[bool, typer.Option("--retry", help="Run cells again that ended in an error.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Run methods on tasks and seeds, as far as the records lack them; always with the no-transfer baselines."""
    from transfermap.bench.contenders import contenders
    from transfermap.bench.datasets import data_folder
    from transfermap.bench.grid import run_grid
    from transfermap.bench.measurements import parse_seeds, parse_tasks, plan

    folder = data_folder(data_dir)
    try:
        with progress(as_json) as tick:
            tick("reading the data")
            cells = plan(
                names,
                [found for text in methods or [] for found in contenders(text)],
                parse_seeds(seeds),
                data_dir=folder,
                estimators=[name.strip() for name in estimators.split(",")],
                preprocess=preprocess,
                per_class=per_class,
                tasks=parse_tasks(pair or []),
            )
            done = run_grid(cells, output, data_dir=folder, jobs=jobs, dask=dask, retry=retry, tick=tick)
    except KeyboardInterrupt:
        typer.echo(f"transfermap: stopped; {output} keeps what was done, the same command goes on from there", err=True)
        raise typer.Exit(130) from None
    _say_outcome(done._asdict(), output, as_json)


def _say_outcome(done: dict[str, Any], output: Path, as_json: bool) -> None:
    if as_json:
        say_json({"records": str(output), **done})
        return
    if done["torn"]:
        typer.echo(f"- The last line of {output} was torn, as by a kill; it was dropped and its cell run again.")
    faults = f", {done['faults']} of them without a score" if done["faults"] else ""
    typer.echo(
        f"{done['cells']:,} cells: {done['run']:,} run now{faults}, {done['there']:,} were there. "
        f"Next: transfermap bench show {output}"
    )


@command(bench, "show", "transfermap bench show records.jsonl")
def show(records: RecordsFile, as_json: AsJson = False, debug: Debug = False) -> None:
    """Accuracy of methods by tasks: mean and standard deviation over seeds, mean rank, seconds."""
    from transfermap.report.console.bench_results import bench_view

    groups, torn = _summary(records)
    if as_json:
        say_json({"records": str(records), "torn": torn, "groups": groups})
        return
    screen = console()
    screen.print(bench_view(groups, screen.width))
    if torn:
        typer.echo(f"- The last line of {records} is torn, as by a kill; the next 'bench run' drops it.")


def _summary(path: Path) -> tuple[list[dict[str, Any]], bool]:
    from transfermap.bench.records import read_records
    from transfermap.bench.summary import summarise

    found = read_records(path)
    if not found.by_key:
        raise ValueError(f"{path} holds no record yet; run 'transfermap bench run' first")
    return summarise(found.by_key.values()), found.torn


@command(bench, "plot", "transfermap bench plot records.jsonl -o plot.svg")
def plot(
    records: RecordsFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="Image to write: .svg, .png or .pdf.", metavar="FILE")],
    draw: Annotated[
        str | None, typer.Option(help="Which draw, where the records hold several: 80%, full ...", metavar="DRAW")
    ] = None,
    as_json: AsJson = False,
    overwrite: Overwrite = False,
    debug: Debug = False,
) -> None:
    """Accuracy of every method on every task, and mean ranks with their critical difference."""
    from transfermap.report.plots.bench_plot import bench_plot, check_format, save_figure
    from transfermap.runs.model_file import whole_file

    check_format(output)
    if output.exists() and not overwrite:
        raise ValueError(f"{output} exists already; give another name, or --overwrite to replace it")
    groups = {group["draw"]: group for group in _summary(records)[0]}
    wanted = draw or next(iter(groups))
    if wanted not in groups:
        raise ValueError(f"{records} holds no draw {wanted!r}; it holds: {', '.join(groups)}")
    with whole_file(output) as part:
        save_figure(bench_plot(groups[wanted]), part)
    say_json({"plot": str(output), "draw": wanted}) if as_json else typer.echo(f"wrote {output}")


@command(bench, "sets", "transfermap bench sets --data-dir data")
def sets(data_dir: DataDir = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """List the data sets: what each is, its licence, and whether its files are there."""
    from transfermap.bench.datasets import data_folder, known_sets, missing
    from transfermap.report.console.bench_results import sets_view

    folder = data_folder(data_dir)
    found = []
    for data in known_sets(folder):
        lost = [str(path) for path in missing(data, folder)]
        plain = {k: v for k, v in asdict(data).items() if k not in ("read", "joint")}
        found.append(plain | {"tasks": len(data.pairs), "there": not lost, "missing": lost})
    say_json(found) if as_json else console().print(sets_view(found))


@command(bench, "tables", "transfermap bench tables")
def tables(as_json: AsJson = False, debug: Debug = False) -> None:
    """List the published tables that 'bench table' reproduces."""
    from transfermap.bench.published_tables import names, published

    found = [published(name) for name in names()]
    if as_json:
        keys = ("name", "title", "reference", "doi", "protocol")
        say_json([{key: getattr(table, key) for key in keys} | {"tasks": list(table.tasks)} for table in found])
        return
    for table in found:
        typer.echo(f"{table.name:18} {table.title}\n{'':18} {table.reference}")


@command(bench, "table", "transfermap bench table jda-2013 --data-dir data")
def table(
    name: Annotated[str, typer.Argument(help="A published table; 'bench tables' lists them.", metavar="NAME")],
    method: Annotated[
        list[str] | None, typer.Option(help="Only this method; may be given several times.", metavar="KEY")
    ] = None,
    data_dir: DataDir = None,
    jobs: Jobs = 1,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Reproduce a published table: our accuracy beside the paper's, with the no-transfer baselines."""
    from transfermap.bench.datasets import data_folder
    from transfermap.bench.published_tables import compute, published
    from transfermap.report.console.published import table_view

    wanted, folder, rows = published(name), data_folder(data_dir), []
    with progress(as_json) as tick:
        tick("reading the data")
        for cell in compute(wanted, folder, jobs, method or ()):
            tick(f"{cell.method}, {cell.task}")
            rows.append(cell.to_dict())
    screen = console()
    say_json(rows) if as_json else screen.print(table_view(wanted.title, wanted.protocol, rows, screen.width))
