"""Every method that skada, ADAPT or POT also has, on the same data: seconds, peak memory, accuracy and the ratio.

    sh benchmarks/peers-setup.sh .peers
    python benchmarks/peers.py --peers .peers/bin/python --rows 1000 5000 20000 --columns 50 800 -o peers.jsonl

``--rows`` counts rows a side. A method gets the kind of shift that it is meant for (``DATA``), and params that make it
solve the peer's problem where its defaults would solve another. Each cell runs in a process of its own with one thread,
on up to five draws of the data while they take under five seconds; the seconds are the CPU's for adapting and training
logistic regression, without imports, the median over the draws, short runs repeated; the memory is what the process's
peak grew by; the accuracy is the mean over the draws. A cell that passes ``--limit`` seconds of CPU or ``--memory`` GB
is given up, which is said, and not tried with more rows. The ratio is ours over the fastest peer's that finished: below
1 we are faster. Where no peer finished, the limit stands in for it, as a bound. Accuracies are compared over the draws
that both did.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

GB = 2**30
SHORT, ENOUGH, DRAWS = 0.2, 5.0, 5
LABELLED = 20  # target rows whose labels are given to methods that ask for some


def moved(rng: np.random.Generator, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Two Gaussian classes a side, the target moved and stretched."""
    y = rng.integers(0, 2, 2 * rows)
    X = rng.normal(size=(2 * rows, columns))
    X[:, :5] += 0.8 * (2 * y[:, None] - 1)
    X[rows:] = X[rows:] * (1 + 0.3 * rng.random(columns)) + 0.6 * rng.normal(size=columns)
    return X, y


