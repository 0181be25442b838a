"""Hostile command lines: options that name what is not there, and places that cannot be written to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hostile import ADAPT, CHECK, Write, add, case, sound, source

OPTIONS: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "unknown label, a close name": ([*CHECK[:4], "chruned"], ("chruned", "did you mean churned")),
    "label in another case": ([*CHECK[:4], "CHURNED"], ("CHURNED", "did you mean churned")),
    "no label": (CHECK[:3], ("--label",)),
    "empty label": ([*CHECK[:4], ""], ("--label",)),
    "label by number in a table with header": ([*CHECK[:4], "3"], ("3", "age, income, city, churned")),
    "unknown group": ([*CHECK, "--group", "patient"], ("group", "patient")),
    "label as group": ([*CHECK, "--group", "churned"], ("churned", "both the label and the group")),
    "unknown task": ([*CHECK, "--task", "ranking"], ("--task", "ranking", "regression")),
    "unknown language": ([*CHECK, "--lang", "fr"], ("fr", "en, zh")),
    "negative seed": ([*CHECK, "--seed", "-1"], ("seed", "-1")),
    "enormous seed": ([*CHECK, "--seed", "99999999999"], ("seed", "99999999999")),
    "unknown method": ([*ADAPT, "--method", "corral"], ("corral", "coral")),
    "unknown estimator": ([*ADAPT, "--estimator", "forrest"], ("forrest", "forest")),
    "estimator of another task": ([*ADAPT, "--estimator", "ridge"], ("ridge", "classification", "logistic")),
    "weights for knn": (
        [*ADAPT[:5], "--method", "kmm", "--estimator", "knn", "--budget", "9s", "-o", "run1"],
        ("Kernel mean", "weigh"),
    ),
    "empty budget": ([*ADAPT, "--budget", ""], ("--budget", "''")),
    "negative budget": ([*ADAPT, "--budget", "-1"], ("--budget", "-1")),
    "budget in words": ([*ADAPT, "--budget", "abc"], ("--budget", "abc")),
    "budget of nothing": ([*ADAPT, "--budget", "0s"], ("--budget", "0s")),
    "endless budget": ([*ADAPT, "--budget", "inf"], ("--budget", "inf")),
    "one table alone": (["check", "a.csv", "--label", "churned"], ("two tables", "--domain")),
    "three tables": (["check", "a.csv", "b.csv", "a.csv", "--label", "churned"], ("two tables", "got 3")),
    "domain without target": ([*CHECK[:2], *CHECK[3:], "--domain", "city"], ("--domain", "--target-domain")),
    "target without domain": ([*CHECK[:2], *CHECK[3:], "--target-domain", "Rome"], ("--domain", "--target-domain")),
    "two tables with domain": ([*CHECK, "--domain", "city", "--target-domain", "Rome"], ("one file", "--domain")),
    "domain column not there": (
        [*CHECK[:2], *CHECK[3:], "--domain", "site", "--target-domain", "x"],
        ("domain", "site", "the table"),
    ),
    "domain value not there": (
        [*CHECK[:2], *CHECK[3:], "--domain", "city", "--target-domain", "Paris"],
        ("city", "Paris", "Rome"),
    ),
    "label as domain": (
        [*CHECK[:2], *CHECK[3:], "--domain", "churned", "--target-domain", "yes"],
        ("churned", "both the label and the domain"),
    ),
    "onto a file": ([*ADAPT[:-1], "b.csv"], ("b.csv", "is a file")),
    "onto the working folder": ([*ADAPT[:-1], "."], (".", "other things")),
    "onto a folder with other things": ([*ADAPT[:-1], "full"], ("full", "other things")),
    "into a folder that is not there": ([*ADAPT[:-1], "no/run1"], ("run1", "no folder")),
    "into a file": ([*ADAPT[:-1], "b.csv/run1"], ("run1", "no folder")),
    "known labels not there": ([*ADAPT, "--labelled-target", "few.csv"], ("few.csv", "no file")),
    "known labels without label": ([*ADAPT, "--labelled-target", "b.csv"], ("label", "churned", "known target labels")),
    "known labels of other rows": ([*ADAPT, "--labelled-target", "a.csv"], ("70", "match no row")),
    "unknown planned method": (["map", "nonsense"], ("nonsense",)),
    "unknown map format": (["map", "--format", "pdf"], ("--format", "pdf")),
    "unknown map setting": (["map", "--setting", "sideways"], ("sideways", "transductive")),
    "map onto a folder": (["map", "--format", "html", "-o", "full", "--overwrite"], ("full", "folder")),
}


def _with_options(line: list[str]) -> Write:
    def write(folder: Path) -> list[str]:
        sound(folder)
        (folder / "full").mkdir()
        (folder / "full" / "thesis.txt").write_text("years of work", encoding="utf8")
        return line

    return write


for _case, (_line, _words) in OPTIONS.items():
    add(_case, _with_options(_line), *_words)


def known(folder: Path, **columns: object) -> list[str]:
    """Adapt with a file of known target labels."""
    sound(folder)
    import pandas as pd

    pd.DataFrame(columns).to_csv(folder / "few.csv", index=False)
    return [*ADAPT, "--labelled-target", "few.csv"]


@case("known target labels", "0 to 49")
def known_labels_out_of_range(folder: Path) -> list[str]:
    return known(folder, row=[3, 50], churned=["yes", "no"])


@case("known target labels", "second time")
def known_labels_twice(folder: Path) -> list[str]:
    return known(folder, row=[3, 3], churned=["yes", "no"])


@case("known target labels", "no row with a label")
def known_labels_empty(folder: Path) -> list[str]:
    return known(folder, row=[3, 4], churned=["", ""])


@case(note="task.foreign_labels")
def known_labels_of_another_class(folder: Path) -> list[str]:
    return known(folder, row=[3, 4, 5], churned=["yes", "no", "perhaps"])


@case("city", "Rome", "one other value")
def domain_of_one_value(folder: Path) -> list[str]:
    source().assign(city="Rome").to_csv(folder / "a.csv", index=False)
    return ["check", "a.csv", "--label", "churned", "--domain", "city", "--target-domain", "Rome"]


@case("churned", "label")
def domain_whose_source_has_no_label(folder: Path) -> list[str]:
    table = source()
    table.loc[table["city"] != "Rome", "churned"] = ""
    table.to_csv(folder / "a.csv", index=False)
    return ["check", "a.csv", "--label", "churned", "--domain", "city", "--target-domain", "Rome"]


@case(note="task.no_domain")
def domain_with_gaps(folder: Path) -> list[str]:
    table = source()
    table.loc[:4, "city"] = ""
    table.to_csv(folder / "a.csv", index=False)
    return ["check", "a.csv", "--label", "churned", "--domain", "city", "--target-domain", "Rome"]


@case(note="task.few_groups")
def group_of_one_value(folder: Path) -> list[str]:
    sound(folder)
    source().assign(patient="p1").to_csv(folder / "a.csv", index=False)
    return [*ADAPT, "--group", "patient"]


@case(note="task.classification")
def group_with_gaps(folder: Path) -> list[str]:
    sound(folder)
    source().assign(patient=np.resize(["p1", "p2", "", "p4"], 70)).to_csv(folder / "a.csv", index=False)
    return [*CHECK, "--group", "patient"]


@case("jda", "regression")
def jda_on_numbers(folder: Path) -> list[str]:
    sound(folder)
    table = source()
    table.assign(churned=table["income"] * 1.5 + table["age"] % 3).to_csv(folder / "a.csv", index=False)
    return [*ADAPT[:5], "--method", "jda", *ADAPT[7:]]


@case(note="task.some_sources")
def sources_of_other_columns(folder: Path) -> list[str]:
    sound(folder)
    source(40).drop(columns="age").to_csv(folder / "c.csv", index=False)
    return [*CHECK, "--source", "c.csv"]


@case("churned", "in c;")
def further_source_without_label(folder: Path) -> list[str]:
    sound(folder)
    source(40).drop(columns="churned").to_csv(folder / "c.csv", index=False)
    return [*CHECK, "--source", "c.csv"]
