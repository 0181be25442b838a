"""Hostile runs: damaged and forged run folders, and files that do not go with a run.

Each case starts in a folder with a sound run ``run1``, the two tables it was made from, and changes something.
"""

from __future__ import annotations

import json
import pickle
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from hostile import RUN_CASES, add, case, target
from hostile_files import Bomb

PREDICT = ["predict", "run1", "new.csv", "-o", "out.csv"]
VERIFY = ["verify", "run1", "told.csv"]
REPORT = ["report", "run1", "-o", "page.html"]
on_run = partial(case, to=RUN_CASES)


def forged(name: str, content: bytes | None, *words: str) -> None:
    """Replace a file of the run (None: remove it), and try each command that reads it."""
    what = "missing" if content is None else f"of {len(content)} bytes"
    for line in (PREDICT, VERIFY, REPORT):

        def write(folder: Path, line: list[str] = line) -> list[str]:
            path = folder / "run1" / name
            path.unlink() if content is None else path.write_bytes(content)
            return line

        add(f"{line[0]} with {name} {what}", write, "run1", *words, to=RUN_CASES)


forged("model.tmap", b"", "0 bytes")
forged("model.tmap", None)
forged("model.tmap", pickle.dumps(Bomb()), "no model file")
forged("run.json", b"{", "damaged")
forged("run.json", b"[]", "not the record")
forged("run.json", b'{"kind": "transfermap-run", "format": 1}', "earlier version", "format 1")
forged("run.json", b'{"kind": "transfermap-run", "format": 2, "seed": 0}', "damaged", "lacks made")
forged("run.json", b'{"kind": "transfermap-run", "format": "2"}', "format '2'")
forged("run.json", b'{"kind": "somebody-elses", "format": 2}', "not the record")
forged("run.json", b'{"kind": "transfermap-run", "format": 99}', "format 99", "newer")
forged("run.json", b"[" * 100_000, "damaged")
forged("run.json", None, "no run")
forged("run.json", b"\xff\xfe\x00", "damaged")
forged("evidence.npz", None, "missing or damaged")
forged("evidence.npz", b"PK", "missing or damaged")
forged("truth.json", b"{", "damaged")
forged("truth.json", b'{"rows": 3}', "damaged")


def new(folder: Path, table: pd.DataFrame, line: list[str] = PREDICT) -> list[str]:
    """Write a table as new.csv and told.csv."""
    for name in ("new.csv", "told.csv"):
        table.to_csv(folder / name, index=False)
    return line


@on_run("new.csv", "age")
def predict_with_a_missing_column(folder: Path) -> list[str]:
    return new(folder, target().drop(columns="age"))


@on_run("new.csv", "0 bytes")
def predict_an_empty_file(folder: Path) -> list[str]:
    (folder / "new.csv").write_bytes(b"")
    return PREDICT


@on_run("new.csv", "no rows")
def predict_a_header(folder: Path) -> list[str]:
    return new(folder, target()[:0])


@on_run("new.csv", "unequal length")
def predict_ragged_rows(folder: Path) -> list[str]:
    new(folder, target())
    with (folder / "new.csv").open("a", encoding="utf8") as file:
        file.write("1,2,Rome,9,9\n")
    return PREDICT


@on_run("nowhere", "no run")
def predict_with_no_run(folder: Path) -> list[str]:
    return ["predict", "nowhere", *new(folder, target())[2:]]


@on_run("tables", "no run")
def predict_with_another_folder(folder: Path) -> list[str]:
    (folder / "tables").mkdir()
    return ["predict", "tables", *new(folder, target())[2:]]


@on_run("new.csv", "run")
def predict_with_a_file_as_run(folder: Path) -> list[str]:
    return ["predict", "new.csv", *new(folder, target())[2:]]


@on_run("new.csv", "table to be predicted")
def predict_onto_its_own_input(folder: Path) -> list[str]:
    return [*new(folder, target())[:3], "-o", "new.csv", "--overwrite"]


@on_run("out.csv", "exists", "--overwrite")
def predict_onto_a_file(folder: Path) -> list[str]:
    (folder / "out.csv").write_text("mine", encoding="utf8")
    return new(folder, target())


@on_run("run1", "folder")
def predict_onto_a_folder(folder: Path) -> list[str]:
    return [*new(folder, target())[:3], "-o", "run1", "--overwrite"]


@on_run("out.csv", "no folder")
def predict_into_a_folder_that_is_not_there(folder: Path) -> list[str]:
    return [*new(folder, target())[:3], "-o", "no/out.csv"]


@on_run("tca", "sourceonly")
def predict_by_a_method_that_was_not_tried(folder: Path) -> list[str]:
    return [*new(folder, target()), "--method", "tca"]


@on_run(note="table.unread")
def predict_words_where_numbers_were(folder: Path) -> list[str]:
    return new(folder, target().assign(age="old"))


@on_run(note="table.unread")
def predict_some_words_where_numbers_were(folder: Path) -> list[str]:
    table = target().astype({"age": object})
    table.loc[:5, "age"] = "old"
    return new(folder, table)


@on_run(note="table.blank")
def predict_an_empty_column(folder: Path) -> list[str]:
    return new(folder, target().assign(age=np.nan))


@on_run(note="table.unseen")
def predict_categories_never_seen(folder: Path) -> list[str]:
    return new(folder, target().assign(city="Lima"))


