"""Hostile tables: files that can be read, but whose content is broken, odd or a trap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from hostile import ADAPT, altered, case, source, target

Frame = pd.DataFrame
REGRESSION = ("--task", "regression")


# labels


@altered("churned", "one value", "yes")
def one_class(s: Frame, t: Frame) -> None:
    s["churned"] = "yes"


@altered("churned", "70 different", "classes")
def one_row_a_class(s: Frame, t: Frame) -> None:
    s["churned"] = [f"class {i}" for i in range(len(s))]


@altered(note="task.rare_classes")
def two_rows_a_class(s: Frame, t: Frame) -> None:
    s["churned"] = [f"class {i // 2}" for i in range(len(s))]


@altered(note="task.rare_classes")
def a_class_with_one_row(s: Frame, t: Frame) -> None:
    s.loc[3, "churned"] = "perhaps"


@altered("churned", "2 source rows", "got 0")
def all_missing_label(s: Frame, t: Frame) -> None:
    s["churned"] = np.nan


@altered(note="task.unlabelled")
def some_labels_missing(s: Frame, t: Frame) -> None:
    s.loc[::3, "churned"] = ["", "NA", "?", "null"][0]


@altered(note="task.classification")
def flags_as_labels(s: Frame, t: Frame) -> None:
    s["churned"] = s["churned"] == "yes"


@altered(note="task.classification")
def blanks_around_labels(s: Frame, t: Frame) -> None:
    s.loc[::2, "churned"] = "  " + s["churned"] + " "


@altered(note="task.alike_classes")
def labels_in_mixed_case(s: Frame, t: Frame) -> None:
    s.loc[::4, "churned"] = s["churned"].str.upper()


@altered(note="task.classification", run=ADAPT)
def label_minus_one(s: Frame, t: Frame) -> None:
    s["churned"] = np.where(s["churned"] == "yes", 1, -1)


@altered("churned", "70 different", "regression", more=("--task", "classification"))
def continuous_label_as_classes(s: Frame, t: Frame) -> None:
    s["churned"] = s["income"] * 1.7 + 0.01


@altered("churned", "numbers", "no", more=REGRESSION)
def words_as_numbers(s: Frame, t: Frame) -> None:
    pass


@altered("churned", "one value", "7", more=REGRESSION)
def constant_regression_label(s: Frame, t: Frame) -> None:
    s["churned"] = 7.0


@altered(note="task.unlabelled", run=ADAPT, more=REGRESSION)
def infinite_regression_label(s: Frame, t: Frame) -> None:
    s["churned"] = np.where(np.arange(70) == 3, np.inf, s["income"] * 2 + np.random.default_rng(0).normal(size=70))


@altered(note="task.regression", run=ADAPT)
def enormous_regression_label(s: Frame, t: Frame) -> None:
    s["churned"] = np.random.default_rng(0).normal(size=70) * 1e200


@altered(note="task.label_in_disguise")
def label_under_another_name(s: Frame, t: Frame) -> None:
    t["has_left"] = np.resize(["yes", "no"], len(t))


@altered(note="task.target_label")
def label_in_the_target_too(s: Frame, t: Frame) -> None:
    t["churned"] = np.resize(["no", "yes"], len(t))


@altered(note="check.leak")
def label_leaks_into_a_column(s: Frame, t: Frame) -> None:
    s["code"], t["code"] = np.where(s["churned"] == "yes", 17, 4), np.resize([17, 4], len(t))


# rows


@altered(note="check.duplicates", run=ADAPT)
def target_is_the_source(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    return s, s.drop(columns="churned")


@altered("target", "one row", "at least two")
def target_of_one_row(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    return s, t[:1]


@altered(note="task.few_target_rows", run=ADAPT)
def target_of_two_rows(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    return s, t[:2]


@altered(note="task.few_target_rows", run=ADAPT)
def target_of_three_rows(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    return s, t[:3]


@altered("source", "2", "rows")
def source_of_one_row(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    return s[:1], t


@altered(note="task.few_source_rows")
def source_of_two_rows(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    return s.sort_values("churned").iloc[[0, -1]], t


@altered("6 labelled source rows", "got 2", run=ADAPT)
def source_of_two_rows_to_adapt(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    return s.sort_values("churned").iloc[[0, -1]], t


@altered("6 labelled source rows", "got 3", run=ADAPT)
def source_of_three_rows(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    return s.sort_values("churned").iloc[[0, 1, -1]], t


@altered(note="task.classification")
def row_of_nothing(s: Frame, t: Frame) -> None:
    s.loc[5, ["age", "income", "city"]] = np.nan
    t.loc[7] = np.nan


@altered("no column")
def constant_columns_everywhere(s: Frame, t: Frame) -> None:
    s[["age", "income", "city"]] = [1.0, 2.0, "Rome"]


@altered("no column", "identifier")
def identifiers_only(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    return (
        Frame({"id": np.arange(len(s)), "key": [f"k{i:05x}" for i in range(len(s))], "churned": s["churned"]}),
        Frame({"id": np.arange(len(t)), "key": [f"q{i:05x}" for i in range(len(t))]}),
    )


@altered("label", "churned")
def one_column(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    return s[["age"]], t[["age"]]


@altered("column in common")
def label_column_only(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    return s[["churned"]], t


@altered("column in common", "age", "AGE2")
def no_common_columns(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    return s, t.add_suffix("2").rename(columns=str.upper)


@altered(note="table.empty")
def column_without_a_value(s: Frame, t: Frame) -> None:
    s["age"] = np.nan


@altered(note="table.target_empty", run=ADAPT)
def column_without_a_value_in_the_target(s: Frame, t: Frame) -> None:
    t["age"] = np.nan


@altered(note="table.constant")
def constant_column(s: Frame, t: Frame) -> None:
    s["city"] = "Rome"


@altered(note="table.infinite")
def infinities(s: Frame, t: Frame) -> None:
    s.loc[3, "age"], s.loc[4, "age"], t.loc[3, "income"] = np.inf, -np.inf, np.inf


@altered(note="task.classification", run=ADAPT)
def numbers_near_overflow(s: Frame, t: Frame) -> None:
    s["age"], t["income"] = s["age"] * 1e306, t["income"] * 1e-320
    t.loc[0, "age"] = 1.7e308


@altered(note="check.unseen")
def categories_only_the_target_has(s: Frame, t: Frame) -> None:
    t["city"] = "Lima"


@altered(note="check.unseen")
def ten_thousand_categories(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    s, t = source(12_000), target(50)
    s["shop"] = [f"shop {i % 10_000}" for i in range(len(s))]
    t["shop"] = [f"new {i}" for i in range(len(t))]
    return s, t


@altered(note="table.constant")
def three_thousand_columns_of_ten_rows(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    wide = [Frame(np.random.default_rng(i).normal(size=(10, 3000)).round(2)).add_prefix("c") for i in (1, 2)]
    for table in wide:  # as in tables of genes or words, most columns say nothing
        table.iloc[:, 200:] = 0.0
    return wide[0].assign(churned=s["churned"][:10]), wide[1]


@altered(note="task.classification")
def dates_only(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    when = [pd.date_range("2024-01-01", periods=70, freq="37h"), pd.date_range("2025-01-01", periods=50, freq="31h")]
    return Frame({"when": when[0], "churned": s["churned"]}), Frame({"when": when[1]})


@altered(note="task.classification")
def impossible_dates(s: Frame, t: Frame) -> None:
    for table in (s, t):
        table["when"] = [f"{1900 + i}-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(len(table))]
        table.loc[3, "when"], table.loc[4, "when"] = "0000-00-00", "9999-99-99"


@altered(note="task.classification")
def text_only(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    def said(table: Frame) -> list[str]:
        return [f"{c} is a town with {a} streets and {i} bakers" for c, a, i in table[["city", "age", "income"]].values]

    return Frame({"words": said(s), "churned": s["churned"]}), Frame({"words": said(t)})


@altered(note="table.unread")
def numbers_among_words(s: Frame, t: Frame) -> None:
    s["age"] = s["age"].astype(object)
    s.loc[3, "age"] = "forty"


@altered(note="table.target_unreadable")
def words_in_the_target_where_the_source_has_numbers(s: Frame, t: Frame) -> None:
    t["age"] = np.resize(["old", "young"], len(t))


@altered(note="task.classification")
def thousands_separators(s: Frame, t: Frame) -> None:
    for table in (s, t):
        table["income"] = [f"{1000 * x:,.0f}" for x in table["income"]]


@altered(note="task.classification")
def decimal_commas(s: Frame, t: Frame) -> None:
    for table in (s, t):
        table["income"] = [f"{x:.3f}".replace(".", ",") for x in table["income"]]


@altered(note="table.target_unreadable")
def decimal_commas_in_the_target_only(s: Frame, t: Frame) -> None:
    t["income"] = [f"{x:.3f}".replace(".", ",") for x in t["income"]]


@altered(note="table.identifier")
def leading_zeros(s: Frame, t: Frame) -> None:
    s["customer_id"], t["customer_id"] = [f"{i:06}" for i in range(70)], [f"{i:06}" for i in range(50)]


@altered(note="task.classification")
def columns_in_another_order(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    return s[["churned", "city", "age", "income"]], t[["income", "city", "age"]]


@altered(note="task.source_only")
def columns_only_the_source_has(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    return s, t[["age"]]


@altered(note="task.target_only")
def columns_only_the_target_has(s: Frame, t: Frame) -> None:
    t["height"] = 1.0


@altered(note="task.names_matched")
def names_in_another_case(s: Frame, t: Frame) -> tuple[Frame, Frame]:
    return s, t.rename(columns={"age": " AGE", "income": "In come"})


NAMES = [
    "[red]x[/red]",
    "<script>alert(1)</script>",
    "数据 🎲",
    "a\nb",
    "%s {0} {column}",
    "n" * 3000,
    "=cmd|'/C calc'!A0",
]


@altered(note="task.classification")
def strange_names(s: Frame, t: Frame) -> None:
    for i, name in enumerate(NAMES):
        s[name], t[name] = s["age"] * (i + 2) % 7, t["age"] * (i + 2) % 7


@altered(note="check.unseen")
def strange_cells(s: Frame, t: Frame) -> None:
    for table, more in ((s, []), (t, ["=HYPERLINK(1)", "{0}", "[/]", "\x1b[31m", "</script>"])):
        table["note"] = np.resize([*NAMES, *more], len(table))


@altered(note="task.classification")
def strange_classes(s: Frame, t: Frame) -> None:
    s["churned"] = s["churned"].map({"yes": "<b>[bold]{0}", "no": "=1+1\n否"})


@case(note="task.classification")
def names_that_collide_with_ours(folder: Path) -> list[str]:
    ours = {"age": "row", "income": "prediction", "city": "far", "churned": "label"}
    for name, table in (("a.csv", source()), ("b.csv", target())):
        table = table.assign(why=table["age"] % 7, guess=table["income"] * 2).rename(columns=ours)
        table.to_csv(folder / name, index=False)
    return [*ADAPT[:4], "label", *ADAPT[5:]]


@case(note="task.classification")
def parquet_of_many_types(folder: Path) -> list[str]:
    for name, table in (("a", source()), ("b", target())):
        n = len(table)
        table["city"] = table["city"].astype("category")
        table["nul\0"] = table["age"] % 5
        table["big"] = np.arange(n, dtype=np.uint64) * 7919 % 97 + 2**63
        table["flag"] = pd.array(np.resize([True, False, None], n), dtype="boolean")
        table["raw"] = np.resize([b"x", b"\xff\xfe", b"y"], n)
        table["when"] = pd.date_range("2024-01-01", periods=n, freq="31h", tz="Asia/Shanghai")
        table["span"] = pd.to_timedelta(np.arange(n) % 9, unit="h")
        table.to_parquet(folder / f"{name}.parquet")
    return ["check", "a.parquet", "b.parquet", "--label", "churned"]
