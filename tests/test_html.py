"""The page of HTML: well-formed, labelled, asking for nothing, and holding the numbers of its JSON."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import relcli
from relcli.cli.app import run
from relcli.reports.html import Figure, to_html
from relcli.reports.report import Draws, Group, Null, Report, to_document
from relcli.reports.writing import FORMATS
from tests.reports_example import REPORT

SAMPLES = Path(__file__).resolve().parent.parent / "sample_embeddings"
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """What a page holds: its elements with their attributes, what is wrong with them, and its JSON."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.faults: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        repeated = [name for name, count in Counter(name for name, _ in attrs).items() if count > 1]
        self.faults += [f"<{tag}> has {name} twice" for name in repeated]
        self.elements.append((tag, dict(attrs), tuple(self.open)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes, _ in self.elements if tag in tags]

    @property
    def document(self) -> Any:
        return json.loads("".join(data for tag, data in self.texts if tag == "script"))


def faults_of(page: Page) -> list[str]:
    """Return what is wrong with a page's structure, its labels and its references."""
    faults = list(page.faults)
    ids = [attributes["id"] for _, attributes, _ in page.elements if attributes.get("id")]
    faults += [f"id {name} stands {count} times" for name, count in Counter(ids).items() if count > 1]
    for tag, attributes, above in page.elements:
        for name in (attributes.get("aria-labelledby") or "").split():
            faults += [] if name in ids else [f"<{tag}> is labelled by {name}, which is not there"]
        if tag == "svg" and not (attributes.get("role") == "img" and attributes.get("aria-labelledby")):
            faults.append("an <svg> has no label")
        if tag == "img" and not attributes.get("alt"):
            faults.append("an <img> has no alt")
        if tag == "th" and attributes.get("scope") not in ("row", "col", "rowgroup", "colgroup"):
            faults.append(f"<th> has scope {attributes.get('scope')}")
        for name in ("href", "src", "xlink:href", "action", "data", "poster", "srcset"):
            at = attributes.get(name) or "#"
            if not at.startswith(("#", "data:")):
                faults.append(f"<{tag}> asks for {at}")
            if at.startswith("#") and at != "#" and at[1:] not in ids:
                faults.append(f"<{tag}> leads to {at}, which is not there")
        for value in filter(None, attributes.values()):
            faults += [f"<{tag}> asks for {url}" for url in re.findall(r"url\(\s*['\"]?(?!#)([^)]*)", value)]
        if tag == "script" and attributes.get("type") != "application/json":
            faults.append("a <script> runs")
        if tag in ("link", "iframe", "object", "embed", "audio", "video", "base"):
            faults.append(f"<{tag}> stands there")
        if tag == "table" and above.count("table"):
            faults.append("a <table> stands in another")
    tables, captions = len(page.all("table")), len(page.all("caption"))
    faults += [] if tables == captions else [f"{tables} tables have {captions} captions"]
    styles = "".join(data for tag, data in page.texts if tag == "style")
    faults += [f"a style asks: {asked}" for asked in re.findall(r"@import.*|url\((?!#).*", styles)]
    if not any(attributes.get("lang") for attributes in page.all("html")):
        faults.append("<html> has no lang")
    return faults


def at(document: Any, pointer: str) -> Any:
    """Return what a JSON pointer (RFC 6901) points to."""
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def numbers_of(page: Page) -> dict[str, Any]:
    """Return the number that the page shows of each pointer."""
    cells = [attributes for _, attributes, _ in page.elements if "data-value" in attributes]
    return {cell["data-at"] or "": json.loads(cell["data-value"] or "") for cell in cells}


def pointers(value: Any, above: str = "") -> dict[str, float]:
    """Return every number of a document by its pointer."""
    if isinstance(value, dict):
        parts = [pointers(item, f"{above}/{key.replace('~', '~0').replace('/', '~1')}") for key, item in value.items()]
    elif isinstance(value, list):
        parts = [pointers(item, f"{above}/{place}") for place, item in enumerate(value)]
    else:
        return {above: value} if isinstance(value, int | float) and not isinstance(value, bool) else {}
    return {at: number for part in parts for at, number in part.items()}


def full() -> Report:
    """Return a report with every part that a page shows."""
    scores = tuple(
        replace(s, null=Null(0.1234567, 0.01, 0.05, 19, 0.7), draws=Draws(0.25, None, 5)) if s.value else s
        for s in REPORT.scores
    )
    moved = (
        {"id": "a<b", "rank_forward": 12.5, "cosine": 0.123456789},
        {"id": "c", "rank_forward": 3.0, "cosine": 1.0},
    )
    groups = tuple(Group("lang/~", name, count, scores) for name, count in (("de", 12), ("<script>", 1_234)))
    return replace(REPORT, scores=scores, moved=moved, groups=groups)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the page of a real comparison, with pictures."""
    place = tmp_path_factory.mktemp("html") / "report.html"
    words = [str(SAMPLES / "digits_ae_s0.npy"), str(SAMPLES / "digits_ae_s1.parquet")]
    words += ["--anchors", str(SAMPLES / "anchors.txt"), "-m", "mrr,jaccard@10,debiased-cka", "--sample", "200"]
    words += ["--group-by", "label", "--metadata", str(SAMPLES / "labels.csv"), "--check", "mrr>=0.1"]
    assert run(["compare", *words, "-q", "-o", str(place), "-o", str(place.with_suffix(".json"))]) == 0
    text = place.read_text(encoding="utf-8")
    assert Page(text).document == json.loads(place.with_suffix(".json").read_text(encoding="utf-8"))
    return text


@pytest.mark.parametrize("which", ["written", "example", "empty"])
def test_a_page_is_well_formed_and_asks_for_nothing(which, written):
    empty = Report("compare", {"name": "a"}, {"name": "b"}, {}, {}, (), {}, {})
    text = written if which == "written" else to_html(full() if which == "example" else empty)

    assert faults_of(Page(text)) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("<p><b></p></b>", "closes nothing"),
        ('<p id="a"></p><p id="a"></p>', "stands 2 times"),
        ("<svg></svg>", "no label"),
        ("<table><tr><th>a</th></tr></table>", "scope"),
        ('<img alt="a" src="https://example.org/a.png">', "asks for https"),
        ('<a href="#gone">a</a>', "not there"),
        ("<style>p { background: url(http://a) }</style>", "a style asks"),
        ("<script>alert(1)</script>", "runs"),
    ],
)
def test_the_structural_check_sees_what_is_wrong(text, fault):
    assert any(fault in found for found in faults_of(Page(text)))


@pytest.mark.parametrize("which", ["written", "example"])
def test_a_strict_parser_finds_no_error(which, written):
    html5lib = pytest.importorskip("html5lib", reason="needs html5lib, which the extra `test` brings")
    text = written if which == "written" else to_html(full())

    html5lib.HTMLParser(strict=True).parse(text)


@pytest.mark.parametrize("which", ["written", "example"])
def test_the_numbers_of_the_tables_are_those_of_the_json(which, written):
    page = Page(written if which == "written" else to_html(full()))
    shown, held = numbers_of(page), pointers(page.document)

    assert shown == {pointer: held[pointer] for pointer in shown}
    assert all(at(page.document, pointer) == number for pointer, number in shown.items())
    # every figure that a reader may want stands in a table
    wanted = (
        r"/scores/\d+/(value|forward|backward|chance|interval/(low|high)|null/(mean|sd|p|calibrated)|draws/(mean|sd))"
    )
    moved = r"/moved/\d+/.*|/checks/\d+/(value|bound|margin)|/groups/\d+/pairs"
    assert {pointer for pointer in held if re.fullmatch(f"{wanted}|{moved}", pointer)} <= set(shown)


def test_the_page_holds_the_whole_document():
    assert Page(to_html(full())).document == json.loads(json.dumps(to_document(full())))


@pytest.mark.parametrize(
    "name", ["</script><script>alert(1)</script>", "<!--<script>", "a\x00b\x1b", "\udc80", "]]>&amp;"]
)
def test_no_name_breaks_the_page(name):
    report = replace(full(), x={**REPORT.x, "name": name}, notes=(name,), settings={name: 1, "preset": name})
    page = Page(to_html(report))

    assert faults_of(page) == []
    assert page.document["x"]["name"] == name
    assert page.document["notes"] == [name]
    assert len(page.all("script")) == 1


def test_notes_checks_reasons_and_settings_are_told():
    text = "".join(data for _, data in Page(to_html(full())).texts)

    assert all(note in text for note in REPORT.notes)
    assert "the score is undefined" in text
    assert "9,841 pairs are not more than 768 + 9,216 dimensions" in text
    assert all(part in text for part in ("300 random", "1,234 / 8.7e16", "column 'doc_id'", "✗ failed", "✓ passed"))
    assert "– (1)" in text


def test_pictures_are_inline_labelled_and_share_no_id(written):
    pytest.importorskip("matplotlib", reason="needs matplotlib, which the extra `plot` brings")
    page = Page(written)

    assert len(page.all("svg")) == 3
    assert len(page.all("figure")) == len(page.all("figcaption")) == 3
    titles = [data for tag, data in page.texts if tag == "title"]
    assert sum("digits_ae_s0 ↔ digits_ae_s1" in title for title in titles) == 4
    assert "200 queries" in "".join(data for tag, data in page.texts if tag == "desc")


def test_pictures_are_not_shrunk_but_scrolled_by_keys_too(written):
    pytest.importorskip("matplotlib", reason="needs matplotlib, which the extra `plot` brings")
    page = Page(written)
    places = [place for place, (tag, _, _) in enumerate(page.elements) if tag == "svg"]
    titles = [data for tag, data in page.texts if tag == "title"][1:]
    around = [page.elements[place - 1] for place in places]
    styles = "".join(data for tag, data in page.texts if tag == "style")

    assert [tag for tag, _, _ in around] == ["div"] * len(places)
    for (_, attributes, _), title in zip(around, titles, strict=True):
        assert attributes == {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": title}
    # letters of 10 points on a picture of 10 inches stay larger than 11 pixels
    rem = float(re.search(r"figure svg \{ min-width: (\d+)rem", styles)[1])
    for place in places:
        assert 10 * 4 / 3 * 16 * rem / float(page.elements[place][1]["width"] or "") > 11


@pytest.mark.parametrize("name", ["page.html", "page.HTM"])
def test_html_writes_the_page_beside_other_files(tmp_path, name):
    words = [str(SAMPLES / "digits_ae_s0.npy"), str(SAMPLES / "digits_ae_s1.parquet"), "--anchors", "uniform:20"]
    files = ["--html", str(tmp_path / name), "-o", str(tmp_path / "r.json")]

    assert run(["compare", *words, "-m", "mrr", "--sample", "50", "-q", *files]) == 0
    document = Page((tmp_path / name).read_text(encoding="utf-8")).document
    assert document == json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))


def test_html_is_named_as_a_page(tmp_path, capsys):
    words = [str(SAMPLES / "digits_ae_s0.npy"), str(SAMPLES / "digits_ae_s1.parquet"), "--anchors", "uniform:20"]

    assert run(["compare", *words, "--html", str(tmp_path / "page.json")]) == 2
    assert "pages end in .html" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_page_without_pictures_says_why(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    words = [str(SAMPLES / "digits_ae_s0.npy"), str(SAMPLES / "digits_ae_s1.parquet"), "--anchors", "uniform:20"]

    assert run(["compare", *words, "-m", "mrr", "--sample", "50", "-q", "-o", str(tmp_path / "report.html")]) == 0
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert faults_of(page) == []
    assert any("No pictures" in data and "relcli[plot]" in data for _, data in page.texts)
    assert not page.all("svg")


def test_a_figure_stands_as_it_is():
    svg = '<svg role="img" aria-labelledby="a-title"><title id="a-title">t</title></svg>'
    page = to_html(REPORT, [Figure("t", "what < it shows", svg)])

    assert svg in page
    assert "<figcaption>what &lt; it shows</figcaption>" in page


def test_other_commands_write_the_page_too(tmp_path, capfd):
    report = relcli.compare(
        SAMPLES / "digits_ae_s0.npy", SAMPLES / "digits_ae_s1.parquet", "uniform:20", measures="mrr"
    )
    (tmp_path / "report.json").write_text(FORMATS["json"](report), encoding="utf-8")

    assert run(["check", str(tmp_path / "report.json"), "--check", "mrr>=0", "--format", "html"]) == 0
    page = Page(capfd.readouterr().out)
    assert faults_of(page) == []
    assert numbers_of(page)["/scores/0/value"] == report.scores[0].value
