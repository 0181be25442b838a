"""Speed, memory and accuracy of TCA with an RBF kernel, beside a peer's where there is one.

    python benchmarks/tca.py --rows 1000 5000 20000 100000 --columns 50 [--peer .peers/bin/python]

``--rows`` counts rows a side. Each size runs in a process of its own; ``--peer`` names a Python that has skada
(``benchmarks/peers-setup.sh FOLDER`` makes one). The memory is the process's peak, imports included. The exact n x n
problem is solved beside ours where it is small, to measure the angle between the two subspaces.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

import numpy as np

EXACT_ROWS = 2000  # a side; beyond, the n x n problem takes too long to be a yardstick
COMPONENTS = 5


def domains(rows: int, columns: int):
    """Two classes a side in columns of falling spread; the target is moved and stretched."""
    rng = np.random.default_rng(0)
    spread = 0.9 ** np.arange(columns)
    y = rng.integers(0, 2, 2 * rows)
    X = rng.normal(size=(2 * rows, columns)) * spread
    X[:, 0] += 2 * y
    X[rows:] = 1.2 * X[rows:] + 0.3 * spread * rng.normal(size=columns)
    return X, y, np.repeat([1, -1], rows)


def fit_ours(X, d):
    from transfermap.methods.alignment.tca import TCA

    return TCA(kernel="rbf", n_components=COMPONENTS, reg=1.0).fit_transform(X, sample_domain=d)


def fit_skada(X, d):
    from skada import TransferComponentAnalysisAdapter

    adapter = TransferComponentAnalysisAdapter(kernel="rbf", n_components=COMPONENTS, mu=1.0)
    return adapter.fit_transform(X, np.zeros(len(X)), sample_domain=d)


def exact(X, d):
    """The embedding of the n x n problem, solved as it is printed."""
    from scipy.linalg import eigh

    from transfermap.math.components import domain_factor
    from transfermap.math.kernels import median_bandwidth, rbf

    n, half = len(X), (d > 0).sum()
    K = rbf(X, X, 1 / (2 * median_bandwidth(X)))
    Ke = K @ domain_factor(half, n - half) / np.sqrt(1 / half + 1 / (n - half))
    HK = K - K.mean(axis=0)
    W = eigh(HK.T @ HK, Ke @ Ke.T + np.eye(n), subset_by_index=[n - COMPONENTS, n - 1])[1]
    return K @ W


def angle(A, B) -> float:
    """The largest principal angle between the two embeddings' column spaces, in degrees."""
    from scipy.linalg import subspace_angles

    return float(np.degrees(subspace_angles(A - A.mean(axis=0), B - B.mean(axis=0)).max()))


def peak_megabytes() -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def measure(who: str, rows: int, columns: int) -> dict[str, float]:
    """Fit and transform once in this process."""
    X, y, d = domains(rows, columns)
    fit = {"ours": fit_ours, "peer": fit_skada}[who]
    fit(X[[*range(60), *range(rows, rows + 60)]], d[[*range(60), *range(rows, rows + 60)]])  # imports and caches
    wall, cpu = time.perf_counter(), time.process_time()
    Z = fit(X, d)
    found = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "peak_mb": peak_megabytes()}
    from sklearn.linear_model import LogisticRegression

    found["accuracy"] = LogisticRegression(max_iter=1000).fit(Z[d > 0], y[d > 0]).score(Z[d < 0], y[d < 0])
    if who == "ours" and rows <= EXACT_ROWS:
        found["angle"] = angle(Z, exact(X, d))
    return found


def in_own_process(python: str, who: str, rows: int, columns: int, limit: float | None) -> dict[str, float] | str:
    command = [python, __file__, "--measure", who, "--rows", str(rows), "--columns", str(columns)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return f"did not finish in {limit:.0f} s"
    if done.returncode:
        return f"failed: {(done.stderr.strip().splitlines() or ['no message'])[-1][:90]}"
    return json.loads(done.stdout.splitlines()[-1])


def shown(name: str, found: dict[str, float] | str) -> str:
    if isinstance(found, str):
        return f"  {name:5} {found}"
    text = "  {:5} {wall:8.2f} s wall {cpu:8.2f} s CPU {peak_mb:7.0f} MB peak   accuracy {accuracy:.3f}".format(
        name, **found
    )
    return text + (f"   {found['angle']:.2f} degrees from the exact subspace" if "angle" in found else "")


def compared(ours: dict[str, float] | str, peer: dict[str, float] | str, limit: float) -> str:
    if isinstance(ours, str) or (isinstance(peer, str) and not peer.startswith("did not finish")):
        return "  no ratio: one of the two failed"
    if isinstance(peer, str):
        return f"  ours takes less than 1/{int(limit / ours['wall'])} of skada's time"
    return f"  ours takes 1/{peer['wall'] / ours['wall']:.1f} of skada's time"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 5000, 20_000, 100_000], help="rows a side")
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--peer", help="a Python that has skada")
    parser.add_argument("--limit", type=float, default=120, help="seconds that the peer may take a size")
    parser.add_argument("--measure", choices=("ours", "peer"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.measure, asked.rows[0], asked.columns)))
        return
    for rows in asked.rows:
        print(f"{rows} rows a side, {asked.columns} columns, {COMPONENTS} components", flush=True)
        ours = in_own_process(sys.executable, "ours", rows, asked.columns, None)
        print(shown("ours", ours), flush=True)
        if asked.peer:
            peer = in_own_process(asked.peer, "peer", rows, asked.columns, asked.limit)
            print(shown("skada", peer), flush=True)
            print(compared(ours, peer, asked.limit))


if __name__ == "__main__":
    main()
