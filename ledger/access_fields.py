"""What the configuration says of who may reach a server: hosts, networks, a password's hash, readers."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field

# A password's hash as PHC strings are written: parameters, 16 bytes of salt and 32 of key in base64.
SCRYPT = re.compile(
    r"\$scrypt\$ln=(?P<ln>1[4-8]),r=(?P<r>8|16),p=(?P<p>[1-9])\$(?P<salt>[A-Za-z0-9+/]{22})\$(?P<key>[A-Za-z0-9+/]{43})"
)


def _password_hash(text: str) -> str:
    if text and not SCRYPT.fullmatch(text):
        raise ValueError("not the hash of a password; `wardround dashboard --set-password` makes one")
    return text


def _host(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z.:-]+", text):
        raise ValueError("not an address or a name of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them")
    return text


def _host_name(text: str) -> str:
    if not re.fullmatch(r"[0-9a-z]([0-9a-z.-]*[0-9a-z])?", text.lower()):
        raise ValueError(f"{text!r} is no host name: neither a scheme nor a port nor a path belongs to it")
    return text.lower()


def _network(text: str) -> str:
    if text:
        try:
            ip_network(text)
        except ValueError as error:
            raise ValueError(
                f"{error}; write an address such as 127.0.0.1, or a network such as 10.0.0.0/24"
            ) from error
    return text


PasswordHash = Annotated[str, AfterValidator(_password_hash)]
Host = Annotated[str, AfterValidator(_host)]
HostName = Annotated[str, AfterValidator(_host_name)]
Network = Annotated[str, AfterValidator(_network)]
Admitted = Annotated[str, Field(pattern=r"^[^@\s]*@[^@\s]+$")]  # an e-mail address, or "@" and a domain
