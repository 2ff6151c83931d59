from __future__ import annotations

import pytest

from dashboards.access.places import forwarded_for, host_known, is_loopback, same_origin, way_on, within


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.2", "ward.example.org", "0", "127.1", "localhost.example.org", ""]
)
def test_what_is_not_surely_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_within_a_network() -> None:
    assert within("10.0.0.7", "10.0.0.0/24")
    assert within("::ffff:10.0.0.7", "10.0.0.7")
    assert not within("10.0.1.7", "10.0.0.0/24")
    assert not within("somewhere", "10.0.0.0/24")
    assert not within("::1", "127.0.0.1")


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("198.51.100.9,203.0.113.5 ", "203.0.113.5"),
        ("203.0.113.5:4711", "203.0.113.5"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("fe80::1%\x1b[2J", "fe80::1"),
        ("\x1b[2J203.0.113.5", ""),
        ("203.0.113.5\x1b[2J", ""),
        ("[2001:db8::1", ""),
        ("203.0.113.5, unknown", ""),
        ("203.0.113.5,", ""),
        ("203.0.113.5:x", ""),
        ("203.0.113.256", ""),
        ("", ""),
    ],
)
def test_forwarded_for(line: str, address: str) -> None:
    assert forwarded_for([line]) == address
    assert forwarded_for(["198.51.100.9", line]) == address


def test_without_the_header_nobody_is_named() -> None:
    assert forwarded_for([]) == ""


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://127.0.0.1:8501", "127.0.0.1:8501", True),
        ("https://ward.example.org", "ward.example.org", True),
        ("https://ward.example.org", "ward.example.org:443", True),
        ("https://WARD.example.org", "ward.example.org", True),
        ("http://[::1]:8501", "[::1]:8501", True),
        ("http://127.0.0.1:8502", "127.0.0.1:8501", False),
        ("http://localhost:8501", "127.0.0.1:8501", False),
        ("https://evil.example", "ward.example.org", False),
        ("https://ward.example.org.evil.example", "ward.example.org", False),
        ("https://ward.example.org@evil.example", "ward.example.org", False),
        ("null", "ward.example.org", False),
        ("", "", False),
        ("http://ward:x", "ward:x", False),
    ],
)
def test_same_origin(origin: str, host: str, *, same: bool) -> None:
    assert same_origin(origin, host) is same


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost", "LOCALHOST:1", "[::1]:8501", "localhost."])
def test_this_machine_is_known_by_these(host: str) -> None:
    assert host_known(host, (), beyond=False)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.2", "", "localhost/x", "a@localhost", "localhost:x"]
)
def test_a_bent_name_is_not_known(host: str) -> None:
    assert not host_known(host, (), beyond=False)


def test_beyond_addresses_and_configured_names_are_known() -> None:
    names = ("ward.example.org",)
    assert host_known("ward.example.org:8501", names, beyond=True)
    assert host_known("192.168.1.2:8501", names, beyond=True)
    assert not host_known("evil.example", names, beyond=True)
    assert not host_known("x.ward.example.org", names, beyond=True)


@pytest.mark.parametrize("path", ["/", "/answers?prompt=ab12&mode=exam", "/judges", "/answers?q=a%20b"])
def test_a_path_of_ours_is_gone_on_to(path: str) -> None:
    assert way_on(path) == path


@pytest.mark.parametrize(
    "path",
    [
        *("//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", ""),
        *("/\t/evil.example", "/x\r\nSet-Cookie: a=b", " /x", "/login", "/login?next=/login", "/auth/logout"),
        *("evil.example", "///evil.example", "/" + "x" * 3_000),
    ],
)
def test_no_other_path_is(path: str) -> None:
    assert way_on(path) == "/"


def test_what_goes_into_a_header_is_ascii() -> None:
    assert way_on("/answers?q=Ödem").isascii()
