"""The one HTML document of the dashboard: Streamlit's, told where the server is and what it will need."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

# Without it a page opened by its own address looks for the server below that address first, which fails twice.
TOLD = b"<head><script>window.__streamlit = {BACKEND_BASE_URL: window.location.origin}</script>"

BODY = b"<body>"

# Streamlit's parts for charts, which it asks for only when a chart is to be drawn: a second late.
CHUNKS = ("ArrowVegaLiteChart", "loadVegaEmbed", "embed", "vega-interpreter", "Selectbox")
# And those for tables, texts and downloads, which other pages want: loaded when nothing else is waited for.
LATER = ("DataFrame", "Html", "TextInput", "DownloadButton")
IMPORTED = re.compile(r"""(?:from|import)["']\./([\w.-]+\.js)["']""")


class Document:
    """ASGI middleware: answers for the pages' addresses by itself, and leaves the rest to the application."""

    def __init__(self, app: ASGIApp, pages: Mapping[str, str], prerendered: Callable[[str], bytes]) -> None:
        """Pages by their paths ("/answers": "answers"), and what stands on each until its living one is drawn."""
        self._app, self._pages, self._prerendered = app, pages, prerendered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"} or scope["path"] not in self._pages:
            await self._app(scope, receive, send)
            return
        from starlette.responses import HTMLResponse

        # An address that holds a choice shows another page than the one that was drawn beforehand.
        first = b"" if scope["query_string"] else self._prerendered(self._pages[scope["path"]])
        content = document().replace(BODY, BODY + first, 1)
        await HTMLResponse(content, headers={"Cache-Control": "no-store"})(scope, receive, send)


@cache
def document() -> bytes:
    """Streamlit's own, with what it is told, and with what every page needs asked for at once."""
    import streamlit

    static = Path(streamlit.__file__).parent / "static"
    html = (static / "index.html").read_bytes()
    first = chunks(static / "static" / "js", CHUNKS)
    later = [name for name in chunks(static / "static" / "js", LATER) if name not in first]
    asked = "".join(f'<link rel="modulepreload" crossorigin href="./static/js/{name}">' for name in first)
    asked += "".join(
        f'<link rel="modulepreload" crossorigin fetchpriority="low" href="./static/js/{name}">' for name in later
    )
    return html.replace(b"<head>", TOLD, 1).replace(b"</head>", asked.encode() + b"</head>", 1)


def chunks(folder: Path, names: Sequence[str]) -> list[str]:
    """The files of these parts, and all that they import; none where Streamlit keeps them otherwise."""
    found: dict[str, None] = {}
    waiting = [file.name for name in names for file in folder.glob(f"{name}.*.js")]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting += IMPORTED.findall((folder / name).read_text(encoding="utf-8"))
    return list(found)
