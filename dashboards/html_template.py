"""HTML out of templates: every text is escaped, and pictures are images, in which nothing runs."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template

SIGNS = {"better": "▶ ", "worse": "◀ ", "plain": "", "warning": "▲ "}  # before a line of this tone


@cache
def template(file: Path) -> Template:
    """A Jinja template, to be filled with all that it names."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(file.read_text(encoding="utf-8"))


def image_address(svg: bytes) -> str:
    """An SVG as the address of an image."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
