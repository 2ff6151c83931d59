"""May it start? And what of [dashboard] is a configuration at all."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest

from dashboards.access import rules
from dashboards.access.passwords import hashed
from dashboards.access.rules import check_access, surroundings
from ledger.config import DashboardConfig, parse_config
from ledger.errors import ConfigError

HASH = f'password_hash = "{hashed("twelve chars")}"'
OIDC = """
oidc_metadata = "https://id.example.org/.well-known/openid-configuration"
oidc_client = "wardround"
oidc_callback = "https://ward.example.org/oauth2callback"
oidc_allowed = ["@example.org"]
"""


def told(*lines: str) -> DashboardConfig:
    return parse_config("\n".join(["[dashboard]", *lines])).dashboard


def test_for_this_machine_alone_nothing_is_needed(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        assert check_access(told(f'host = "{host}"'), tmp_path, {}) == ()
    assert not surroundings(told()).beyond


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('host = "0.0.0.0"', "host"),
        ('host = "::"', "host"),
        ('host = "192.168.1.2"', "host"),
        ('host = "0"', "host"),
        ('host = "ward"', "host"),
        ('proxy = "127.0.0.1"', "proxy"),
        ('names = ["ward.example.org"]', "names"),
    ],
)
def test_beyond_this_machine_it_does_not_start_without_a_login(tmp_path: Path, line: str, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_access(told(line), tmp_path, {})
    assert f"wardround.toml, dashboard.{key}: others would reach the dashboard without logging in" in str(caught.value)
    assert "`wardround dashboard --set-password`" in caught.value.advice
    check_access(told(line, HASH), tmp_path, {})
    assert surroundings(told(line, HASH)).beyond
    assert socket.gethostname().lower() in surroundings(told(line, HASH)).names  # the address that is announced


def test_a_password_in_the_clear_is_warned_of(tmp_path: Path) -> None:
    (warning,) = check_access(told('host = "0.0.0.0"', HASH), tmp_path, {})
    assert "without TLS" in warning
    assert check_access(told('host = "0.0.0.0"', 'proxy = "10.0.0.1"', HASH), tmp_path, {}) == ()
    assert check_access(told(HASH), tmp_path, {}) == ()


def test_certificates_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    config = told(HASH, 'host = "0.0.0.0"', 'certificate = "c.pem"', 'certificate_key = "k.pem"')
    with pytest.raises(ConfigError, match=r"dashboard\.certificate: .*c\.pem.*No such file"):
        check_access(config, tmp_path, {})
    (tmp_path / "c.pem").write_text("no certificate")
    (tmp_path / "k.pem").write_text("no key")
    with pytest.raises(ConfigError, match=r"cannot be used.* -> name a PEM certificate"):
        check_access(config, tmp_path, {})


def test_oidc_without_authlib_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "find_spec", lambda name: None if name == "authlib" else importlib.util.find_spec(name))
    with pytest.raises(ConfigError, match=r"needs Authlib, .* -> pip install 'wardround\[oidc\]'"):
        check_access(told(OIDC), tmp_path, {"WARDROUND_OIDC_SECRET": "x"})


def test_oidc_needs_its_secret_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "find_spec", lambda _name: object())
    with pytest.raises(ConfigError, match="the environment variable WARDROUND_OIDC_SECRET is not set"):
        check_access(told(OIDC), tmp_path, {})
    assert check_access(told(OIDC), tmp_path, {"WARDROUND_OIDC_SECRET": "x"}) == ()
    assert check_access(told(OIDC, 'host = "0.0.0.0"'), tmp_path, {"WARDROUND_OIDC_SECRET": "x"}) == (rules.PLAIN,)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            'password_hash = "hunter2 hunter2"',
            "dashboard.password_hash: Value error, not the hash of a password; `ward",
        ),
        ('host = ""', "dashboard.host: Value error, not an address"),
        ('host = "unix://x"', "dashboard.host: Value error, not an address"),
        (
            'names = ["https://ward.example.org"]',
            "dashboard.names.0: Value error, 'https://ward.example.org' is no host",
        ),
        ('names = ["ward.example.org:8501"]', "is no host name: neither a scheme nor a port"),
        ('proxy = "nearby"', "dashboard.proxy: Value error, 'nearby' does not appear to be an IPv4 or IPv6 network"),
        ('certificate = "c.pem"', "dashboard: Value error, certificate and certificate_key go together"),
        ('oidc_client = "x"', "oidc_metadata, oidc_client, oidc_callback and oidc_allowed go together"),
        (OIDC.replace('"@example.org"', ""), "oidc_allowed go together"),
        (OIDC.replace('"@example.org"', '"example.org"'), "dashboard.oidc_allowed.0"),
        (OIDC.replace("oauth2callback", "back"), "oidc_callback ends with /oauth2callback"),
        (OIDC + HASH, "not both"),
        ("session_hours = 0", "dashboard.session_hours"),
    ],
)
def test_a_mistake_is_named_with_its_key(lines: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        told(lines)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
