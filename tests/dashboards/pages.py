"""Pages as Streamlit runs them, over findings that are counted first."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest  # noqa: TID253

from dashboards.counting.count import count
from dashboards.counting.kept import FOLDER, made_folder
from dashboards.counting.section import Section
from dashboards.figures.page import Figure, Page
from dashboards.launch import APP
from dashboards.shown.escaping import WORD_JOINER
from ledger.workspace import open_workspace

PATIENCE = 60  # seconds


def counted(folder: Path, *sections: Section[Any]) -> None:
    """Count these sections of a workspace, as the counting process would."""
    with open_workspace(folder, create=False) as workspace:
        for section in sections:
            count(workspace, made_folder(folder / FOLDER), section)


def shown(page: str = "", **query: str) -> AppTest:
    """A page ("judges", ...; the first where empty), after its first run."""
    app = AppTest.from_file(APP, default_timeout=PATIENCE)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    if page:
        app.switch_page(f"views/{page}.py").run()
    assert not app.exception
    return app


def unfolded(app: AppTest) -> AppTest:
    """The same page, with the tables below its charts."""
    for box in app.expander:
        app.session_state["more-" + box.proto.id.partition("-more-")[2]] = True
    return app.run()


def texts(app: AppTest, *kinds: str) -> str:
    """All that elements of these kinds say, as plain text."""
    said = (str(element.value) for kind in kinds for element in getattr(app, kind))
    return "\n".join(said).replace("\\", "").replace(WORD_JOINER, "")


def charts(app: AppTest) -> list[dict[str, Any]]:
    """The Vega-Lite specifications of the charts."""
    return [json.loads(element.proto.spec) for element in app.get("vega_lite_chart")]


def commands(app: AppTest) -> list[str]:
    """The commands that bring what is missing."""
    return [command for box in app.info for command in re.findall(r"`([^`]+)`", str(box.value))]


def figures(page: Page) -> dict[str, Figure]:
    """The figures of a page by their names, of which there are no two the same; their charts are valid Vega-Lite."""
    found = [figure for part in page.parts for figure in part.figures]
    assert len({figure.name for figure in found}) == len(found)
    for figure in found:
        assert figure.chart is None or figure.spec == figure.chart.to_dict(validate=True)
    return {figure.name: figure for figure in found}


def said(page: Page) -> str:
    """All sentences of a page, those on what is missing too."""
    lines = [page.headline, *page.notes, *(line for part in page.parts for line in part.lines)]
    missing = [page.missing, *(part.missing for part in page.parts)]
    told = [*(line.text for line in lines if line), *(f"{each.what} {each.command}" for each in missing if each)]
    return "\n".join(told)
