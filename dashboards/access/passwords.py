"""The dashboard's password, which is kept as a hash alone: scrypt (RFC 7914), with its parameters beside it."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode, b64encode

from ledger.access_fields import SCRYPT
from ledger.errors import InputError

LEAST = 12  # characters
# 32 MiB and about 0.15 s a guess: as hard as OWASP's password storage cheat sheet (2025) asks for.
LN, R, P = 15, 8, 3
SALT_BYTES, KEY_BYTES = 16, 32


def hashed(password: str) -> str:
    """The hash of a password, for ``dashboard.password_hash``.

    Raises:
        InputError: it is too short.
    """
    if len(password) < LEAST:
        raise InputError(
            f"the password has {len(password)} characters, fewer than {LEAST}",
            where="dashboard",
            advice="choose a longer one, such as four words",
        )
    salt = os.urandom(SALT_BYTES)
    return f"$scrypt$ln={LN},r={R},p={P}${_written(salt)}${_written(_key(password, salt, LN, R, P))}"


def matches(password: str, password_hash: str) -> bool:
    """Is this the password? Takes as long whether it is or not.

    Raises:
        ValueError: ``password_hash`` is none.
    """
    parts = SCRYPT.fullmatch(password_hash)
    if parts is None:
        raise ValueError("not the hash of a password")
    key = _key(password, _read(parts["salt"]), int(parts["ln"]), int(parts["r"]), int(parts["p"]))
    return hmac.compare_digest(key, _read(parts["key"]))


def _key(password: str, salt: bytes, ln: int, r: int, p: int) -> bytes:
    memory = 128 * r * (2**ln + p + 2)
    return hashlib.scrypt(
        password.encode(errors="replace"), salt=salt, n=2**ln, r=r, p=p, maxmem=memory, dklen=KEY_BYTES
    )


def _written(content: bytes) -> str:
    return b64encode(content).decode().rstrip("=")


def _read(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4))
