"""``transfermap check``: what differs between two tables, before any training."""

from __future__ import annotations

from transfermap.cli.console import console, progress, say_json
from transfermap.cli.options import (
    AsJson,
    BackboneName,
    Debug,
    Domain,
    Group,
    Kind,
    Label,
    Lang,
    Seed,
    Source,
    Tables,
    Target,
    TextFeatures,
)
from transfermap.cli.task import task_of


def check(
    tables: Tables,
    label: Label = None,
    source: Source = None,
    domain: Domain = None,
    target: Target = None,
    group: Group = None,
    kind: Kind = None,
    text_features: TextFeatures = "auto",
    backbone: BackboneName = None,
    seed: Seed = 0,
    lang: Lang = "en",
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """How source and target differ (domain shift), before any training, and what is untestable without labels."""
    from transfermap.report.console.terminal import check_view
    from transfermap.verdict.check.check import check as compare

    with progress(as_json) as tick:
        tick("reading the tables")
        task = task_of(tables, label, source, domain, target, group, kind, backbone=backbone, tick=tick)
        tick("comparing them")
        found = compare(task, seed, text_features)
    if as_json:
        say_json(found.to_dict())
    else:
        console().print(check_view(found, lang))
