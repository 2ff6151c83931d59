"""The dashboard's server: Streamlit behind the door, as a process of its own (`dashboards.launch` starts it)."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboards.access.door import Door
from dashboards.access.gate import Gate
from dashboards.access.limits import Limits
from dashboards.access.oidc_gate import Allowed, OidcGate
from dashboards.access.password_gate import PasswordGate
from dashboards.access.rules import certificate_files, check_access, surroundings
from dashboards.access.sessions import Sessions
from dashboards.document import Document
from dashboards.launch import APP, COUNTS_VARIABLE, LOGIN_VARIABLE, WORKSPACE_VARIABLE
from dashboards.navigation import PAGES, path_of
from dashboards.prerendered.kept import prerendered
from ledger.config import CONFIG_NAME, DashboardConfig, load_config
from ledger.screen import say

HOUR = 3_600.0  # seconds
AFTERWARDS = 1.0  # seconds
OPTIONS: dict[str, Any] = {
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.enableCORS": True,  # said here, so that no configuration of Streamlit's own can relax it
    "server.enableXsrfProtection": True,
    "server.enableStaticServing": False,
    "server.baseUrlPath": "",
    "server.maxUploadSize": 1,
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",  # a traceback goes to the terminal
    "client.disableDataExport": True,  # its CSV and its copies hold formulas as such; ours do not (`figures.export`)
    "client.showErrorLinks": False,  # no search engine is offered the error
    "logger.hideWelcomeMessage": True,
    "logger.level": "warning",
    "theme.light.primaryColor": "#1f6fad",
    "theme.dark.primaryColor": "#4c9bd6",
}
NEEDED = (  # what the pages import; not the pages themselves, which Streamlit runs
    *("numpy", "pandas", "altair", "pyarrow", "sqlite3", "streamlit.emojis", "streamlit.material_icon_names"),
    *("dashboards.counting.sections", "dashboards.shown.section", "dashboards.shown.page", "dashboards.reading"),
)


class Warm:
    """Imports what pages need while the browser still loads the page's frame; the first script waits for it.

    Were the script to import the same at the same time, the two could see each other's half-imported modules.
    """

    def __init__(self, app: ASGIApp, prepare: Callable[[], None], afterwards: Callable[[], None] | None = None) -> None:
        """Begin at once; nobody waits for what is done ``afterwards``."""
        self._app = app
        self._thread = threading.Thread(target=prepare, name="warm", daemon=True)
        self._thread.start()
        if afterwards:
            threading.Thread(target=self._later, args=(afterwards,), name="warm-later", daemon=True).start()

    def _later(self, afterwards: Callable[[], None]) -> None:
        self._thread.join()
        afterwards()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "websocket" and self._thread.is_alive():
            await run_in_threadpool(self._thread.join)
        await self._app(scope, receive, send)


def gate_of(config: DashboardConfig) -> Gate | None:
    """How one logs in; None where nobody needs to."""
    seconds = config.session_hours * HOUR
    if config.oidc_metadata:
        return OidcGate(Allowed(config.oidc_allowed, config.oidc_trust_email), seconds)
    if config.password_hash:
        return PasswordGate(config.password_hash, Sessions(seconds), Limits())
    return None


def oidc_secrets(config: DashboardConfig) -> dict[str, Any]:
    """What Streamlit's login needs to know, in the words of its secrets.toml; the environment holds the secret."""
    if not config.oidc_metadata:
        return {}
    return {
        "auth": {
            "redirect_uri": config.oidc_callback,
            "cookie_secret": os.urandom(32).hex(),  # new with each start, so a restart ends every session
            "client_id": config.oidc_client,
            "client_secret": os.environ.get(config.oidc_secret_env, ""),
            "server_metadata_url": config.oidc_metadata,
        }
    }


def options(config: DashboardConfig, root: Path, port: int) -> dict[str, Any]:
    """Streamlit's settings."""
    chosen = OPTIONS | {"server.address": address(config.host), "server.port": port}
    if config.certificate:
        certificate, key = certificate_files(config, root)
        chosen |= {"server.sslCertFile": str(certificate), "server.sslKeyFile": str(key)}
    return chosen


def address(host: str) -> str:
    """Where to listen, without asking a name service for what is meant to stay on this machine."""
    return "127.0.0.1" if host == "localhost" else host


def prepare() -> None:
    """Import what the first page needs."""
    for name in NEEDED:
        try:
            import_module(name)
        except ImportError:  # the page that needs it will say so
            continue
    _draw()
    _open_first()


def _open_first() -> None:
    from dashboards.opening import open_first

    _tolerant(open_first)


def afterwards() -> None:
    """Build what the other pages open with, once the first reader has the first page."""
    from dashboards.opening import open_others

    time.sleep(AFTERWARDS)
    _tolerant(open_others)


def _tolerant(work: Callable[[], None]) -> None:
    """A page that cannot be built says so itself when it is asked for."""
    try:
        work()
    except Exception as error:
        say(f"dashboard: {error}")


def _draw() -> None:
    """Draw something: Altair loads its schema with the first chart."""
    import altair as alt
    import pandas as pd

    alt.Chart(pd.DataFrame({"x": [0.0]})).mark_point().encode(x="x:Q").to_dict()


def main() -> None:
    """Serve the workspace that the environment names, on the port that the command line names."""
    root = Path(os.environ[WORKSPACE_VARIABLE])
    config = load_config(root / CONFIG_NAME).dashboard
    check_access(config, root, os.environ)  # again, as the file may have changed since it was launched
    gate = gate_of(config)
    os.environ[LOGIN_VARIABLE] = "1" if gate else ""
    os.environ["FORWARDED_ALLOW_IPS"] = ""  # the door alone says which proxy is believed
    import streamlit as st

    app = st.App(
        APP,
        middleware=[
            Middleware(Door, surroundings(config), gate),
            Middleware(
                Document,
                {path_of(view): view for view in PAGES},
                partial(prerendered, Path(os.environ[COUNTS_VARIABLE])),
            ),
            Middleware(Warm, prepare, afterwards),
        ],
        secrets=oidc_secrets(config),
    )
    app.run(config=options(config, root, int(sys.argv[1])))


if __name__ == "__main__":
    main()
