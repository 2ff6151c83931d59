"""Tests of dashboards/figures/export.py."""

from __future__ import annotations

import csv
import io
import struct

import altair as alt
import pandas as pd  # noqa: TID253
import pytest

from dashboards.figures.export import as_csv, as_png, as_svg
from dashboards.figures.page import Figure

TABLE = pd.DataFrame({"model": ["Round 1", 'a "name", with <b>'], "win rate": [0.634, 0.5]})
CHART = alt.Chart(TABLE).mark_point().encode(x="win rate:Q", y="model:N").properties(width="container", height=80)


def figure(chart: alt.Chart | None = CHART) -> Figure:
    return Figure("rates", "Rates", "Two rates.", "counted", TABLE, chart)


def test_csv_is_the_table() -> None:
    assert as_csv(figure()).decode() == 'model,win rate\nRound 1,0.634\n"a ""name"", with <b>",0.5\n'


def test_no_text_is_a_formula_to_a_spreadsheet() -> None:
    table = pd.DataFrame({"=x": ["=HYPERLINK(1)", "+1", "-1", "@a", "a=b"], "change": [-0.5, 1, 2, 3, 4]})
    lines = as_csv(Figure("t", "T", "T.", "m", table)).decode().splitlines()
    assert lines == ["'=x,change", "'=HYPERLINK(1),-0.5", "'+1,1.0", "'-1,2.0", "'@a,3.0", "a=b,4.0"]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("\t=SUM(1)", "'\t=SUM(1)"),
        ("\n=SUM(1)", "'\n=SUM(1)"),
        ("\r=SUM(1)", "'\n=SUM(1)"),
        ("fine\r=SUM(1)\r\nthen", "fine\n=SUM(1)\nthen"),
    ],
)
def test_space_hides_no_formula_and_ends_no_row(text: str, safe: str) -> None:
    table = pd.DataFrame({"x": [text]})
    written = as_csv(Figure("t", "T", "T.", "m", table)).decode()
    assert next(csv.DictReader(io.StringIO(written, newline="")))["x"] == safe


def test_svg_holds_the_texts_as_text_and_runs_nothing() -> None:
    svg = as_svg(figure()).decode()
    assert svg.startswith("<svg")
    assert "Round 1" in svg
    assert "<b>" not in svg
    assert "<script" not in svg
    assert 'fill="white"' in svg


def test_png_has_300_dots_per_inch() -> None:
    png = as_png(figure())
    assert png.startswith(b"\x89PNG")
    at = png.index(b"pHYs") + 4
    per_metre = struct.unpack(">I", png[at : at + 4])[0]
    assert per_metre * 0.0254 == pytest.approx(300, abs=1)


def test_the_page_keeps_its_own_chart() -> None:
    before, own = CHART.to_dict(), figure()
    as_svg(own)
    assert own.spec == CHART.to_dict() == before


def test_a_table_alone_has_no_picture() -> None:
    with pytest.raises(ValueError, match="without a chart"):
        as_svg(figure(None))
