"""The report: what it says, that it is safe, self-contained and reproducible, and that a browser shows it well."""

from __future__ import annotations

import copy
import html
import io
import json
import re
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from sample_record import altered, note, sample_record

from transfermap.messages import Note, language
from transfermap.report.console.terminal import breaks, check_view, frame, leaderboard_table, truth_view, verdict_panel
from transfermap.report.pages.run_page import html_page
from transfermap.report.phrases import (
    bounds,
    columns,
    gain,
    next_steps,
    number,
    percent,
    plain,
    run_folder,
    score,
    sentence,
    shorten,
    steadiness,
)
from transfermap.report.plots.drawing import mark, to_svg
from transfermap.report.plots.run_plots import (
    NothingToShow,
    evidence_plot,
    maps_plot,
    shares_plot,
    shift_plot,
    weighed_rows,
    weights_plot,
)
from transfermap.report.plots.training_plot import discriminator_won, training_plot
from transfermap.verdict.record import Record

ANSWERS = ("use", "stay", "unknown")
KINDS = ("classification", "regression")
LANGS = ("en", "zh")
EVIL = (
    '<script>hacked=1</script>"',
    "' onload=hacked=1 x='",
    "<img src=x onerror=hacked=1>",
    "{{ 7*7 }}</style></svg>",
)


