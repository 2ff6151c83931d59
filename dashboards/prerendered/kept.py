"""The HTML of pages on disk, beside their findings."""

from __future__ import annotations

from pathlib import Path


def html_file(folder: Path, view: str) -> Path:
    """Where it is kept."""
    return folder / f"{view}.html"


def prerendered(folder: Path, view: str) -> bytes:
    """The HTML of a page; empty where there is none."""
    try:
        return html_file(folder, view).read_bytes()
    except OSError:
        return b""
