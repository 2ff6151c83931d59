"""Whether the dashboard may start as it is configured: never where others could reach it without logging in."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from dashboards.access.door import Surroundings
from dashboards.access.places import is_loopback
from ledger.config import CONFIG_NAME, DashboardConfig
from ledger.errors import ConfigError

PLAIN = (
    "WARNING: without TLS, whoever shares the network can read along, the password too. Set certificate and "
    "certificate_key in [dashboard], or put a proxy with TLS in front (docs/dashboard.md)."
)


def is_beyond(config: DashboardConfig) -> bool:
    """Can others than this machine's users reach it? A proxy or a name of its own is taken for a sign that they can."""
    return bool(not is_loopback(config.host) or config.proxy or config.names)


def surroundings(config: DashboardConfig) -> Surroundings:
    """How it is reached."""
    beyond = is_beyond(config)
    own = (socket.gethostname().lower(),) if beyond else ()  # no stranger's page has our name
    return Surroundings(beyond, (*config.names, *own), config.proxy)


def check_access(config: DashboardConfig, root: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Warnings for whoever starts it.

    Raises:
        ConfigError: it may not start so, or what a way of logging in needs is not there.
    """
    oidc = bool(config.oidc_metadata)
    if is_beyond(config) and not (config.password_hash or oidc):
        reached = "host" if not is_loopback(config.host) else "proxy" if config.proxy else "names"
        raise ConfigError(
            "others would reach the dashboard without logging in",
            where=f"{CONFIG_NAME}, dashboard.{reached}",
            advice="make a password with `wardround dashboard --set-password`, or set up OpenID Connect "
            "(docs/dashboard.md); for yourself alone leave host, names and proxy out, and tunnel: "
            f"ssh -L {config.port}:127.0.0.1:{config.port} THIS_MACHINE",
        )
    if oidc:
        _check_oidc(config, environment)
    if config.certificate:
        certificate_files(config, root)
    open_lines = not is_loopback(config.host) and not config.certificate and not config.proxy
    return (PLAIN,) if open_lines else ()


def certificate_files(config: DashboardConfig, root: Path) -> tuple[Path, Path]:
    """The certificate and its key.

    Raises:
        ConfigError: they cannot be used.
    """
    certificate, key = root / config.certificate, root / config.certificate_key
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{certificate} and {key} cannot be used: {error.strerror if isinstance(error, OSError) else error}",
            where=f"{CONFIG_NAME}, dashboard.certificate",
            advice="name a PEM certificate, with its chain, and its key without a passphrase",
        ) from error
    return certificate, key


def _check_oidc(config: DashboardConfig, environment: Mapping[str, str]) -> None:
    if find_spec("authlib") is None:
        raise ConfigError(
            "OpenID Connect needs Authlib, which is not installed",
            where=f"{CONFIG_NAME}, dashboard.oidc_metadata",
            advice="pip install 'wardround[oidc]'",
        )
    if not environment.get(config.oidc_secret_env):
        raise ConfigError(
            f"the environment variable {config.oidc_secret_env} is not set",
            where=f"{CONFIG_NAME}, dashboard.oidc_secret_env",
            advice="set it to the client secret that the provider has given you",
        )
