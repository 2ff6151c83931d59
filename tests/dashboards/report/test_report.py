"""Tests of dashboards/report/: whole reports, as files."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dashboards.chapters import CHAPTERS
from dashboards.figures.page import NOTICE
from dashboards.report.markdown import plain
from dashboards.report.stage import Report, report
from dashboards.report.values import shown_value
from ledger.errors import InputError
from ledger.store import Ledger
from ledger.workspace import open_workspace
from tests.dashboards.made_ledger import NASTY
from tests.dashboards.made_lineage import trained


class Seen(HTMLParser):
    """The elements of a page, its text, and the addresses in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def written(folder: Path, out: Path) -> Report:
    with open_workspace(folder, create=False) as workspace:
        return report(workspace, out)


def test_a_report_is_a_page_a_text_figures_and_tables(folder: Path, ledger: Ledger, tmp_path: Path) -> None:
    trained(ledger)
    out = tmp_path / "out" / "supplement"
    found = written(folder, out)
    assert found.problems == ()
    assert found.chapters == tuple(chapter.name for chapter in CHAPTERS)
    figures = sorted(file.name for file in (out / "figures").iterdir())
    assert len(figures) == 2 * found.figures
    assert {"lineage-lineage.svg", "lineage-lineage.png"} <= set(figures)
    assert len(list((out / "tables").iterdir())) == found.tables
    with (out / "tables" / "lineage-lineage.csv").open() as file:
        assert ["Round 2 (ipo)", "pairs", "", "1"] in list(csv.reader(file))


def test_page_and_text_say_the_same(folder: Path, ledger: Ledger, tmp_path: Path) -> None:
    trained(ledger)
    written(folder, tmp_path / "out")
    page = Seen((tmp_path / "out" / "index.html").read_text())
    text = (tmp_path / "out" / "report.md").read_text()
    for said in (NOTICE, "Round 2 (ipo) was trained on 1 pair, resting on 3 ratings, 2 of them by surgeons"):
        assert said in page.text
        assert said in text
    for link in re.findall(r"\]\((\S+?)\)", text):
        assert (tmp_path / "out" / link).is_file(), link


def test_the_page_loads_nothing_and_runs_nothing(folder: Path, ledger: Ledger, tmp_path: Path) -> None:
    trained(ledger, hostile=NASTY)
    written(folder, tmp_path / "out")
    page = Seen((tmp_path / "out" / "index.html").read_text())
    assert "script" not in page.elements
    assert all(address.startswith(("data:image/svg+xml;base64,", "#")) for address in page.addresses)
    assert any(address.startswith("data:") for address in page.addresses)


def test_it_says_what_it_was_counted_from(folder: Path, ledger: Ledger, tmp_path: Path) -> None:
    trained(ledger)
    written(folder, tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "report.json").read_text())
    assert set(facts["counted"]) == {chapter.name for chapter in CHAPTERS}
    assert facts["counted"]["lineage"]["source"]["rows"][0] == 3  # models
    assert facts["code"]


def test_a_report_of_an_empty_ledger_says_what_is_missing(folder: Path, ledger: Ledger, tmp_path: Path) -> None:
    written(folder, tmp_path / "out")
    assert "No model is known yet" in (tmp_path / "out" / "report.md").read_text()


def test_a_second_report_follows_the_ledger(folder: Path, ledger: Ledger, tmp_path: Path) -> None:
    out = tmp_path / "out"
    written(folder, out)
    trained(ledger)
    written(folder, out)
    assert "Round 2 (ipo)" in (out / "report.md").read_text()


def test_a_workspace_that_cannot_be_written_is_counted_elsewhere(
    folder: Path, ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(ledger)
    (folder / "cache").write_text("a file where the folder would be")
    assert written(folder, tmp_path / "out").problems == ()
    assert "Round 2 (ipo)" in (tmp_path / "out" / "report.md").read_text()
    said = capsys.readouterr().err
    assert said.count("cannot be written; what is counted is forgotten at the end") == 1


def test_a_folder_that_cannot_be_written_is_named(folder: Path, ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file"):
        written(folder, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@settings(deadline=None)
@given(st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"])))
def test_any_text_in_markdown_shows_just_itself(text: str) -> None:
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(plain(text))
    kinds = {child.type for token in tokens for child in token.children or ()}
    assert kinds <= {"text", "text_special"}
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    shown = "".join(child.content for token in tokens for child in token.children or ())
    assert shown == " ".join(text.split())


def test_addresses_are_no_links() -> None:
    assert "://" not in plain("see https://evil.example/x").replace("\\://", "")
    assert plain("mail a@evil.example, www.evil.example") == "mail a\\@evil\\.example, www\\.evil\\.example"
    assert plain("63.4% of 1,200 [58.1, 68.2].") == "63.4% of 1,200 \\[58.1, 68.2\\]."


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (0.634, "percent", "63.4%"),
        (None, "percent", "-"),
        (float("nan"), "number", "-"),
        (1_200, "count", "1,200"),
        (0.12345, "number", "0.123"),
        (True, "text", "True"),
        ("a", "count", "a"),
        (0.5, "text", "0.5"),
    ],
)
def test_values_as_people_read_them(value: object, kind: str, said: str) -> None:
    assert shown_value(value, kind) == said  # type: ignore[arg-type]
