"""Every method that skada, ADAPT or POT also has, on the same data: seconds, peak memory, accuracy and the ratio.

    sh benchmarks/peers-setup.sh .peers
    python benchmarks/peers.py --peers .peers/bin/python --rows 1000 5000 20000 --columns 50 800 -o peers.jsonl

``--rows`` counts rows a side. Two Gaussian classes a side, the target moved and stretched. Each cell runs in a process
of its own with one thread; the seconds are the process's CPU seconds for adapting and training logistic regression,
without imports, the best of up to five runs where a run is short; the memory is what the process's peak grew by. A cell
that passes ``--limit`` seconds of CPU or ``--memory`` GB is given up, which is said. The ratio is ours over the fastest
peer's that finished: below 1 we are faster. Where no peer finished, the limit stands in for it, as a bound.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

GB = 2**30
LABELLED = 20  # target rows whose labels are given to methods that ask for some


def make(rows: int, columns: int, folder: Path) -> Path:
    """The data of a cell, as a file that every interpreter can read."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 2 * rows)
    X = rng.normal(size=(2 * rows, columns))
    X[:, :5] += 0.8 * (2 * y[:, None] - 1)
    X[rows:] = X[rows:] * (1 + 0.3 * rng.random(columns)) + 0.6 * rng.normal(size=columns)
    path = folder / f"{rows}x{columns}.npz"
    np.savez(path, Xs=X[:rows], ys=y[:rows], Xt=X[rows:], yt=y[rows:])
    return path


# what each library calls each of our methods, and how; every function returns predictions for the target


def ours(key, **knobs):
    def run(D):
        from sklearn.linear_model import LogisticRegression, Ridge

        from transfermap.card import find
        from transfermap.roles import Adapted

        method = find(key)(**knobs)
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


def skada(name, **knobs):
    def run(D):
        import skada as library
        from sklearn.linear_model import LogisticRegression

        last = LogisticRegression(max_iter=2000)
        if "Reweight" in name:
            last = last.set_fit_request(sample_weight=True)
        made = getattr(library, name)(base_estimator=last, **knobs)
        y = np.concatenate([D["ys"], np.full(len(D["Xt"]), -1)])
        side = np.repeat([1, -2], [len(D["ys"]), len(D["Xt"])])
        made.fit(np.concatenate([D["Xs"], D["Xt"]]), y, sample_domain=side)
        return made.predict(D["Xt"])

    return run


def adapt(module, name, labelled=False, regression=False, **knobs):
    def run(D):
        import importlib

        from sklearn.linear_model import LogisticRegression, Ridge

        cls = getattr(importlib.import_module(f"adapt.{module}_based"), name)
        last = Ridge() if regression else LogisticRegression(max_iter=2000)
        Xt, more = (D["Xt"][:LABELLED], {"yt": D["yt"][:LABELLED]}) if labelled else (D["Xt"], {})
        model = cls(last, Xt=Xt, **more, **knobs, verbose=0, random_state=0)
        model.fit(D["Xs"], D["ys"])
        feature = module == "feature"
        return np.ravel(model.predict(D["Xt"], domain="tgt") if feature else model.predict(D["Xt"]))

    return run


def pot(name, **knobs):
    def run(D):
        import ot.da
        from sklearn.linear_model import LogisticRegression

        plan = getattr(ot.da, name)(**knobs).fit(Xs=D["Xs"], ys=D["ys"], Xt=D["Xt"])
        return LogisticRegression(max_iter=2000).fit(plan.transform(Xs=D["Xs"]), D["ys"]).predict(D["Xt"])

    return run


TRANSPORT = {"norm": "median"}
CELLS = {
    "coral": {"skada": skada("CORAL"), "adapt": adapt("feature", "CORAL")},
    "sa": {"skada": skada("SubspaceAlignment", n_components=5), "adapt": adapt("feature", "SA", n_components=5)},
    "tca": {
        "skada": skada("TransferComponentAnalysis", n_components=10),
        "adapt": adapt("feature", "TCA", n_components=10, kernel="rbf"),
    },
    "tjm": {"skada": skada("TransferJointMatching", n_components=10)},
    "linearmonge": {"skada": skada("LinearOTMapping"), "pot": pot("LinearTransport")},
    "emd": {"skada": skada("OTMapping"), "pot": pot("EMDTransport", norm="median")},
    "sinkhorn": {
        "skada": skada("EntropicOTMapping", norm="median", reg_e=0.1),
        "pot": pot("SinkhornTransport", norm="median", reg_e=0.1),
    },
    "classtransport": {
        "skada": skada("ClassRegularizerOTMapping", norm="lpl1", reg_e=1.0, reg_cl=0.1),
        "pot": pot("SinkhornLpl1Transport", norm="median", reg_e=0.1, reg_cl=0.1),
    },
    "jdot": {"skada": skada("JDOTClassifier")},
    "kliep": {
        "skada": skada("KLIEPReweight", gamma=[0.01, 0.1, 1.0]),
        "adapt": adapt("instance", "KLIEP", kernel="rbf", gamma=0.02),
    },
    "ulsif": {"adapt": adapt("instance", "ULSIF", kernel="rbf", gamma=0.02)},
    "rulsif": {"adapt": adapt("instance", "RULSIF", kernel="rbf", gamma=0.02, alpha=0.1)},
    "kmm": {"skada": skada("KMMReweight"), "adapt": adapt("instance", "KMM", kernel="rbf", gamma=0.02)},
    "nearestweighting": {
        "skada": skada("NearestNeighborReweight"),
        "adapt": adapt("instance", "NearestNeighborsWeighting"),
    },
    "logisticratio": {"skada": skada("DiscriminatorReweight"), "adapt": adapt("instance", "IWC")},
    "iwc": {"skada": skada("DiscriminatorReweight"), "adapt": adapt("instance", "IWC")},
    "bbse": {"skada": skada("MMDTarSReweight")},
    "dasvm": {"skada": skada("DASVMClassifier")},
    "tradaboost": {"adapt": adapt("instance", "TrAdaBoost", labelled=True, n_estimators=20)},
    "tradaboostr2": {"adapt": adapt("instance", "TwoStageTrAdaBoostR2", labelled=True, regression=True)},
    "feda": {"adapt": adapt("feature", "FA", labelled=True)},
}
# where the defaults would solve another problem than the peer's
KNOBS = {"tca": {"kernel": "rbf", "n_components": 10}, "tjm": {"n_components": 10}, "sa": {"n_components": 5}}


