"""Where a request comes from and what it asks for: addresses, host names, origins, and paths to go on to."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from urllib.parse import quote, urlsplit

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
DEFAULT_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Can this address be reached from this machine alone? Only what is surely so counts."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def within(address: str, network: str) -> bool:
    """Does the address belong to the network (an address or CIDR)?"""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found) in ip_network(network)


def forwarded_for(lines: Sequence[str]) -> str:
    """The address that the last proxy added to ``X-Forwarded-For``, in all its lines; empty where it is none."""
    last = ",".join(lines).rpartition(",")[2].strip()
    bare_ipv6 = last.count(":") > 1 and not last.startswith("[")
    found = authority(f"[{last}]" if bare_ipv6 else last, "")
    try:
        return str(ip_address(found[0].partition("%")[0])) if found else ""  # any text may stand behind the %
    except ValueError:
        return ""


def authority(text: str, scheme: str) -> tuple[str, int] | None:
    """Name and port of a Host header or of what stands behind an origin's ``://``; None where it is malformed."""
    try:
        parts = urlsplit(f"//{text}")
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or parts.netloc != text or "@" in text:
        return None
    return parts.hostname.rstrip("."), port or DEFAULT_PORTS.get(scheme, 0)


def same_origin(origin: str, host: str) -> bool:
    """Does a page of this origin ask the server that it came from?"""
    scheme, separator, rest = origin.partition("://")
    asking = authority(rest, scheme)
    return bool(separator) and asking is not None and asking == authority(host, scheme)


def host_known(host: str, names: tuple[str, ...], *, beyond: bool) -> bool:
    """May a request be made by this Host header?

    Another name than ours is the sign of a page that has bent its own name to this machine (DNS rebinding). An address
    cannot be bent, so beyond this machine each is fine.
    """
    found = authority(host, "http")
    if found is None:
        return False
    name = found[0]
    if name in LOCAL_NAMES or name in names:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return beyond


def way_on(path: str) -> str:
    """A path of this site to go on to after logging in; "/" where ``path`` leads anywhere else, or back to it."""
    plain = path.isprintable() and path.startswith("/") and not path.startswith("//") and "\\" not in path
    if not plain or len(path) > 2_000 or path.startswith(("/login", "/auth/", "/oauth2callback")):
        return "/"
    return quote(path, safe="/?&=%+-_.~:,;@!$'()*#")