@on_run("model.tmap", "cut off or damaged")
def predict_with_a_truncated_model(folder: Path) -> list[str]:
    path = folder / "run1" / "model.tmap"
    path.write_bytes(path.read_bytes()[:-100])
    return new(folder, target())


@on_run("model.tmap", "cut off or damaged")
def predict_with_a_model_whose_bytes_changed(folder: Path) -> list[str]:
    path = folder / "run1" / "model.tmap"
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + b"\xff" * 64 + whole[middle + 64 :])
    return new(folder, target())


@on_run("model.tmap", "transfermap")
def predict_with_a_foreign_zip(folder: Path) -> list[str]:
    with zipfile.ZipFile(folder / "run1" / "model.tmap", "w") as archive:
        archive.writestr("manifest.json", "{}")
        archive.writestr("model.skops", pickle.dumps(Bomb()))
    return new(folder, target())


@on_run("model.tmap", "format 99", "newer")
def predict_with_a_newer_model(folder: Path) -> list[str]:
    path = folder / "run1" / "model.tmap"
    with zipfile.ZipFile(path) as archive:
        manifest, data = json.loads(archive.read("manifest.json")), archive.read("model.skops")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest | {"format": 99}))
        archive.writestr("model.skops", data)
    return new(folder, target())


@on_run("model.tmap", "not the model file of this run")
def predict_with_a_model_of_other_parts(folder: Path) -> list[str]:
    from sklearn.linear_model import LogisticRegression

    from transfermap.runs.model_file import save

    save(LogisticRegression(), folder / "run1" / "model.tmap")
    return new(folder, target())


@on_run("model.tmap", "jda")
def predict_with_a_method_that_the_model_lacks(folder: Path) -> list[str]:
    path = folder / "run1" / "run.json"
    record = json.loads(path.read_text(encoding="utf8"))
    record["verdict"]["model"] = "jda"
    path.write_text(json.dumps(record), encoding="utf8")
    return new(folder, target())


@on_run("evidence.npz", "damaged")
def verify_with_pickled_evidence(folder: Path) -> list[str]:
    np.savez(folder / "run1" / "evidence.npz", predicted_sourceonly=np.array([Bomb()], dtype=object))
    return new(folder, pd.DataFrame({"row": [1, 2], "churned": ["yes", "no"]}), VERIFY)


@on_run("evidence.npz", "damaged")
def verify_with_evidence_of_another_run(folder: Path) -> list[str]:
    np.savez(folder / "run1" / "evidence.npz", predicted_sourceonly=np.array(["yes"]))
    return new(folder, pd.DataFrame({"row": [1, 2], "churned": ["yes", "no"]}), VERIFY)


@on_run("told.csv", "churned", "age, income, city")
def verify_without_a_label_column(folder: Path) -> list[str]:
    return new(folder, target(), VERIFY)


@on_run("churned", "no row has a label")
def verify_before_labels_are_filled_in(folder: Path) -> list[str]:
    return ["verify", "run1", "run1/label_me.csv"]


@on_run("row", "told.csv", "0 to 49")
def verify_row_numbers_out_of_range(folder: Path) -> list[str]:
    return new(folder, pd.DataFrame({"row": [1, 50], "churned": ["yes", "no"]}), VERIFY)


@on_run("row", "told.csv", "0 to 49")
def verify_row_numbers_with_fractions(folder: Path) -> list[str]:
    return new(folder, pd.DataFrame({"row": [1, 2.5], "churned": ["yes", "no"]}), VERIFY)


@on_run("row", "told.csv", "twice")
def verify_row_numbers_twice(folder: Path) -> list[str]:
    return new(folder, pd.DataFrame({"row": [1, 1], "churned": ["yes", "no"]}), VERIFY)


@on_run("told.csv", "age", "row")
def verify_other_columns(folder: Path) -> list[str]:
    return new(folder, pd.DataFrame({"height": [1, 2], "churned": ["yes", "no"]}), VERIFY)


@on_run(note="verify.strange")
def verify_a_class_never_seen(folder: Path) -> list[str]:
    return new(folder, target().assign(churned=np.resize(["yes", "perhaps"], 50)), VERIFY)


@on_run(note="verify.few")
def verify_one_row(folder: Path) -> list[str]:
    return new(folder, pd.DataFrame({"row": [1], "churned": ["yes"]}), VERIFY)


@on_run(note="verify.few")
def verify_one_class(folder: Path) -> list[str]:
    return new(folder, target().assign(churned="yes")[:20], VERIFY)


@on_run("nowhere.csv", "no file")
def verify_with_no_table(folder: Path) -> list[str]:
    return ["verify", "run1", "nowhere.csv"]


@on_run("run2", "no run")
def report_on_no_run(folder: Path) -> list[str]:
    return ["report", "run2"]


@on_run("fr", "en, zh")
def report_in_an_unknown_language(folder: Path) -> list[str]:
    return [*REPORT, "--lang", "fr"]


@on_run("run1", "folder")
def report_onto_a_folder(folder: Path) -> list[str]:
    return ["report", "run1", "-o", "run1"]


@on_run("page.html", "no folder")
def report_into_a_folder_that_is_not_there(folder: Path) -> list[str]:
    return ["report", "run1", "-o", "no/page.html"]


@on_run("run1", "run already", "--overwrite")
def adapt_onto_a_run(folder: Path) -> list[str]:
    return ["adapt", "a.csv", "b.csv", "--label", "churned", "-o", "run1"]