def cell(library: str, key: str, path: str) -> dict[str, object]:
    """Run one cell in this process."""
    run = ours(key, **KNOBS.get(key, {})) if library == "ours" else CELLS[key][library]
    with np.load(path) as file:
        D = dict(file)
    small = {k: v[:60] for k, v in D.items()}
    try:
        run(small)  # imports, and caches that a second call would find warm
    except Exception as error:  # a peer may refuse the small table and still do the large one
        print(error, file=sys.stderr)
    before, runs = peak(), []
    while not runs or (len(runs) < 5 and sum(runs) < 1):
        began = time.process_time()
        told = run(D)
        runs.append(time.process_time() - began)
    right = told.round() == D["yt"] if told.dtype.kind == "f" else told == D["yt"]
    return {"seconds": min(runs), "peak": peak() - before, "accuracy": float(np.mean(right))}


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def attempt(python: str, library: str, key: str, path: Path, limit: int, memory: float) -> dict[str, object]:
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
    command = [python, "-W", "ignore", __file__, "--cell", library, key, str(path)]
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
    parser.add_argument("--cell", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cell:
        print(json.dumps(cell(*arguments.cell)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for rows in arguments.rows:
            for columns in arguments.columns:
                path = make(rows, columns, Path(folder))
                for key in arguments.methods:
                    compare(key, rows, columns, path, arguments)
    summary(arguments.output)


def compare(key: str, rows: int, columns: int, path: Path, arguments: argparse.Namespace) -> None:
    """One method at one size: ours and every peer's, one line each, and the ratio."""
    libraries = ["ours", *(CELLS[key] if arguments.peers else ())]
    found = {}
    for library in libraries:
        python = sys.executable if library == "ours" else arguments.peers
        found[library] = attempt(python, library, key, path, arguments.limit, arguments.memory)
        record = {
            "method": key,
            "rows": rows,
            "columns": columns,
            "library": library,
            "limit": arguments.limit,
        } | found[library]
        with arguments.output.open("a", encoding="utf8") as file:
            file.write(json.dumps(record) + "\n")
        print(line(record), flush=True)


def line(record: dict[str, object]) -> str:
    head = f"{record['method']:16} {record['rows']:>7} x {record['columns']:<4} {record['library']:6}"
    if "fault" in record:
        return f"{head} {record['fault']}"
    return f"{head} {record['seconds']:8.2f} s {record['peak'] / 2**20:7.0f} MB  {record['accuracy']:.3f}"


def summary(path: Path) -> None:
    """The ratio of each cell, and their median by size."""
    last = {}
    for text in path.read_text("utf8").splitlines():
        record = json.loads(text)
        last[record["method"], record["rows"], record["columns"], record["library"]] = record
    ratios: dict[tuple[int, int], list[float]] = {}
    print("\nratio of CPU seconds, ours over the fastest peer")
    for key, rows, columns in sorted({k[:3] for k in last}, key=lambda k: (k[1], k[2], k[0])):
        mine = last.get((key, rows, columns, "ours"), {})
        peers = [r for k, r in last.items() if k[:3] == (key, rows, columns) and k[3] != "ours"]
        if "seconds" not in mine or not peers:
            print(f"{key:16} {rows:>7} x {columns:<4} {mine.get('fault', 'no peer ran')}")
            continue
        done = [r for r in peers if "seconds" in r]
        best = min(done, key=lambda r: r["seconds"]) if done else None
        bound = best["seconds"] if best else mine["limit"]
        ratio = mine["seconds"] / max(bound, 1e-3)
        ratios.setdefault((rows, columns), []).append(ratio)
        beside = f"{best['library']} {best['accuracy']:.3f}" if best else "no peer finished"
        shown = f"{'' if best else '< '}{ratio:8.3f}   accuracy {mine['accuracy']:.3f} beside {beside}"
        print(f"{key:16} {rows:>7} x {columns:<4} {shown}")
    for (rows, columns), values in ratios.items():
        print(f"median at {rows} x {columns}: {np.median(values):.3f} over {len(values)} methods")


if __name__ == "__main__":
    main()
