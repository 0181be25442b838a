"""The map is true (nothing is listed twice or by half), complete, and drawn whole in every form."""

from __future__ import annotations

import doctest
import io
import itertools
import json
import re
import shutil
import string
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import pytest
from rich.console import Console

from transfermap.card import Card, LabelSets, LabelsRead, Setting, Transfers, cards, find, keys, tools
from transfermap.map import (
    NOTHING,
    Entry,
    counts,
    entries,
    lookup,
    planned,
    select,
    title,
    to_json,
    tree,
    url,
    vocabulary,
)
from transfermap.report.console.card_view import card_json, card_text
from transfermap.report.pages.map_view import html, terminal
from transfermap.report.plots.map_svg import svg

FOUND = entries()
BUILT = [*cards(), *(tool.card for tool in tools().values())]
LANGUAGES = ("en", "zh")
EVIL = Entry(
    key="evil",
    name="[red]x[/] <script>alert(1)</script> & co",
    year=2020,
    family="weighting",
    transfers="instances",
    setting="inductive",
    label_sets="closed",
    needs=("<b>[bold]",),
    reference="[link=x] <i>&",
)


def _printed(thing: Any, width: int = 80, encoding: str = "utf8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    Console(file=stream, width=width, no_color=True, legacy_windows=False).print(thing)
    stream.flush()
    return raw.getvalue().decode(encoding)


def _words(text: str) -> str:
    """Text without its layout: a tree's guides and breaks of lines gone."""
    return " ".join(re.sub("[│├└─]", " ", text).split())


# ---- the data


def test_no_key_is_both_built_and_planned() -> None:
    names = [e.key for e in FOUND]
    assert len(names) == len(set(names))
    assert {e.key for e in FOUND if e.estimator} == set(keys())
    assert {e.key for e in FOUND if e.command} == set(tools())
    assert {e.key for e in FOUND if not e.built} == {e.key for e in planned()}


def test_built_entries_say_what_their_cards_say() -> None:
    shared = ("name", "year", "family", "transfers", "setting", "needs", "reference", "doi")
    for card in BUILT:
        e = next(e for e in FOUND if e.key == card.key)
        assert [getattr(e, f) for f in shared] == [getattr(card, f) for f in shared]
        assert e.built
        assert e.rows == ()
        assert e.reads == card.reads
    for card in cards():
        assert (card.reads, card.side) == (find(card.key).reads.labels, find(card.key).reads.side)


@pytest.mark.parametrize("e", planned(), ids=lambda e: e.key)
def test_planned_entry_is_complete(e: Entry) -> None:
    assert re.fullmatch("[a-z][a-z0-9]+", e.key)
    assert e.name.isascii()
    assert e.transfers in get_args(Transfers)
    assert e.setting in get_args(Setting)
    assert e.label_sets in (get_args(LabelSets) if e.setting != "unsupervised" else ("",))
    assert ("target labels" in e.needs) == (e.setting == "inductive")
    assert str(e.year) in e.reference
    assert e.doi == "" or re.match(r"10\.\d{4,}/\S+$|https://\S+$", e.doi)
    assert all(type(row) is int and row > 0 for row in e.rows)
    assert title(e.family)


def test_planned_families_have_no_folder_and_are_all_used() -> None:
    data = tomllib.loads((files("transfermap") / "planned.toml").read_text("utf8"))
    folders = {f.name for f in (files("transfermap") / "methods").iterdir() if f.is_dir()}
    assert not set(data["families"]) & folders
    assert set(data["families"]) <= {e.family for e in FOUND}
    assert all(e.family in folders | set(data["families"]) for e in planned())


def test_words_are_the_same_in_both_languages_and_cover_the_map() -> None:
    en, zh = (
        tomllib.loads((files("transfermap.messages") / lang / "map.toml").read_text("utf8")) for lang in LANGUAGES
    )
    assert list(en) == list(zh)
    for key in en:
        holes = [sorted(name for _, name, _, _ in string.Formatter().parse(w[key]) if name) for w in (en, zh)]
        assert holes[0] == holes[1], key
    assert {f"need_{n.replace(' ', '_')}" for e in planned() for n in e.needs} <= set(zh)
    assert {f"{what}_{e.family}" for e in FOUND for what in ("family", "does")} <= set(zh)


# ---- filters and nesting


def test_select_agrees_with_a_plain_loop() -> None:
    needs = [None, NOTHING, *vocabulary(FOUND)]
    for s, la, n, b in itertools.product(
        [None, *get_args(Setting)], [None, *get_args(LabelSets)], needs, [None, True, False]
    ):
        expected = []
        for e in FOUND:
            fits = s is None or e.setting == s
            fits = fits and (la is None or e.label_sets == la)
            fits = fits and (b is None or e.built == b)
            fits = fits and (n is None or n in e.needs or (n == NOTHING and len(e.needs) == 0))
            if fits:
                expected.append(e)
        assert select(FOUND, setting=s, label_sets=la, needs=n, built=b) == expected


@pytest.mark.parametrize(
    ("kind", "word", "listed"),
    [
        ("reads", "all", "both"),
        ("setting", "semi", "inductive"),
        ("label_sets", "same", "partial"),
        ("needs", "money", "target labels"),
    ],
)
def test_an_unknown_filter_word_is_refused_with_those_in_use(kind: str, word: str, listed: str) -> None:
    wrong: dict[str, Any] = {kind: word}
    with pytest.raises(ValueError, match=rf"no .* '{word}'; .*{listed}"):
        select(FOUND, **wrong)


def test_reads_filters_by_whose_labels_a_method_reads() -> None:
    parts = {word: select(FOUND, reads=word) for word in get_args(LabelsRead)}
    assert sum(map(len, parts.values())) == len(BUILT)
    assert {"cca", "coral"} <= {e.key for e in parts["none"]} and "dama" in {e.key for e in parts["both"]}
    assert select(FOUND, reads="none", needs="paired rows") == [e for e in FOUND if e.key == "cca"]


@pytest.mark.parametrize(
    ("lang", "said"),
    [("en", "reads no labels, pairs of rows (side information)"), ("zh", "读取：不需要标签、成对的行")],
)
def test_a_card_says_what_is_read(lang: str, said: str) -> None:
    assert said in _printed(card_text(lookup("cca"), lang), width=120)
    assert card_json(lookup("cca"))["data"]["reads"] == {"labels": "none", "side": "pairs"}


def test_tree_keeps_every_entry_under_its_branch_and_built_ones_first() -> None:
    nested = tree(FOUND)
    assert list(nested) == [t for t in get_args(Transfers) if t in nested]
    flat = [(e, what, family) for what, kin in nested.items() for family, es in kin.items() for e in es]
    assert sorted(e.key for e, _, _ in flat) == sorted(e.key for e in FOUND)
    assert all((e.transfers, e.family) == (what, family) for e, what, family in flat)
    for kin in nested.values():
        begun = [any(e.family == family for e in FOUND if e.built) for family in kin]
        assert begun == sorted(begun, reverse=True)
        for es in kin.values():
            assert es == sorted(es, key=lambda e: (not e.built, e.year, e.key))


def test_json_holds_the_whole_map() -> None:
    data = json.loads(to_json(FOUND))
    leaves = [m for branch in data["map"] for family in branch["families"] for m in family["methods"]]
    assert {m["key"]: m["built"] for m in leaves} == {e.key: e.built for e in FOUND}
    assert data["built"] == len(BUILT)
    assert data["planned"] == len(planned())
    assert json.loads(to_json([])) == {"built": 0, "planned": 0, "map": []}


def test_url() -> None:
    assert url("10.1016/S0378-3758(00)00115-4") == "https://doi.org/10.1016/S0378-3758(00)00115-4"
    assert url("https://jmlr.org/x") == "https://jmlr.org/x"
    assert url("10.1/a<b>") == "https://doi.org/10.1/a%3Cb%3E"
    assert url("") == ""


def test_lookup_finds_built_and_planned_and_helps_with_typing_errors() -> None:
    assert isinstance(lookup("CORAL"), Card)
    dsan = lookup("DSAN")
    assert isinstance(dsan, Entry)
    assert not dsan.built
    with pytest.raises(ValueError, match=r"no method 'corall'; did you mean coral"):
        lookup("corall")
    with pytest.raises(ValueError, match=r"no method '\?\?\?'; 'transfermap map' lists all"):
        lookup("???")


# ---- the terminal


@pytest.mark.parametrize("lang", LANGUAGES)
def test_terminal_shows_every_method_within_80_columns_without_colour(lang: str) -> None:
    text = _printed(terminal(FOUND, lang))
    assert "\x1b" not in text
    assert all(len(line.rstrip("\n")) <= 80 for line in text.splitlines())
    # one of each mark stands in the legend
    assert (text.count("●") - 1, text.count("○") - 1) == tuple(counts(FOUND).values())
    plain = _words(text)
    for e in FOUND:
        assert f"{'●' if e.built else '○'} {e.key} {e.name}, {e.year}" in plain


def test_terminal_needs_no_more_than_ascii() -> None:
    text = _printed(terminal(FOUND), encoding="ascii")
    assert text.count("* ") == sum(e.built for e in FOUND) + 1
    assert " o dsan " in text


def test_terminal_of_nothing_says_so() -> None:
    assert "No method fits" in _printed(terminal([]))


def test_markup_in_names_is_shown_not_obeyed() -> None:
    assert f"{EVIL.name}, 2020" in _words(_printed(terminal([EVIL]), width=200))
    assert "[link=x] <i>&" in _printed(card_text(EVIL), width=200)
    for page in (html([EVIL]), svg([EVIL])):
        assert "<script>alert" not in page
        assert "<b>[bold]" not in page
        assert EVIL.name in unescape(re.sub("</?[a-z][^>]*>", "", page))


# ---- the image


def _boxes(image: str) -> list[tuple[float, float, str, str]]:
    ns = {"s": "http://www.w3.org/2000/svg"}
    texts = ET.fromstring(image).findall(".//s:text", ns)
    return [(float(t.attrib["x"]), float(t.attrib["y"]), t.attrib["class"], "".join(t.itertext())) for t in texts]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_svg_is_xml_with_every_method_and_nothing_from_elsewhere(lang: str) -> None:
    image = svg(FOUND, lang)
    leaves = [(kind, text) for _, _, kind, text in _boxes(image) if kind in ("built", "planned")][2:]
    # the space after a key is one that cannot break
    wanted = [("built" if e.built else "planned", f"{e.key}\xa0 {e.name}, {e.year}") for e in FOUND]
    assert sorted(leaves) == sorted(wanted)
    assert re.findall('https?://[^"]*', image) == ["http://www.w3.org/2000/svg"]
    assert _boxes(svg([], lang))


def _chromium() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
    if found is None:
        pytest.skip("no Chromium on this machine")
    return found


def _run_page(page: str, script: str, folder: Path) -> Any:
    """What ``script`` (an expression) comes to on the page, in a headless browser."""
    probe = f"<script>document.title = JSON.stringify({script});</script>"
    path = folder / "page.html"
    path.write_text(page + probe, encoding="utf8")
    args = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    done = subprocess.run([_chromium(), *args, path.as_uri()], capture_output=True, timeout=90, check=True)
    titles = re.findall("<title>(.*?)</title>", done.stdout.decode("utf8"), re.S)
    return json.loads(unescape(titles[0]))


@pytest.mark.browser
@pytest.mark.parametrize("lang", LANGUAGES)
def test_svg_as_drawn_has_no_label_cut_off_or_on_another(lang: str, tmp_path: Path) -> None:
    page = f"<!doctype html><html><head><meta charset=utf-8><title>x</title></head><body>{svg(FOUND, lang)}"
    boxes = """[...document.querySelectorAll("svg text")].map(t => {
        const b = t.getBBox(); return [b.x, b.y, b.x + b.width, b.y + b.height]; })"""
    size = '["width", "height"].map(a => +document.querySelector("svg").getAttribute(a))'
    drawn = _run_page(page, f"[{boxes}, {size}]", tmp_path)
    width, height = drawn[1]
    assert len(drawn[0]) > 2 * len(FOUND)
    for x0, y0, x1, y1 in drawn[0]:
        assert x0 >= 0
        assert y0 >= 0
        assert x1 <= width
        assert y1 <= height
    for (ax, ay, au, av), (bx, by, bu, bv) in itertools.combinations(drawn[0], 2):
        assert au <= bx or bu <= ax or av <= by + 1 or bv <= ay + 1


# ---- the page


@pytest.mark.parametrize("lang", LANGUAGES)
def test_page_is_whole_and_needs_no_network(lang: str) -> None:
    page = html(FOUND, lang)
    assert f'<html lang="{lang}">' in page
    assert not re.search(r"<link|<img|\bsrc=|@import|url\(|fetch\(|<iframe", page)
    assert page.count("<details") == page.count("</details>")
    shown = re.findall(r'<details class="method( built)?"[^>]*>\s*<summary><span><code>(\w+)</code>', page)
    assert shown == [(" built" if e.built else "", e.key) for e in FOUND]
    assert html([], lang)


@pytest.mark.browser
def test_filters_of_the_page_agree_with_select(tmp_path: Path) -> None:
    choices = [
        {"setting": "inductive"},
        {"labels": "partial"},
        {"needs": NOTHING, "state": "built"},
        {"needs": "target labels", "setting": "inductive", "labels": "closed"},
        {"labels": "open", "state": "built"},
        {"reads": "both", "setting": "inductive"},
        {},
    ]
    script = f"""{json.dumps(choices)}.map(want => {{
        for (const box of boxes) box.value = want[box.id] || "";
        document.getElementById("filters").dispatchEvent(new Event("input"));
        return methods.filter(m => m.checkVisibility()).map(m => m.querySelector("code").textContent); }})"""
    seen = _run_page(html(FOUND), script, tmp_path)
    for want, visible in zip(choices, seen, strict=True):
        state = want.pop("state", None)
        built = None if state is None else state == "built"
        want["label_sets"] = want.pop("labels", None)
        assert visible == [e.key for e in select(FOUND, built=built, **want)]


# ---- cards


@pytest.mark.parametrize("card", BUILT, ids=lambda c: c.key)
def test_card_has_all_nine_fields_and_goes_through_json(card: Card) -> None:
    data = json.loads(json.dumps(card_json(card)))
    template = ["category", "method", "data", "architecture", "procedure", "loss", "training", "paper", "code"]
    assert all(data[field] for field in template)
    assert data["assumes"] == list(card.assumes)
    assert data["fails_when"] == list(card.fails_when)
    assert data["method"]["idea"].endswith(".")
    assert data["paper"]["url"].startswith("https://")
    assert all(param["about"] for param in data["params"])
    for lang, labels in (
        ("en", "Category Loss Paper Fails"),
        ("zh", "分类 方法 数据 网络架构 流程 loss 训练 论文地址 代码"),
    ):
        text = _printed(card_text(card, lang))
        assert all(label in text for label in labels.split())
        assert card.key in text


def test_card_shows_the_bounds_of_its_settings() -> None:
    params = card_json(lookup("coral"))["params"]
    assert {k: params[0][k] for k in ("name", "default", "low")} == {"name": "reg", "default": 0.01, "low": 0}
    assert "reg (default 0.01, at least 0)" in _printed(card_text(lookup("coral")), width=120)
    assert "reg (默认 0.01" in _printed(card_text(lookup("coral"), "zh"), width=120)


@pytest.mark.parametrize("card", BUILT, ids=lambda c: c.key)
def test_example_on_the_card_runs_anywhere(card: Card) -> None:
    source = card_json(card)["example"]
    assert source.count(">>>") > 1
    test = doctest.DocTestParser().get_doctest(source + "\n", {}, card.key, None, 0)
    report = io.StringIO()
    assert doctest.DocTestRunner(verbose=False).run(test, out=report.write).failed == 0, report.getvalue()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_card_of_a_planned_method_says_that_it_is_planned(lang: str) -> None:
    text = _printed(card_text(lookup("dsan"), lang))
    assert ("Planned" if lang == "en" else "计划中") in text
    assert "https://doi.org/10.1109/TNNLS.2020.2988928" in text
    assert card_json(lookup("dsan"))["built"] is False