def covariate(rng: np.random.Generator, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """One rule for both sides, which is not linear; the target lies elsewhere in three columns."""
    X = rng.normal(size=(2 * rows, columns))
    X[rows:, :3] = 0.7 * X[rows:, :3] + 0.8
    bent = X[:, 0] + X[:, 1] - 0.8 * X[:, 0] ** 2 + 0.5 * X[:, 2] ** 2
    return X, (rng.random(2 * rows) < 1 / (1 + np.exp(-3 * bent))).astype(int)


def shares(rng: np.random.Generator, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Two Gaussian classes, half and half in the source, 85 in 100 of one of them in the target."""
    y = (rng.random(2 * rows) < np.repeat([0.5, 0.85], rows)).astype(int)
    X = rng.normal(size=(2 * rows, columns))
    X[:, :5] += 0.3 * (2 * y[:, None] - 1)
    return X, y


DATA = {"moved": moved, "covariate": covariate, "shares": shares}


def make(rows: int, columns: int, kind: str = "moved", seed: int = 0) -> dict[str, np.ndarray]:
    """One draw of the data of a cell; the same in every interpreter."""
    X, y = DATA[kind](np.random.default_rng(seed), rows, columns)
    return {"Xs": X[:rows], "ys": y[:rows], "Xt": X[rows:], "yt": y[rows:]}


# what each library calls each of our methods, and how; every function returns predictions for the target


def ours(key, **params):
    def run(D):
        from sklearn.linear_model import LogisticRegression, Ridge

        from transfermap.adapted import Adapted
        from transfermap.card import find

        method = find(key)(**params)
        last = Ridge() if method.card.tasks == ("regression",) else LogisticRegression(max_iter=2000)
        yt = np.full(len(D["yt"]), -1)
        if method.target_labels:
            yt[:LABELLED] = D["yt"][:LABELLED]
        y = np.concatenate([D["ys"], yt]).astype(float if last.__class__ is Ridge else int)
        if last.__class__ is Ridge:
            y[y < 0] = np.nan
        side = np.repeat([1, -1], [len(D["ys"]), len(yt)])
        model = Adapted(method, last).fit(np.concatenate([D["Xs"], D["Xt"]]), y, sample_domain=side)
        return model.predict(D["Xt"])

    return run


def skada(name, **params):
    def run(D):
        import skada as library
        from sklearn.linear_model import LogisticRegression

        last = LogisticRegression(max_iter=2000)
        if "Reweight" in name:
            last = last.set_fit_request(sample_weight=True)
        made = getattr(library, name)(base_estimator=last, **params)
        y = np.concatenate([D["ys"], np.full(len(D["Xt"]), -1)])
        side = np.repeat([1, -2], [len(D["ys"]), len(D["Xt"])])
        made.fit(np.concatenate([D["Xs"], D["Xt"]]), y, sample_domain=side)
        return made.predict(D["Xt"])

    return run


def adapt(module, name, labelled=False, regression=False, **params):
    def run(D):
        import importlib

        from sklearn.linear_model import LogisticRegression, Ridge

        cls = getattr(importlib.import_module(f"adapt.{module}_based"), name)
        last = Ridge() if regression else LogisticRegression(max_iter=2000)
        Xt, more = (D["Xt"][:LABELLED], {"yt": D["yt"][:LABELLED]}) if labelled else (D["Xt"], {})
        model = cls(last, Xt=Xt, **more, **params, verbose=0, random_state=0)
        model.fit(D["Xs"], D["ys"])
        feature = module == "feature"
        return np.ravel(model.predict(D["Xt"], domain="tgt") if feature else model.predict(D["Xt"]))

    return run


def pot(name, **params):
    def run(D):
        import ot.da
        from sklearn.linear_model import LogisticRegression

        plan = getattr(ot.da, name)(**params).fit(Xs=D["Xs"], ys=D["ys"], Xt=D["Xt"])
        return LogisticRegression(max_iter=2000).fit(plan.transform(Xs=D["Xs"]), D["ys"]).predict(D["Xt"])

    return run


class Cell(NamedTuple):
    """A method of ours with its params, the data it is measured on, and the peers' counterparts."""

    key: str
    data: str
    peers: dict[str, Callable[[dict[str, np.ndarray]], np.ndarray]]
    params: dict[str, object] = {}  # noqa: RUF012 -- never changed


GAMMAS = [0.001, 0.003, 0.01, 0.03, 0.1]
LAMBDAS = [0.01, 0.1, 1.0]
RBF = {"kernel": "rbf", "gamma": 0.02}
FEW = {"n_components": 10}
LEAST = {"gamma": 0.02, "reg": 1.0}  # ADAPT's penalty
CELLS = {
    "coral": Cell("coral", "moved", {"skada": skada("CORAL"), "adapt": adapt("feature", "CORAL")}),
    "sa": Cell(
        "sa",
        "moved",
        {"skada": skada("SubspaceAlignment", n_components=5), "adapt": adapt("feature", "SA", n_components=5)},
        {"n_components": 5},
    ),
    "tca": Cell(
        "tca",
        "moved",
        {"skada": skada("TransferComponentAnalysis", **FEW), "adapt": adapt("feature", "TCA", kernel="rbf", **FEW)},
        {"kernel": "rbf"} | FEW,
    ),
    "tjm": Cell("tjm", "moved", {"skada": skada("TransferJointMatching", **FEW)}, FEW),
    "linearmonge": Cell("linearmonge", "moved", {"skada": skada("LinearOTMapping"), "pot": pot("LinearTransport")}),
    "emd": Cell("emd", "moved", {"skada": skada("OTMapping"), "pot": pot("EMDTransport", norm="median")}),
    "sinkhorn": Cell(
        "sinkhorn",
        "moved",
        {
            "skada": skada("EntropicOTMapping", norm="median", reg_e=0.1),
            "pot": pot("SinkhornTransport", norm="median", reg_e=0.1),
        },
        {"reg": 0.1},
    ),
    "classtransport": Cell(
        "classtransport",
        "moved",
        {
            "skada": skada("ClassRegularizerOTMapping", norm="lpl1", reg_e=0.1, reg_cl=0.1),
            "pot": pot("SinkhornLpl1Transport", norm="median", reg_e=0.1, reg_cl=0.1),
        },
        {"reg": 0.1, "class_reg": 0.1},
    ),
    "jdot": Cell("jdot", "moved", {"skada": skada("JDOTClassifier")}),
    "kliep": Cell("kliep", "covariate", {"adapt": adapt("instance", "KLIEP", **RBF)}, {"gamma": 0.02}),
    "kliep, width chosen": Cell(
        "kliep",
        "covariate",
        {
            "skada": skada("KLIEPReweight", gamma=GAMMAS),
            "adapt": adapt("instance", "KLIEP", kernel="rbf", gamma=GAMMAS),
        },
    ),
    "ulsif": Cell("ulsif", "covariate", {"adapt": adapt("instance", "ULSIF", **RBF)}, LEAST),
    "ulsif, width chosen": Cell(
        "ulsif",
        "covariate",
        {"adapt": adapt("instance", "ULSIF", kernel="rbf", gamma=GAMMAS, lambdas=LAMBDAS)},
    ),
    "rulsif": Cell("rulsif", "covariate", {"adapt": adapt("instance", "RULSIF", alpha=0.1, **RBF)}, LEAST),
    "rulsif, width chosen": Cell(
        "rulsif",
        "covariate",
        {"adapt": adapt("instance", "RULSIF", kernel="rbf", gamma=GAMMAS, lambdas=LAMBDAS, alpha=0.1)},
    ),
    "kmm": Cell(
        "kmm", "covariate", {"skada": skada("KMMReweight", gamma=0.02), "adapt": adapt("instance", "KMM", **RBF)}
    ),
    "nearestweighting": Cell(
        "nearestweighting",
        "covariate",
        {"skada": skada("NearestNeighborReweight"), "adapt": adapt("instance", "NearestNeighborsWeighting")},
    ),
    "logisticratio": Cell(
        "logisticratio",
        "covariate",
        {"skada": skada("DiscriminatorReweight"), "adapt": adapt("instance", "IWC")},
    ),
    "iwc": Cell(
        "iwc",
        "covariate",
        {"skada": skada("DiscriminatorReweight"), "adapt": adapt("instance", "IWC")},
        {"squares": False},
    ),
    "bbse": Cell("bbse", "shares", {"skada": skada("MMDTarSReweight", gamma=0.02)}),
    "dasvm": Cell("dasvm", "moved", {"skada": skada("DASVMClassifier")}),
    "tradaboost": Cell(
        "tradaboost", "moved", {"adapt": adapt("instance", "TrAdaBoost", labelled=True, n_estimators=20)}
    ),
    "tradaboostr2": Cell(
        "tradaboostr2",
        "moved",
        {"adapt": adapt("instance", "TwoStageTrAdaBoostR2", labelled=True, regression=True)},
    ),
    "feda": Cell("feda", "moved", {"adapt": adapt("feature", "FA", labelled=True)}),
}


def cell(library: str, name: str, rows: int, columns: int) -> dict[str, object]:
    """Run one cell in this process; ``name`` is of a cell, or, for ours, of any method."""
    it = CELLS.get(name) or Cell(name, "moved", {})
    run = ours(it.key, **it.params) if library == "ours" else it.peers[library]
    try:
        run(make(60, columns, it.data))  # imports, and caches that a second call would find warm
    except Exception as error:  # a peer may refuse the small table and still do the large one
        print(error, file=sys.stderr)
    before, seconds, right = peak(), [], []
    while len(seconds) < DRAWS and sum(seconds) < ENOUGH:
        D = make(rows, columns, it.data, len(seconds))
        predicted, took = timed(run, D)
        seconds.append(took)
        right.append(float(np.mean((predicted.round() if predicted.dtype.kind == "f" else predicted) == D["yt"])))
    return {"seconds": float(np.median(seconds)), "peak": peak() - before, "accuracy": right}


def timed(run, D) -> tuple[np.ndarray, float]:
    """Predictions, and CPU seconds of one run, averaged over as many as take a fifth of a second."""
    began, count = time.process_time(), 0
    while True:
        predicted, count = run(D), count + 1
        if (took := time.process_time() - began) > SHORT:
            return predicted, took / count


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def attempt(
    python: str, library: str, name: str, rows: int, columns: int, limit: int, memory: float
) -> dict[str, object]:
    """Run one cell in a process of its own, under limits."""

    def bounds() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        resource.setrlimit(resource.RLIMIT_DATA, (int(memory * GB), int(memory * GB)))

    libraries = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    threads = dict.fromkeys(libraries, "1")
    source = Path(__file__).parents[1] / "src"
    env = (
        threads
        | {"TF_CPP_MIN_LOG_LEVEL": "3", "PATH": "/usr/bin:/bin"}
        | ({"PYTHONPATH": str(source)} if library == "ours" else {})
    )
    command = [python, "-W", "ignore", __file__, "--cell", library, name, str(rows), str(columns)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, preexec_fn=bounds, check=False)
    if done.returncode == 0:
        return json.loads(done.stdout.strip().splitlines()[-1])
    if done.returncode < 0:
        return {"fault": f"more than {limit} s"}
    said = done.stderr.strip().splitlines()
    return {"fault": said[-1][:160] if said else f"exit {done.returncode}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="a Python that has the peers")
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--columns", type=int, nargs="+", default=[50])
    parser.add_argument("--methods", nargs="+", default=list(CELLS))
    parser.add_argument("--limit", type=int, default=180, help="CPU seconds a cell")
    parser.add_argument("--memory", type=float, default=8.0, help="GB a cell")
    parser.add_argument("-o", "--output", type=Path, default=Path("peers.jsonl"))
    parser.add_argument("--cell", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cell:
        library, name, rows, columns = arguments.cell
        print(json.dumps(cell(library, name, int(rows), int(columns))))
        return
    gone: set[tuple[str, str, int]] = set()
    for columns in arguments.columns:
        for rows in sorted(arguments.rows):
            for name in arguments.methods:
                compare(name, rows, columns, arguments, gone)
    summary(arguments.output)


def compare(name: str, rows: int, columns: int, arguments: argparse.Namespace, gone: set[tuple[str, str, int]]) -> None:
    """One method at one size: ours and every peer's, one line each; who gave up with fewer rows is not tried again."""
    for library in ["ours", *(CELLS[name].peers if arguments.peers else ())]:
        record = {"method": name, "rows": rows, "columns": columns, "library": library, "limit": arguments.limit}
        if (name, library, columns) in gone:
            record["fault"] = "gave up with fewer rows"
        else:
            python = sys.executable if library == "ours" else arguments.peers
            record |= attempt(python, library, name, rows, columns, arguments.limit, arguments.memory)
        if "fault" in record:
            gone.add((name, library, columns))
        with arguments.output.open("a", encoding="utf8") as file:
            file.write(json.dumps(record) + "\n")
        print(line(record), flush=True)


def line(record: dict[str, object]) -> str:
    head = f"{record['method']:20} {record['rows']:>7} x {record['columns']:<4} {record['library']:6}"
    if "fault" in record:
        return f"{head} {record['fault']}"
    return f"{head} {record['seconds']:9.3f} s {record['peak'] / 2**20:7.0f} MB  {np.mean(record['accuracy']):.3f}"


def summary(path: Path) -> None:
    """The ratio of each cell, and their median by size."""
    last = {}
    for text in path.read_text("utf8").splitlines():
        record = json.loads(text)
        last[record["method"], record["rows"], record["columns"], record["library"]] = record
    ratios: dict[tuple[int, int], list[float]] = {}
    print("\nratio of CPU seconds, ours over the fastest peer")
    for name, rows, columns in sorted({k[:3] for k in last}, key=lambda k: (k[2], k[1], k[0])):
        head = f"{name:20} {rows:>7} x {columns:<4}"
        mine = last.get((name, rows, columns, "ours"), {})
        peers = [r for k, r in last.items() if k[:3] == (name, rows, columns) and k[3] != "ours"]
        if "seconds" not in mine or not peers:
            print(f"{head} {mine.get('fault', 'no peer ran')}")
            continue
        done = [r for r in peers if "seconds" in r]
        best = min(done, key=lambda r: r["seconds"]) if done else None
        ratio = mine["seconds"] / max(best["seconds"] if best else mine["limit"], 1e-3)
        ratios.setdefault((rows, columns), []).append(ratio)
        print(f"{head} {' ' if best else '<'} {ratio:8.3f}   {accuracies(mine, done)}")
    for (rows, columns), values in ratios.items():
        print(f"median at {rows} x {columns}: {np.median(values):.3f} over {len(values)} cells")


def accuracies(mine: dict[str, object], peers: list[dict[str, object]]) -> str:
    """Ours beside every peer's, over the draws that both did, with the standard error of the difference."""
    said = []
    for peer in peers:
        count = min(len(mine["accuracy"]), len(peer["accuracy"]))
        a, b = (np.array(r["accuracy"][:count]) for r in (mine, peer))
        spread = f" +- {(a - b).std(ddof=1) / count**0.5:.3f}" if count > 1 else ""
        said.append(f"{a.mean():.3f} / {peer['library']} {b.mean():.3f}{spread}")
    return "accuracy " + ("; ".join(said) or f"{np.mean(mine['accuracy']):.3f}, no peer finished")


if __name__ == "__main__":
    main()
