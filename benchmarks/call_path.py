"""How long the way is from the command ``adapt A B`` to the first fit of a candidate, and how often it turns back.

    python benchmarks/call_path.py
    PYTHONPATH=other/checkout/src python benchmarks/call_path.py      # another version of the package, for comparison

The command runs in this process on two small tables, under ``sys.setprofile``; the trace ends when scikit-learn is
asked to ``fit`` the first candidate's estimator. Two things are counted, both of functions of the package alone:

* the *path*: the functions that are under way at that moment, from the command down to the fit, and how often the path
  returns to a module that it has left before;
* the *trace*: every call until then, but those that importing a module makes ("distinct": pairs of caller and callee),
  and how often a call goes back to a module after others were entered in between.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
from importlib import import_module, util
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd

PACKAGE = "transfermap"


class Reached(BaseException):
    """The first fit: no handler of the program's own may catch it."""


class Trace:
    """The calls of the package's functions, in their order, and the path when the first candidate is fitted."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.pairs: set[tuple[str, str]] = set()
        self.path: list[tuple[str, str]] = []

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        module = frame.f_globals.get("__name__", "")
        if module.startswith("sklearn.") and frame.f_code.co_name == "fit" and "fitted" in names(frame):
            self.path = list(reversed(list(ours(frame))))
            sys.setprofile(None)
            raise Reached
        # a comprehension, a lambda and a module's body are no step of their own, and what runs on import is no way
        if module.startswith(PACKAGE) and not frame.f_code.co_name.startswith("<") and not imported(frame):
            caller = next(ours(frame.f_back), ("", ""))
            self.calls.append((module, frame.f_code.co_qualname))
            self.pairs.add((".".join(caller), f"{module}.{frame.f_code.co_qualname}"))


def ours(frame: FrameType | None) -> Any:
    """Module and name of the package's functions under way, innermost first."""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(PACKAGE) and not frame.f_code.co_name.startswith("<"):
            yield module, frame.f_code.co_qualname
        frame = frame.f_back


def imported(frame: FrameType | None) -> bool:
    """Whether a frame runs because a module is imported."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def names(frame: FrameType) -> set[str]:
    """Names of the package's functions under way: ``fitted`` fits a candidate, in every version."""
    return {name for _, name in ours(frame)}


def returns(modules: list[str]) -> int:
    """How often a walk over modules comes back to one that it has left."""
    left: set[str] = set()
    back, here = 0, ""
    for module in modules:
        if module != here:
            back += module in left
            left.add(here)
            here = module
    return back


def tables(folder: Path) -> list[str]:
    """Two small tables on disk, and the command line that adapts one to the other."""
    rng = np.random.default_rng(0)
    for name, shift in (("a", 0.0), ("b", 0.5)):
        y = rng.integers(0, 2, 120)
        X = rng.normal(size=(120, 4)) + y[:, None] + shift
        table = pd.DataFrame(X, columns=list("pqrs")).assign(city=np.where(X[:, 0] > 0, "Rome", "Lima"))
        (table.assign(label=y) if name == "a" else table).to_csv(folder / f"{name}.csv", index=False)
    return ["adapt", str(folder / "a.csv"), str(folder / "b.csv"), "--label", "label", "-o", str(folder / "run")]


def main() -> None:
    # the module with the command's app has moved: transfermap.cli once, transfermap.cli.app now
    entry = f"{PACKAGE}.cli.app" if util.find_spec(f"{PACKAGE}.cli").submodule_search_locations else f"{PACKAGE}.cli"
    app, trace = import_module(entry).app, Trace()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        line = tables(Path(folder))
        sys.setprofile(trace)
        try:
            app(line, standalone_mode=False)
        except Reached:
            pass
        finally:
            sys.setprofile(None)
    calls = [module for module, _ in trace.calls]
    print(f"{Path(str(import_module(PACKAGE).__file__)).parent}")
    print(f"path:  {len(trace.path)} steps, {returns([module for module, _ in trace.path])} returns")
    print("       " + " > ".join(f"{module}.{name}".removeprefix(f"{PACKAGE}.") for module, name in trace.path))
    print(
        f"trace: {len(calls)} calls, {len(trace.pairs)} of them distinct, through {len(set(calls))} modules, "
        f"{returns(calls)} returns"
    )


if __name__ == "__main__":
    main()
