"""Pages contain text, tables and figures; all text is escaped, and nothing is loaded."""

from __future__ import annotations

import base64
import re
import struct
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.figure import Figure as Canvas

from brainage.reporting.figure import BLUE, Figure, draw
from brainage.reporting.page import Card, Page, Section, Table, write_report

COMMON = re.compile(r'<a href="#reading">.*?</a>|<details class="reading">.*?</details>', flags=re.DOTALL)
PICTURE = Figure("a", "", b"", 1)
SCRIPT = '<script>alert(1)</script>" onload="alert(2)'


def plot(canvas: Canvas) -> None:
    axes = canvas.subplots()
    axes.plot([0, 1, 2], [3, 1, 2], color=BLUE)
    axes.set(xlabel="epoch", ylabel="error")


def picture(name: str = "curve", size: tuple[float, float] = (3.0, 2.0), caption: str = "") -> Figure:
    return draw(name, "A curve that falls and rises.", plot, size=size, caption=caption)


class Elements(HTMLParser):
    """Every element, as its tag, its attributes and its own text; not how to read a page, which all have."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(COMMON.sub("", html))
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attributes), ""))

    def handle_data(self, data: str) -> None:
        if self.all:
            tag, attributes, text = self.all[-1]
            self.all[-1] = (tag, attributes, text + data.strip("\n"))

    def texts(self, tag: str) -> list[str]:
        return [text for found, _, text in self.all if found == tag]

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes, _ in self.all if found == tag]


def elements(*sections: Section) -> Elements:
    return Elements(Page("Title", ["Lead."], sections).html())


def test_a_page_has_its_title_its_lead_its_notices_and_a_link_to_each_section() -> None:
    found = Elements(Page("Title", ["One.", "Two."], [Section("First"), Section("Second")], ["Beware."]).html())
    assert found.texts("h1") == found.texts("title") == ["Title"]
    assert found.texts("h2") == ["First", "Second"]
    assert [(attributes["class"], text) for tag, attributes, text in found.all if tag == "p"] == [
        ("lead", "One."),
        ("lead", "Two."),
        ("notice", "Beware."),
    ]
    assert [attributes["href"] for attributes in found.attributes("a")] == ["#part-1", "#part-2"]
    assert [attributes["id"] for attributes in found.attributes("section")] == ["part-1", "part-2"]


def test_all_texts_of_a_page_are_escaped() -> None:
    figure = Figure(f"name{SCRIPT}", SCRIPT, b"picture", 300, caption=SCRIPT)
    table = Table((SCRIPT,), [[SCRIPT]], title=SCRIPT, note=SCRIPT)
    section = Section(SCRIPT, [SCRIPT], [table], [figure], listing=SCRIPT, listing_title=SCRIPT)
    html = Page(SCRIPT, [SCRIPT], [section], [SCRIPT]).html()
    assert "<script" not in html
    found = Elements(html)
    assert not any(name.startswith("on") for _, attributes, _ in found.all for name in attributes)
    tags = ("title", "h1", "h2", "a", "caption", "th", "td", "figcaption", "summary", "pre")
    assert {tag: found.texts(tag) for tag in tags} == {tag: [SCRIPT] for tag in tags}
    assert found.texts("p") == [SCRIPT] * 4  # the lead, the notice, the section's, the table's note
    assert found.attributes("img")[0]["alt"] == SCRIPT


def test_a_page_loads_nothing_and_forbids_it_by_policy() -> None:
    found = elements(Section("Part", figures=[picture()], tables=[Table(("a",), [["1"]])]))
    assert not {tag for tag, _, _ in found.all} & {"script", "svg", "link", "iframe", "object"}
    addresses = [
        value or "" for _, attributes, _ in found.all for name, value in attributes.items() if name in ("src", "href")
    ]
    assert len(addresses) == 2
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in addresses)
    (policy,) = [a["content"] for a in found.attributes("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_a_table_has_header_rows_title_and_note() -> None:
    found = elements(
        Section("Part", tables=[Table(("name", "n"), [["a", "1"], ["b", "2"]], "Above", "Below", text=True)])
    )
    assert found.texts("caption") == ["Above"]
    assert found.texts("th") == ["name", "n"]
    assert found.texts("td") == ["a", "1", "b", "2"]
    assert found.texts("p") == ["Lead.", "Below"]
    assert found.attributes("table") == [{"class": "text"}]


def test_rows_of_wide_tables_name_their_cells_for_narrow_screens_and_nothing_scrolls() -> None:
    wide = Table(("name", "n", "mean", "sd", "p"), [["a", "1", "2", "3", "4"]])
    html = Page("Title", [], [Section("Part", tables=[wide, Table(("name", "n"), [["b", "4"]])])]).html()
    found = Elements(html)
    assert found.attributes("table") == [{"class": "stacks"}, {}]
    assert [cell.get("data-name") for cell in found.attributes("td")] == ["name", "n", "mean", "sd", "p", None, None]
    assert "content: attr(data-name)" in html and "overflow-x" not in html


@pytest.mark.parametrize(
    ("cells", "stacks"),
    [(["a name of several words", "63.29 ± 7.64", "1"], False), (["a", *["63.29 ± 7.64 years"] * 3], True)],
)
def test_a_row_that_is_too_long_for_a_phone_is_a_list_of_named_cells(cells: list[str], stacks: bool) -> None:
    assert Table(["name"] * len(cells), [cells]).stacks == stacks
    assert not Table((), [cells]).stacks  # without names


def test_facts_and_cards_are_above_the_sections() -> None:
    page = Page("Title", [], facts=[("modality", "ica25")], cards=[Card("MAE", "3.35 years", "2.98 to 3.73")])
    found = Elements(page.html())
    assert (found.texts("dt"), found.texts("dd")) == (["modality"], ["ica25"])
    assert (found.texts("strong"), found.texts("span")) == (["3.35 years"], ["MAE", "2.98 to 3.73"])


@pytest.mark.parametrize(
    ("section", "layout"),
    [
        (Section("text", ["Text."]), "full"),
        (Section("table", tables=[Table((), [])]), "half"),
        (Section("config", listing="seed: 1"), "full"),
        (Section("both", tables=[Table((), [])], figures=[PICTURE]), "split"),
        (Section("wide", tables=[Table(["a", "b"], [["a" * 60, "b"], ["a", "b" * 60]])], figures=[PICTURE]), "full"),
    ],
    ids=lambda value: value.title if isinstance(value, Section) else "",
)
def test_a_table_and_its_figures_are_side_by_side_unless_the_table_is_wide(section: Section, layout: str) -> None:
    assert section.layout == layout
    # A half has the width of the page unless another one is beside it.
    assert [found["class"] for found in elements(section, section).attributes("section")] == [layout] * 2
    (alone,) = elements(section).attributes("section")
    assert alone["class"] == ("full" if layout == "half" else layout)


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("(Butler et al. 2021, doi 10.1002/hbm.25533).", ["10.1002/hbm.25533"]),
        ("doi 10.1016/j.nicl.2023.103319; doi 10.1101/2024.6.", ["10.1016/j.nicl.2023.103319", "10.1101/2024.6"]),
        ('10.1000/a"onclick="b <b>10.1000/c</b>', ["10.1000/a", "10.1000/c"]),
        ("version 10.1/2 and 110.1002/x", []),
    ],
)  # fmt: skip
def test_dois_are_links(text: str, links: list[str]) -> None:
    found = elements(Section("Part", [text]))
    assert [a["href"] for a in found.attributes("a")[1:]] == [f"https://doi.org/{link}" for link in links]
    assert not any("onclick" in attributes for _, attributes, _ in found.all)


def test_parts_that_are_not_given_leave_no_element() -> None:
    found = elements(Section("Part", tables=[Table((), [["a", "1"]])], figures=[picture()]))
    assert not {tag for tag, _, _ in found.all} & {"caption", "thead", "th", "figcaption", "details", "pre"}
    assert found.attributes("table") == [{}]
    assert found.texts("p") == ["Lead."]


def test_a_listing_is_collapsed() -> None:
    found = elements(Section("Part", listing="seed: 1\nbatch_size: 8", listing_title="Config"))
    assert found.texts("summary") == ["Config"]
    assert found.texts("pre") == ["seed: 1\nbatch_size: 8"]
    assert "open" not in found.attributes("details")[0]


@pytest.mark.parametrize(("width", "broad"), [(6.0, False), (7.5, True)])
def test_a_broad_figure_has_a_row_of_its_own(width: float, broad: bool) -> None:
    found = elements(Section("Part", figures=[picture(size=(width, 2.0), caption="Below.")]))
    assert found.attributes("figure") == [{"class": "broad"} if broad else {}]
    assert found.attributes("img")[0]["width"] == str(round(88 * width))
    assert found.texts("figcaption") == ["Below."]


def test_figures_are_written_next_to_the_page_and_embedded_in_it(tmp_path: Path) -> None:
    sections = [Section("One", figures=[picture("a")]), Section("Two", figures=[picture("b", (4.0, 2.0))])]
    report = write_report(tmp_path / "run", Page("Title", [], sections))
    assert report == tmp_path / "run" / "report.html"
    assert sorted(path.relative_to(tmp_path / "run").as_posix() for path in (tmp_path / "run").rglob("*.*")) == [
        "figures/a.png",
        "figures/a.svg",
        "figures/b.png",
        "figures/b.svg",
        "report.html",
    ]
    images = Elements(report.read_text(encoding="utf-8")).attributes("img")
    for name, image in zip("ab", images, strict=True):
        png = (tmp_path / "run" / "figures" / f"{name}.png").read_bytes()
        assert base64.b64decode(str(image["src"]).removeprefix("data:image/png;base64,")) == png
        assert image["alt"] == "A curve that falls and rises."


def test_a_vector_of_an_earlier_report_does_not_stay(tmp_path: Path) -> None:
    for figure in (Figure("a", "", b"", 1, svg=b"<svg/>"), Figure("a", "", b"", 1)):
        write_report(tmp_path, Page("Title", [], [Section("Part", figures=[figure])]))
        assert (tmp_path / "figures" / "a.svg").exists() == bool(figure.svg)


def test_a_figure_has_pixels_for_dense_screens() -> None:
    """At 150 pixels an inch, 3 by 2 inches; a PNG's size is big-endian after its first 16 bytes."""
    png = picture().png
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", png[16:24]) == (450, 300)


def test_the_same_page_is_the_same_bytes(tmp_path: Path) -> None:
    def written(folder: Path) -> dict[str, bytes]:
        table = Table(("name", "n"), [["a", "1"]])
        write_report(folder, Page("Title", ["Lead."], [Section("Part", ["Text."], [table], [picture()])]))
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    first = written(tmp_path / "one")
    assert set(first) == {"report.html", "figures/curve.png", "figures/curve.svg"}
    assert written(tmp_path / "other") == first
    assert written(tmp_path / "one") == first  # and a page that was there is replaced


def test_drawing_leaves_the_style_of_others_alone() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    picture()
    assert dict(matplotlib.rcParams) == before
