"""Tests of dashboards/document.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import streamlit  # noqa: TID253
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboards.document import CHUNKS, LATER, Document, chunks

SCRIPTS = Path(streamlit.__file__).parent / "static" / "static" / "js"


@pytest.fixture
def client() -> TestClient:
    rest = Route("/{rest:path}", lambda _: PlainTextResponse("Streamlit"), methods=["GET", "POST"])
    kept = {"win_rates": b"<p>drawn beforehand</p>"}
    document = Middleware(
        Document, {"/": "win_rates", "/answers": "answers"}, prerendered=lambda view: kept.get(view, b"")
    )
    return TestClient(Starlette(routes=[rest], middleware=[document]))


@pytest.mark.parametrize("path", ["/", "/answers", "/answers?prompt=1"])
def test_pages_are_answered_with_streamlits_document(client: TestClient, path: str) -> None:
    html = client.get(path).text
    assert '<div id="root">' in html
    assert html.index("BACKEND_BASE_URL") < html.index('<script type="module"')


def test_what_was_drawn_beforehand_stands_before_the_living_page(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.text.index("<body>") < answer.text.index("drawn beforehand") < answer.text.index('<div id="root">')
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/?model=1", "/answers"])
def test_another_choice_and_another_page_begin_empty(client: TestClient, path: str) -> None:
    assert "drawn beforehand" not in client.get(path).text


@pytest.mark.parametrize("path", ["/_stcore/health", "/static/js/x.js", "/answers/_stcore/health", "/media/x"])
def test_the_rest_is_streamlits(client: TestClient, path: str) -> None:
    assert client.get(path).text == "Streamlit"


def test_only_reading_is_answered(client: TestClient) -> None:
    assert client.post("/answers").text == "Streamlit"
    assert client.head("/answers").status_code == 200


def test_what_is_asked_for_early_is_there(client: TestClient) -> None:
    names = re.findall(r'href="./static/js/([^"]+)"', client.get("/").text)
    assert names
    assert all((SCRIPTS / name).is_file() for name in names)


def test_every_chunk_is_known_to_this_streamlit() -> None:
    found = chunks(SCRIPTS, (*CHUNKS, *LATER))
    for name in (*CHUNKS, *LATER):
        assert any(each.startswith(f"{name}.") for each in found), name
    assert len(found) == len(set(found))


def test_another_streamlit_without_them_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "embed.1.js").write_text('import{a}from"./other.2.js";import"./third.3.js"')
    (tmp_path / "other.2.js").write_text('export{a}from"./embed.1.js"')
    (tmp_path / "third.3.js").write_text("")
    assert sorted(chunks(tmp_path, ("embed",))) == ["embed.1.js", "other.2.js", "third.3.js"]
    assert chunks(tmp_path / "nowhere", ("embed",)) == []
