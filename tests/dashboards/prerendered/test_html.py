"""Tests of dashboards/prerendered/html.py."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import altair as alt
import pandas as pd  # noqa: TID253
import pytest

from dashboards.figures.page import NOTICE, Figure, Line, Missing, Page, Part
from dashboards.prerendered.html import NARROW, WIDE, as_html
from tests.dashboards.made_ledger import NASTY

AT = "2026-11-18 11:06:40"


class Seen(HTMLParser):
    """What of a page a browser makes elements of, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def figure(name: str, label: str = "Round 1", *, chart: bool = True) -> Figure:
    table = pd.DataFrame({"model": [label, "SFT"], "rate": [0.6, 0.5]})
    drawn = alt.Chart(table).mark_point().encode(x="rate:Q", y=alt.Y("model:N", axis=alt.Axis(labelLimit=2_000)))
    return Figure(name, f"Title of {name}", f"{name}: {label}.", "m", table, drawn if chart else None)


def pictures(seen: Seen) -> list[ElementTree.Element]:
    (wide,), (narrow,) = seen.of("img"), seen.of("source")
    found = []
    for address in (wide["src"], narrow["srcset"]):
        kind, _, data = str(address).partition(",")
        assert kind == "data:image/svg+xml;base64"
        found.append(ElementTree.fromstring(base64.b64decode(data)))
    return found


def test_it_shows_the_page_down_to_its_first_chart() -> None:
    parts = (
        Part("A table", (figure("table", chart=False),), (Line("Said of the table."),)),
        Part("Over the rounds", (figure("curve"), figure("next")), (Line("Legend.", "worse"),)),
        Part("In detail", (figure("rows"),)),
    )
    seen = Seen(as_html("win_rates", Page(Line("Round 1 beats SFT.", "better"), (Line("A note."),), parts), AT))
    for said in ("Win rates", NOTICE, "Counted 2026-11-18 11:06:40 UTC", "▶ Round 1 beats SFT.", "A note."):
        assert said in seen.text
    for said in ("Said of the table.", "Over the rounds", "◀ Legend.", "Title of curve"):
        assert said in seen.text
    for later in ("In detail", "Title of next", "Title of rows", "Title of table"):
        assert later not in seen.text
    assert seen.of("img")[0]["alt"] == "curve: Round 1."


def test_the_chart_is_drawn_for_a_window_and_for_a_phone() -> None:
    seen = Seen(as_html("win_rates", Page(parts=(Part("P", (figure("curve"),)),)), AT))
    wide, narrow = pictures(seen)
    assert float(wide.attrib["width"]) == pytest.approx(WIDE, abs=2)
    assert float(narrow.attrib["width"]) == pytest.approx(NARROW, abs=2)
    assert "Round 1" in "".join(wide.itertext())


def test_links_lead_to_the_pages() -> None:
    links = Seen(as_html("judges", Page(), AT)).of("a")
    assert [link["href"] for link in links] == [
        "/",
        *("/answers", "/judges", "/reviewing", "/training", "/safety", "/lineage"),
    ]
    assert [link["href"] for link in links if link.get("aria-current")] == ["/judges"]


def test_what_is_missing_is_said_with_its_command() -> None:
    missing = Missing("No round yet.", "wardround round")
    for page in (Page(missing=missing), Page(parts=(Part("P", missing=missing), Part("Q", (figure("curve"),))))):
        seen = Seen(as_html("win_rates", page, AT))
        assert "No round yet." in seen.text
        assert "wardround round" in seen.text


def test_a_page_without_a_chart_is_its_head_alone() -> None:
    seen = Seen(as_html("safety", Page(Line("Held.")), AT))
    assert "Held." in seen.text
    assert seen.of("img") == []


def test_nothing_that_strangers_wrote_is_interpreted() -> None:
    line, part = Line(NASTY), Part(NASTY, (figure(NASTY, NASTY),), (Line(NASTY),))
    html = as_html("win_rates", Page(line, (line,), (part,), Missing(NASTY, NASTY)), AT)
    seen = Seen(html)
    assert seen.text.count(NASTY) == 8 - 1  # headline, note, missing and its command, title, line, figure's title
    assert len(seen.of("script")) == 1
    assert [attributes["alt"] for attributes in seen.of("img")] == [f"{NASTY}: {NASTY}."]
    assert not re.search(r"""(src|href|srcset)=["']?http""", html)
    for picture in pictures(seen):
        assert NASTY in "".join(picture.itertext())
        assert not [each for each in picture.iter() if each.tag.endswith(("script", "image", "a"))]
