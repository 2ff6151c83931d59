"""The report as Markdown, beside its figures and tables: for a paper's supplement."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dashboards.figures.page import NOTICE, Figure, Part
from dashboards.report.contents import Written, sentences
from dashboards.report.values import shown_rows

ROWS = 12  # of a table in the text; its file has them all
MARKUP = re.compile(r"([\\`*_{}\[\]<>#|!$~&])")
LINK_STARTS = re.compile(r"([:.@])(?=[^\s\d])")
LIST_STARTS = re.compile(r"^(\d+|)([-+.)])(?=\s|$)")


def plain(text: str) -> str:
    """``text`` as Markdown that shows just this text, in one line, and can still be read as it stands."""
    inert = MARKUP.sub(r"\\\1", " ".join(text.split()))
    inert = LINK_STARTS.sub(r"\\\1", inert)
    return LIST_STARTS.sub(r"\1\\\2", inert)


def as_markdown(title: str, when: str, chapters: list[Written]) -> str:
    """The whole text. What strangers named is escaped."""
    return "\n".join([f"# {plain(title)}", "", f"{when}. {NOTICE}", *_chapters(chapters), ""])


def _chapters(chapters: list[Written]) -> Iterator[str]:
    for each in chapters:
        yield from ("", f"## {each.chapter.title}", "")
        yield "\n\n".join(plain(line.text) for line in sentences(each.page))
        for part in each.page.parts:
            yield from _part(each, part)


def _part(chapter: Written, part: Part) -> Iterator[str]:
    if part.title:
        yield from ("", f"### {plain(part.title)}")
    for text in [*(line.text for line in part.lines), *([part.missing.what] if part.missing else [])]:
        yield from ("", plain(text))
    for figure in part.figures:
        yield from _figure(chapter.file_stem(figure), figure)


def _figure(stem: str, figure: Figure) -> Iterator[str]:
    yield ""
    if figure.chart is not None:
        yield from (f"![{plain(figure.says)}](figures/{stem}.svg)", "")
    yield f"**{plain(figure.title)}.** {plain(figure.says)} {plain(figure.method)}"
    yield ""
    yield from _table(figure)
    yield (
        f"[All {len(figure.table):,} rows](tables/{stem}.csv)"
        if len(figure.table) > ROWS
        else f"[CSV](tables/{stem}.csv)"
    )


def _table(figure: Figure) -> Iterator[str]:
    if figure.table.empty:
        return
    yield _row([str(column) for column in figure.table.columns])
    yield "|" + " --- |" * len(figure.table.columns)
    yield from map(_row, shown_rows(figure, ROWS))
    yield ""


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(map(plain, cells))} |"
