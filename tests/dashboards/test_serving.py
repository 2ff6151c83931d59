from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from dashboards.access.oidc_gate import OidcGate
from dashboards.access.password_gate import PasswordGate
from dashboards.access.passwords import hashed
from dashboards.launch import WORKSPACE_VARIABLE
from dashboards.serving import Warm, gate_of, main, oidc_secrets, options
from ledger.config import DashboardConfig
from ledger.errors import ConfigError

OIDC = DashboardConfig(
    oidc_metadata="https://id.example.org/.well-known/openid-configuration",
    oidc_client="wardround",
    oidc_callback="https://ward.example.org/oauth2callback",
    oidc_allowed=("@example.org",),
)


def test_nothing_leaves_the_machine() -> None:
    chosen = options(DashboardConfig(), Path(), 8501)
    assert chosen["server.address"] == "127.0.0.1"
    assert options(DashboardConfig(host="localhost"), Path(), 8501)["server.address"] == "127.0.0.1"
    assert chosen["browser.gatherUsageStats"] is False
    assert chosen["client.showErrorLinks"] is False
    assert chosen["server.fileWatcherType"] == "none"


def test_tables_leave_the_dashboard_by_its_own_downloads_alone() -> None:
    """Streamlit's own export leaves formulas in the cells."""
    assert options(DashboardConfig(), Path(), 8501)["client.disableDataExport"] is True


def test_streamlit_knows_every_option() -> None:
    from streamlit.config import get_option

    for name in options(DashboardConfig(), Path(), 8501):
        get_option(name)


def test_the_gate_is_as_configured() -> None:
    assert gate_of(DashboardConfig()) is None
    assert isinstance(gate_of(DashboardConfig(password_hash=hashed("twelve chars"))), PasswordGate)
    assert isinstance(gate_of(OIDC), OidcGate)


def test_streamlits_login_gets_its_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit.auth_util import generate_default_provider_section
    from streamlit.runtime.secrets import AttrDict

    monkeypatch.setenv("WARDROUND_OIDC_SECRET", "the client's")
    said = oidc_secrets(OIDC)["auth"]
    provider = generate_default_provider_section(AttrDict(said))
    assert provider["client_secret"] == "the client's"
    assert provider["server_metadata_url"] == OIDC.oidc_metadata
    assert said["redirect_uri"] == OIDC.oidc_callback
    assert said["cookie_secret"] != oidc_secrets(OIDC)["auth"]["cookie_secret"]
    assert oidc_secrets(DashboardConfig()) == {}


def test_the_server_itself_refuses_what_may_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wardround.toml").write_text('[dashboard]\nhost = "0.0.0.0"\n')
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(tmp_path))
    with pytest.raises(ConfigError, match="without logging in"):
        main()


def test_a_script_waits_for_what_it_needs_and_files_do_not() -> None:
    ready = threading.Event()
    served: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        served.append(scope["type"])

    def prepare() -> None:
        ready.wait(30)

    async def never() -> Message:
        raise AssertionError

    async def visit() -> None:
        warm = Warm(app, prepare)
        script = asyncio.create_task(warm({"type": "websocket"}, never, _nowhere))
        await warm({"type": "http"}, never, _nowhere)
        await asyncio.sleep(0.05)
        assert served == ["http"]
        ready.set()
        await script
        assert served == ["http", "websocket"]

    asyncio.run(visit())


async def _nowhere(_message: Message) -> None:
    raise AssertionError
