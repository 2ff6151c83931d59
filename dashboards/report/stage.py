"""Write a report: count what is not current, then a static page, Markdown, and each figure as files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from dashboards.chapters import CHAPTERS
from dashboards.counting.count import count
from dashboards.counting.kept import Kept, read_kept
from dashboards.counting.place import counts_folder
from dashboards.counting.section import Section
from dashboards.figures.export import as_csv, as_svg, svg_as_png
from dashboards.figures.page import NOTICE
from dashboards.report.contents import Written, written
from dashboards.report.html import as_html
from dashboards.report.markdown import as_markdown
from ledger.errors import InputError, StageError
from ledger.provenance import code_version
from ledger.screen import progress
from ledger.workspace import Workspace

PAGE, TEXT, FACTS = "index.html", "report.md", "report.json"
FIGURES, TABLES = "figures", "tables"


@dataclass(frozen=True)
class Report:
    """What was written."""

    folder: str
    chapters: tuple[str, ...]
    figures: int
    tables: int
    problems: tuple[str, ...]  # chapters that could not be counted, and why

    def text(self) -> str:
        """For people."""
        lines = [
            f"{self.folder}: {PAGE} and {TEXT}, {len(self.chapters)} chapters, {self.figures} figures (SVG and PNG), "
            f"{self.tables} tables (CSV). {NOTICE}"
        ]
        return "\n".join([*lines, *(f"  could not be counted: {problem}" for problem in self.problems)])


def report(workspace: Workspace, out: Path) -> Report:
    """Write the report on a workspace into the folder ``out``; files of an earlier report are replaced.

    Raises:
        InputError: the folder cannot be written.
    """
    with counts_folder(workspace.root) as counts:
        chapters = [
            written(chapter, [_found(workspace, counts, section) for section in chapter.sections])
            for chapter in CHAPTERS
        ]
    try:
        n_figures, n_tables = _write(chapters, out, str(workspace.root.resolve().name))
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror}", where=out, advice="choose a folder that you may write to"
        ) from error
    problems = [f"{each.chapter.title}: {each.stamp.problem}" for each in chapters if each.stamp.problem]
    return Report(str(out), tuple(each.chapter.name for each in chapters), n_figures, n_tables, tuple(problems))


def _found(workspace: Workspace, folder: Path, section: Section[Any]) -> Kept[Any]:
    count(workspace, folder, section)
    kept: Kept[Any] | None = read_kept(folder, section)
    if kept is None:
        raise StageError("what was counted cannot be read", where=folder, advice="remove this folder and try again")
    return kept


def _write(chapters: list[Written], out: Path, name: str) -> tuple[int, int]:
    """Every file; the number of charts and of tables."""
    figures, tables = out / FIGURES, out / TABLES
    for folder in (figures, tables):
        folder.mkdir(parents=True, exist_ok=True)
    every = [(each.file_stem(figure), figure) for each in chapters for figure in each.figures]
    pictures: dict[str, bytes] = {}
    with progress("Drawing", len(every)) as advance:
        for stem, figure in every:
            (tables / f"{stem}.csv").write_bytes(as_csv(figure))
            if figure.chart is not None:
                pictures[stem] = as_svg(figure)
                (figures / f"{stem}.svg").write_bytes(pictures[stem])
                (figures / f"{stem}.png").write_bytes(svg_as_png(pictures[stem]))
            advance(1)
    title = f"Wardround: {name}"
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    (out / PAGE).write_text(as_html(title, when, chapters, pictures), encoding="utf-8")
    (out / TEXT).write_text(as_markdown(title, when, chapters), encoding="utf-8")
    facts = {
        "made": when,
        "code": code_version(),
        "counted": {each.chapter.name: asdict(each.stamp) for each in chapters},
    }
    (out / FACTS).write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2))
    return len(pictures), len(every)