class Tags(HTMLParser):
    """The tags, attributes and text of a page, as a browser would read them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attrs: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attrs += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def text_of(page: str) -> str:
    return " ".join(" ".join(Tags(page).text).split())


@cache
def friendly_page(truth: bool = True) -> str:
    return html_page(*sample_record(truth=truth))


@cache
def hostile_page(lang: str = "en") -> str:
    return html_page(*hostile(), lang)


def hostile() -> tuple[Record, dict[str, Any]]:
    """The same run as the friendly one, with names that try to break out."""
    names = tuple(f"{EVIL[i % 4]}{i}" for i in range(7))
    return sample_record(truth=True, classes=EVIL[:2], column_names=names, label=EVIL[2], files=(EVIL[3], EVIL[0]))


@pytest.mark.parametrize(
    ("answer", "kind", "lang"),
    [
        ("use", "classification", "en"),
        ("use", "regression", "zh"),
        ("stay", "regression", "en"),
        ("stay", "classification", "zh"),
        ("unknown", "classification", "zh"),
        ("unknown", "regression", "en"),
    ],
)
def test_the_page_says_the_verdict_and_every_method(answer: str, kind: str, lang: str) -> None:
    record, arrays = sample_record(kind, answer)
    page = html_page(record, arrays, lang)
    said = text_of(page)
    words = tomllib.loads((files("transfermap.messages") / lang / "report.toml").read_text("utf8"))
    assert words[f"answer_{answer}"] in said
    assert (words["risk_body"] in said) == record.verdict.risk
    assert f'<html lang="{"en" if lang == "en" else "zh-CN"}">' in page
    guess = words["name_majority"] if kind == "classification" else words["name_mean"]
    for name in (guess, *(row.name for row in record.leaderboard[1:])):
        assert name in said
    for shown in (record.command, record.versions["numpy"], *record.inputs.values(), record.made):
        assert shown in said


def test_the_page_is_the_same_each_time_and_leaves_its_input_alone() -> None:
    record, arrays = sample_record(truth=True)
    kept, rows = copy.deepcopy(record), {k: np.array(v) for k, v in arrays.items()}
    assert html_page(record, arrays) == friendly_page()
    assert record == kept
    for key, value in rows.items():
        np.testing.assert_array_equal(arrays[key], value)


def test_a_language_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no language 'fr'"):
        html_page(*sample_record(), "fr")


def test_strangers_names_cannot_add_a_single_tag_or_attribute() -> None:
    evil, friendly = Tags(hostile_page()), Tags(friendly_page())
    assert evil.tags == friendly.tags
    assert [(t, a) for t, a, _ in evil.attrs] == [(t, a) for t, a, _ in friendly.attrs]
    assert not any(name.startswith("on") for _, name, _ in evil.attrs)
    for name in EVIL[:3]:
        assert any(name in text for text in evil.text), name


def test_control_and_direction_characters_are_taken_out() -> None:
    record, arrays = sample_record(classes=("a\x1b[31m", "b\u202ec"), column_names=("x\x00y", "\ud800z", "t\ta"))
    page = html_page(record, arrays)
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ud800]", page)
    page.encode("utf8")


@pytest.mark.parametrize("lang", LANGS)
def test_the_page_needs_nothing_but_itself(lang: str) -> None:
    page = hostile_page(lang)
    parsed = Tags(page)
    assert not {"script", "iframe", "object", "embed", "img", "base", "form"} & set(parsed.tags)
    for tag, name, value in parsed.attrs:
        if name in ("href", "src", "xlink:href", "srcset", "action", "data"):
            assert value.startswith(("#", "data:,")), (tag, name, value)
    css = "".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))
    assert css.count("{") == css.count("}") > 50
    assert "@import" not in css
    assert "url(" not in css
    assert "default-src 'none'" in page


def test_oracle_scores_stand_only_where_there_is_truth_and_are_called_so() -> None:
    with_truth, without = (text_of(friendly_page(t)) for t in (True, False))
    assert "Oracle score" in with_truth
    assert "The verdict was right, measured on 40 target rows" in with_truth
    assert "Oracle score" not in without


def test_a_note_that_this_version_has_no_words_for_shows_its_code() -> None:
    record, arrays = sample_record()
    record = altered(record, lambda r: r["check"]["notes"].append(note("check.of_tomorrow", "warn", count=3)))
    record = altered(record, lambda r: r["notes"].append(note("check.clear", "warn", wrong="placeholder")))
    said = text_of(html_page(record, arrays))
    assert "check.of_tomorrow (count = 3)" in said
    assert "check.clear (wrong = placeholder)" in said
    assert sentence(None, "en") == ""


def test_what_was_not_measured_shows_as_a_dash_not_as_a_number() -> None:
    record, arrays = sample_record()

    def forget(plain: dict[str, Any]) -> None:
        coral = next(r for r in plain["leaderboard"] if r["method"] == "coral")
        coral["evidence"]["importance"] |= {"low": -np.inf, "high": np.inf, "gain_low": -np.inf, "gain_high": np.inf}
        coral |= {"ess": None, "agreement": None}
        plain["check"]["columns"][0] |= {"shift": None, "carries": None, "p": None}
        plain["check"]["columns"][1]["detail"] = {"mean_difference": None, "spread_ratio": None}

    said = text_of(html_page(altered(record, forget), arrays))
    assert not re.search(r"\binf\b", said.lower())
    assert "nan" not in said.lower().split()
    assert "None" not in said


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_with_next_to_nothing_in_it_still_makes_a_page(kind: str) -> None:
    def empty(plain: dict[str, Any]) -> None:
        failed = {"method": "tca", "name": "TCA", "role": "candidate", "status": "failed"}
        plain["leaderboard"] = [*plain["leaderboard"][:2], failed]
        plain |= {"label_me": [], "notes": [], "assumptions": [], "untrusted": {"count": 0, "rows": []}}
        plain["check"] |= {"columns": [], "shares": [], "notes": []}
        for key in ("command", "versions"):
            plain.pop(key)

    record = altered(sample_record(kind, "stay")[0], empty)
    page = html_page(record, {})
    assert "<svg" not in page
    assert "No row is proposed for labelling." in page
    assert "TCA" in printed(leaderboard_table(record))
    assert "Do not adapt" in printed(verdict_panel(record))
    assert printed(check_view(record.check)) == ""


def test_both_catalogues_say_the_same_things() -> None:
    spoken = [tomllib.loads((files("transfermap.messages") / lang / "report.toml").read_text("utf8")) for lang in LANGS]
    assert list(spoken[0]) == list(spoken[1])
    for key in spoken[0]:
        found = [sorted(re.findall(r"\{(\w*)", words[key])) for words in spoken]
        assert found[0] == found[1], key
        assert not re.search(r"[\u4e00-\u9fff][,;:?()]|[,;:?()][\u4e00-\u9fff]", spoken[1][key]), key


def test_next_steps_name_the_run_and_put_labelling_first_when_nothing_is_decided() -> None:
    for answer in ANSWERS:
        record, _ = sample_record(answer=answer)
        record = replace(record, command="transfermap adapt a.csv b.csv -o 'my run'")
        verbs = [step["command"].split()[1] for step in next_steps(record, "en") if step["command"]]
        assert verbs == (["verify", "predict"] if answer == "unknown" else ["predict", "verify"])
        assert any("predict 'my run' new.csv" in step["command"] for step in next_steps(record, "en"))
    assert run_folder("transfermap demo") == "RUN"
    assert run_folder("adapt 'open quote -o x") == "x"


def test_numbers_are_short_and_honest() -> None:
    assert [number(x) for x in (12000, 0.5, 0.123456, 1234.5, None, np.nan)] == [
        "12,000",
        "0.5",
        "0.123",
        "1,234",
        "-",
        "-",
    ]
    assert [percent(x) for x in (0, 1, 0.999, 0.00001, None)] == ["0%", "100%", "99.9%", "<0.1%", "-"]
    assert [score(0.81234, kind) for kind in KINDS] == ["81.2%", "0.812"]
    assert [gain(-0.01234, kind) for kind in KINDS] == ["-1.2", "-0.012"]
    assert bounds(0.012, 0.05, "classification") == "[1.2,5.0]"
    assert bounds(0.71, 0.75, "classification", score) == "[71.0,75.0]"
    assert bounds(-np.inf, np.inf, "classification") == bounds(None, 1.0, "regression") == ""
    assert [steadiness(0.97, kind) for kind in KINDS] == ["3.0%", "0.97"]


def test_names_are_cut_by_the_room_they_take() -> None:
    assert shorten("流失" * 20, 10) == "流失流失…"
    assert columns(shorten("流失" * 20, 10)) <= 10
    assert shorten("short", 10) == "short"
    assert plain("a\u202eb\nc") == "ab c"


# plots


def offsets(ax: Any, marker: str) -> list[float]:
    return [float(x) for line in ax.lines if line.get_marker() == marker for x in line.get_xdata()]


def test_the_evidence_plot_shows_the_recorded_gains_and_intervals() -> None:
    record, _ = sample_record()
    figure = evidence_plot(record)
    rows = [r for r in record.leaderboard if "importance" in r.evidence and r.evidence["importance"].gain is not None]
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["IWV", "Reverse", "InfoMax"]
    for ax, validator in zip(figure.axes, ("importance", "reverse", "infomax"), strict=True):
        seen = [r.evidence[validator] for r in rows]
        drawn = sorted(offsets(ax, "^") + offsets(ax, "o") + offsets(ax, "v"))
        np.testing.assert_allclose(drawn, sorted(s.gain for s in seen))
        ends = [
            tuple(line.get_xdata())
            for line in ax.lines
            if line.get_marker() in ("None", "") and len(line.get_xdata()) == 2
        ]
        assert ends[0] == (0, 0)  # the line at zero
        np.testing.assert_allclose(sorted(ends[1:]), sorted((s.gain_low, s.gain_high) for s in seen))
        assert ax.get_xlim()[0] <= min(s.gain_low for s in seen)
        assert ax.get_xlim()[1] >= max(s.gain_high for s in seen)
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert labels == [r.name for r in rows]
    better = [r for r in rows if r.votes["importance"] == "better"]
    np.testing.assert_allclose(offsets(figure.axes[0], "^"), [r.evidence["importance"].gain for r in better])


def test_the_shift_plot_shows_the_shifts_and_fills_the_sure_ones() -> None:
    record, _ = sample_record()
    record = altered(record, lambda r: r["check"]["columns"][3].update(significant=False))
    (ax,) = shift_plot(record).axes
    found = record.check.columns
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], [c.shift for c in found])
    fills = [bar.get_facecolor() for bar in ax.patches]
    assert len({fill for fill, c in zip(fills, found, strict=True) if c.significant}) == 1
    assert fills[3] != fills[0]


def test_the_shares_plot_shows_source_estimate_and_prediction() -> None:
    record, _ = sample_record(classes=("a", "b", "c"))
    (ax,) = shares_plot(record).axes
    shares, coral = record.check.shares, record.row("coral")
    assert sorted(offsets(ax, "o")) == sorted(s.source for s in shares)
    assert sorted(offsets(ax, "^")) == sorted(s.target for s in shares)
    assert sorted(offsets(ax, "s")) == sorted(coral.shares.values())


def test_the_maps_share_their_axes_and_differ_in_shape_not_only_in_colour() -> None:
    record, arrays = sample_record(classes=("no", "鞋"))
    figure = maps_plot(record, arrays)
    before, after = figure.axes
    assert before.get_shared_x_axes().joined(before, after)
    assert before.get_xlim() == after.get_xlim()
    assert {line.get_marker() for line in before.lines} == {"o", "^"}
    names = {t.get_text(): t.get_position() for t in before.texts}
    middle = np.median(arrays["before_source"][arrays["classes_source"] == 1], axis=0)
    np.testing.assert_allclose(names["鞋"], middle, atol=0.05)
    assert len(maps_plot(record, {k: v for k, v in arrays.items() if not k.startswith("after")}).axes) == 1


def test_marks_of_source_target_and_model_can_be_told_apart_in_grey() -> None:
    looks = [mark(side) for side in ("source", "target", "model")]
    assert len({look["marker"] for look in looks}) == 3
    grey = [np.dot([int(look["color"][i : i + 2], 16) for i in (1, 3, 5)], [0.299, 0.587, 0.114]) for look in looks]
    assert abs(grey[0] - grey[1]) > 40


def test_weighed_rows_name_the_best_the_worst_and_the_effective_sample_size() -> None:
    predicted = weighed_rows({"weights": np.array([0.0, 3.0, 1.0, 0.5, 0.5])}, most=2)
    assert predicted == {
        "heaviest": [(1, 3.0), (2, 1.0)],
        "lightest": [(0, 0.0), (4, 0.5)],
        "effective": 25 / 10.5,
        "total": 5,
    }
    assert weighed_rows({}) is None
    record, arrays = sample_record()
    page = html_page(record, arrays | {"weights": np.r_[np.ones(99), 101.0]}, "en")
    assert "Largest weights" in page and "about 4 of the 100 source rows" in page


def test_the_weights_plot_is_the_diagonal_for_equal_weights_and_a_corner_for_one_row() -> None:
    even = weights_plot({"weights": np.ones(50)}).axes[0].lines[1].get_xydata()
    np.testing.assert_allclose(even[:, 0], even[:, 1])
    one = weights_plot({"weights": np.eye(1, 50)[0]}).axes[0].lines[1].get_xydata()
    np.testing.assert_allclose(one[1:, 1], 1)


@pytest.mark.parametrize(
    "draw",
    [
        lambda r: evidence_plot(replace(r, leaderboard=r.leaderboard[:2])),
        lambda r: shift_plot(replace(r, check=replace(r.check, columns=()))),
        lambda r: shares_plot(sample_record("regression")[0]),
        lambda r: maps_plot(r, {}),
        lambda r: weights_plot({}),
        lambda r: weights_plot({"weights": np.zeros(3)}),
    ],
)
def test_a_plot_that_has_nothing_to_show_says_so(draw: Any) -> None:
    with pytest.raises(ValueError, match=r"needs .*this run has none"):
        draw(sample_record()[0])


def test_svgs_are_reproducible_xml_with_text_as_text_and_ids_of_their_own() -> None:
    record, arrays = sample_record(column_names=("年龄", "a<b&c", "$x$ of $y$", "鞋 \\alpha $"))
    svgs = [
        to_svg(plot)
        for plot in (evidence_plot(record), shift_plot(record), maps_plot(record, arrays), shift_plot(record))
    ]
    assert svgs[1] == svgs[3]
    for svg in svgs:
        ET.fromstring(svg)
        ids = re.findall(r' id="([^"]+)"', svg)
        assert len(ids) == len(set(ids))
        assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg)) == set(ids)
        assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", svg)
        assert re.search(r"\d{4}-\d\d-\d\d", svg) is None
    assert "年龄" in svgs[1]
    assert "$x$ of $y$" in svgs[1]
    assert "var(--source, #2563a8)" in svgs[2]
    every = [i for svg in svgs[:3] for i in re.findall(r' id="([^"]+)"', svg)]
    assert len(every) == len(set(every))


def test_drawing_a_page_starts_no_pyplot_and_importing_it_no_matplotlib() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from sample_record import sample_record\n"
        "from transfermap.report.pages.run_page import html_page; import transfermap.report.console.terminal\n"
        "assert 'matplotlib' not in sys.modules\n"
        "html_page(*sample_record()); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(Path(__file__).parents[1] / "tools")], check=True, timeout=120)


# terminal


def printed(shown: Any, width: int = 80) -> str:
    console = Console(width=width, color_system=None, file=io.StringIO())
    console.print(shown)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_the_terminal_fits_80_columns_without_colour(answer: str, kind: str, lang: str) -> None:
    record, _ = sample_record(kind, answer, truth=True)
    views = (leaderboard_table(record, lang), verdict_panel(record, lang), check_view(record.check, lang))
    said = "".join(printed(view) for view in (*views, truth_view(record.truth, lang)))
    assert max(columns(line) for line in said.splitlines()) <= 80
    assert "\x1b" not in said
    assert "…" not in said
    flat = "".join(said.split())
    for row in record.leaderboard[1:]:
        assert row.name.split()[0] in flat
    coral = record.row("coral")
    assert gain(coral.evidence["importance"].gain, kind) in said
    assert score(coral.oracle.value, kind).removesuffix("%") in printed(views[0])


def test_the_terminal_marks_the_chosen_method_and_the_risky_ones() -> None:
    record, _ = sample_record()
    lines = printed(leaderboard_table(record), 120).splitlines()
    marks = {row.method: next(line for line in lines if row.name in line)[0] for row in record.leaderboard[1:]}
    assert [key for key, marked in marks.items() if marked == ">"] == ["coral"]
    risky = {row.method for row in record.leaderboard if row.risk}
    assert {key for key, marked in marks.items() if marked == "!"} == risky


def test_markup_and_escapes_in_strangers_names_stay_text() -> None:
    record, _ = sample_record(
        column_names=("[red]x[/red]", "[/]", "e\x1b[2Jf"), label="[link=x]y", files=("a", "[bold]b")
    )
    said = printed(check_view(record.check), 120) + printed(verdict_panel(record), 120)
    for name in ("[red]x[/red]", "[/]", "e [2Jf", "[link=x]y", "[bold]b"):
        assert name in said
    assert "\x1b" not in said


def test_an_old_windows_terminal_can_print_the_english_views() -> None:
    record, _ = sample_record(truth=True)
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    console = Console(file=stream, width=80, color_system=None)
    for view in (leaderboard_table(record), verdict_panel(record), truth_view(record.truth)):
        console.print(view)
    stream.flush()


@pytest.mark.parametrize("width", [8, 20, 33])
@pytest.mark.parametrize(
    "text", ["目标表有 13% 的行（约 1 %），只是猜测。年龄、月费：见 report.html", "one two  three, four", "长" * 50, ""]
)
def test_lines_break_where_they_may(text: str, width: int) -> None:
    lines = [text[a:b].rstrip() for a, b in pairwise([0, *breaks(text, width), len(text)])]
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line in lines:
        assert columns(line) <= width or not re.search(r"\s|[\u4e00-\u9fff]{2}", line)
        assert not line.startswith(tuple("，。；：、）"))
    for line, after in pairwise(lines):  # no line ends before it is full
        piece = re.match(r"（?(?:[\u3000-\u9fff\uff00-\uffef]|[^\s\u3000-\u9fff\uff00-\uffef]+)[，。；：、）]*", after)
        assert piece is None or columns(line + piece[0]) > width - 1


def test_the_frame_holds_the_records_figures() -> None:
    record, _ = sample_record(truth=True)
    table = frame(record).set_index("method")
    coral = record.row("coral")
    assert list(table.index) == [row.method for row in record.leaderboard]
    assert table.loc["coral", "importance_gain_low"] == coral.evidence["importance"].gain_low
    assert table.loc["coral", "oracle"] == coral.oracle.value
    assert np.isnan(table.loc["sourceonly", "reverse_gain"])
    assert table.loc["jda", "status"] == "skipped"
    assert not any(name.startswith("oracle") for name in frame(sample_record()[0]).columns)


# a browser looks at it

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on this machine")

LOOK = """
<script>
addEventListener("load", () => {
  const seen = [...document.querySelectorAll("iframe")].map(f => {
    const d = f.contentDocument, root = d.documentElement, box = e => e.getBoundingClientRect();
    const cut = [...d.querySelectorAll("p, h1, h2, h3, li, dt, dd, th, td, code, .tag")].filter(
      e => e.offsetParent && !e.closest(".scroll") && box(e).right > root.clientWidth + 1);
    const plots = [...d.querySelectorAll(".plot svg")].map(s => box(s).width > 200 && box(s).height > 50);
    return {width: root.clientWidth, scroll: root.scrollWidth, cut: cut.map(e => e.outerHTML.slice(0, 80)),
      rows: [...d.querySelectorAll(".scroll")].map(e => e.scrollWidth - e.clientWidth), plots,
      hacked: typeof f.contentWindow.hacked, font: d.defaultView.getComputedStyle(d.body).fontVariantNumeric};
  });
  document.body.dataset.seen = JSON.stringify(seen);
});
</script>"""


def chromium(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    quiet = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}",
    )
    return subprocess.run([str(CHROMIUM), *quiet, *arguments], capture_output=True, check=True, timeout=120)


def look_at(folder: Path, views: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """What a browser makes of pages at widths in pixels; also that it had nothing to complain of."""
    frames = [
        f'<iframe width="{w}" height="900" style="border:0" srcdoc="{html.escape(page)}"></iframe>' for page, w in views
    ]
    outside = folder / "look.html"
    outside.write_text("<!doctype html><meta charset=utf-8><body>" + "".join(frames) + LOOK, encoding="utf8")
    done = chromium(folder, "--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom", outside.as_uri())
    complaints = [line for line in done.stderr.decode("utf8", "replace").splitlines() if "CONSOLE" in line]
    assert not complaints
    body = next(value for _, name, value in Tags(done.stdout.decode("utf8")).attrs if name == "data-seen")
    return list(json.loads(body))


@browser
@pytest.mark.browser
def test_a_browser_shows_the_page_whole_on_a_phone_and_on_a_desk(tmp_path: Path) -> None:
    long = tuple("column_without_any_place_to_break_" * 3 + str(i) for i in range(7))
    runs = [
        sample_record("regression", "stay"),
        sample_record(answer="unknown", column_names=long, classes=("一" * 60, long[0]), files=(long[1], "表" * 80)),
    ]
    pages = [friendly_page(), hostile_page(), *(html_page(*run, "zh") for run in runs)]
    views = [(page, width) for page in pages for width in (390, 1200)]
    for (_, width), seen in zip(views, look_at(tmp_path, views), strict=True):
        assert seen["width"] == width
        assert seen["scroll"] <= width
        assert seen["cut"] == []
        assert seen["plots"]
        assert all(seen["plots"])
        assert width > 390 or max(seen["rows"]) <= 0  # tables restack on a phone and need no sideways scrolling
        assert seen["hacked"] == "undefined"
        assert seen["font"] == "tabular-nums"


@browser
@pytest.mark.browser
def test_a_browser_would_have_told_if_the_page_overflowed_or_ran_a_script(tmp_path: Path) -> None:
    bad = '<body style="margin:0"><script>hacked=1</script><p style="width:700px">x</p><div class="scroll"></div>'
    (seen,) = look_at(tmp_path, [(bad, 390)])
    assert seen["scroll"] == 700
    assert seen["cut"]
    assert seen["hacked"] == "number"


@browser
@pytest.mark.browser
def test_a_browser_prints_the_page(tmp_path: Path) -> None:
    page, paper = tmp_path / "page.html", tmp_path / "page.pdf"
    page.write_text(html_page(*sample_record(answer="unknown"), "zh"), encoding="utf8")
    chromium(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={paper}", page.as_uri())
    sheets = len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes()))
    assert 3 <= sheets <= 15


def test_the_training_curves_show_the_terms_and_say_when_the_discriminator_won() -> None:
    steps = np.arange(50.0)
    curves = np.c_[steps, np.exp(-steps / 9), 0.6 + 0 * steps, np.r_[np.full(20, 0.7), np.full(30, 0.999)]]
    arrays = {"curve_names": np.array(["source", "domain", "discriminator accuracy"]), "curves": curves}
    figure = training_plot(arrays)
    assert [len(ax.lines) for ax in figure.axes] == [2, 2]  # the discriminator's, and chance
    assert discriminator_won(arrays)
    assert not discriminator_won({**arrays, "curves": np.where(curves == 0.999, 0.55, curves)})
    assert not discriminator_won({})
    record, more = sample_record()
    page = html_page(record, more | arrays, "en")
    assert "Training curves" in page and "the domain discriminator was almost always right" in page
    with pytest.raises(NothingToShow, match="curve_names and curves"):
        training_plot({})


def test_a_note_calls_an_ensemble_as_the_tables_of_its_language_do() -> None:
    note = Note("verdict.failed", "info", {"method": "Soft-voting ensemble", "fault": "-"})
    assert sentence(note, "zh").startswith("软投票集成")
    assert sentence(note, "en").startswith("Soft-voting ensemble")


@pytest.mark.parametrize(("written", "meant"), [("ZH", "zh"), ("zh-CN", "zh"), ("zh_CN.UTF-8", "zh"), ("en_GB", "en")])
def test_a_language_is_understood_with_its_region(written: str, meant: str) -> None:
    assert language(written) == meant
