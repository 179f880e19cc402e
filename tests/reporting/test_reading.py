"""Every page ends with how to read it, and leads there from its top."""

from __future__ import annotations

import re

from brainage.reporting.page import Page
from brainage.reporting.reading import READING, reading_html


def test_every_heading_is_in_the_page_two_levels_below_its_title() -> None:
    headings = re.findall(r"^(##+) (.+)$", READING.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(headings) > 20
    shown = re.findall(r"<h(\d) id=\"reading-[\w-]+\">(.+)</h\d>", reading_html())
    assert [(int(level), text) for level, text in shown] == [(len(marks) + 1, text) for marks, text in headings]


def test_links_lead_to_places_in_the_page_or_to_papers() -> None:
    page = Page("A page", ["One sentence."]).html()
    links, places = re.findall(r'href="([^"]+)"', page), re.findall(r'id="([^"]+)"', page)
    within = [link[1:] for link in links if not link.startswith("https://doi.org/")]
    assert "reading" in within and "reading-the-gap-depends-on-age" in within
    assert set(within) <= set(places)
    assert len(set(places)) == len(places)


def test_links_to_other_files_are_text() -> None:
    assert "(../experiments" in READING.read_text(encoding="utf-8")
    assert "../experiments" not in reading_html()
    assert "<span>experiments/final_models</span>" in reading_html()


def test_a_page_is_not_much_larger_for_it() -> None:
    assert len(reading_html()) < 48_000
