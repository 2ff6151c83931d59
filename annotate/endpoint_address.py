"""Where an endpoint is, what key it takes, and whether text that is sent there leaves the hospital."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from ledger.config import JudgeConfig
from ledger.errors import ConfigError

NO_KEY = "none"  # what is sent where no key is asked for


@dataclass(frozen=True)
class Address:
    """A checked address."""

    shown: str  # for messages
    foreign: bool  # outside the hospital: text must be screened before it is sent
    key: str = field(repr=False)


def address_of(config: JudgeConfig) -> Address:
    """Check the address that the configuration names, and fetch its key from the environment.

    Raises:
        ConfigError: it is no http(s) address, holds a password, or would carry text out of the hospital in the clear;
            or the key is not set.
    """
    host = _checked_host(config)
    loopback = is_loopback(host)
    foreign = not loopback and not config.inside_hospital
    if foreign and not config.base_url.lower().startswith("https://"):
        raise _unusable(
            f"text would leave for {host} unencrypted",
            "use https://, or set judge.inside_hospital = true if it is a machine of the hospital",
        )
    return Address(f"judge endpoint {config.base_url}", foreign, _key(config, needed=not loopback))


def is_loopback(host: str) -> bool:
    """Is this host this very machine?"""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _checked_host(config: JudgeConfig) -> str:
    try:
        url = urlsplit(config.base_url)
        host, _ = url.hostname, url.port
    except ValueError as error:
        raise _unusable(f"is no address: {error}", "write it like https://host:port/v1") from error
    if url.username or url.password:
        raise _unusable("holds a user name or a password", "take it out: secrets come from the environment")
    if url.scheme not in ("http", "https") or not host:
        raise _unusable(f"is no http(s) address: {config.base_url!r}", "write it like https://host:port/v1")
    return host


def _key(config: JudgeConfig, *, needed: bool) -> str:
    key = os.environ.get(config.key_env, "").strip()
    if not key and needed:
        raise ConfigError(
            f"the environment variable {config.key_env} is not set",
            where="judge.key_env",
            advice="put the endpoint's key there (any word, if it asks for none)",
        )
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(
            f"what {config.key_env} holds cannot be a key", where="judge.key_env", advice="set it again, without quotes"
        )
    return key or NO_KEY


def _unusable(what: str, advice: str) -> ConfigError:
    return ConfigError(what, where="judge.base_url", advice=advice)
