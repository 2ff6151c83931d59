"""Draw pages anew whose findings have changed."""

from __future__ import annotations

import traceback
from pathlib import Path

from dashboards.chapters import CHAPTERS, Chapter
from dashboards.counting.kept import kept_file, read_kept, replace_file
from dashboards.prerendered.html import as_html
from dashboards.prerendered.kept import html_file
from ledger.screen import say


def draw_pages(folder: Path) -> None:
    """Draw each page whose findings in ``folder`` are others than those of its HTML."""
    for chapter in CHAPTERS:
        newest = max(_changed(kept_file(folder, section)) for section in chapter.sections)
        if newest != _changed(html_file(folder, chapter.name)):
            replace_file(html_file(folder, chapter.name), _drawn(folder, chapter), newest)


def _drawn(folder: Path, chapter: Chapter) -> bytes:
    """Empty where there is nothing, or where it cannot be drawn: the living page says why."""
    kept = [read_kept(folder, section) for section in chapter.sections]
    if not kept[0] or kept[0].findings is None:
        return b""
    try:
        page = chapter.page(*(each.findings if each else None for each in kept))
        return as_html(chapter.name, page, kept[0].stamp.moment).encode()
    except Exception:
        traceback.print_exc()
        say(f"dashboard: {chapter.title} could not be drawn beforehand")
        return b""


def _changed(file: Path) -> int:
    """In nanoseconds since 1970; -1 where there is no such file."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return -1
