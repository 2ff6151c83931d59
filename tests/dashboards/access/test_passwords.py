from __future__ import annotations

import hashlib
from base64 import b64encode

import pytest

from dashboards.access.passwords import LN, P, R, hashed, matches
from ledger.config import parse_config
from ledger.errors import InputError

PASSWORD = "korrekt Pferd Batterie 🐎"


def test_a_password_matches_its_hash_alone() -> None:
    stored = hashed(PASSWORD)
    assert matches(PASSWORD, stored)
    assert not matches(PASSWORD + " ", stored)
    assert not matches("", stored)
    assert not matches(stored, stored)
    assert PASSWORD not in stored


def test_each_hash_has_a_salt_of_its_own() -> None:
    assert hashed(PASSWORD) != hashed(PASSWORD)


def test_the_hash_is_scrypt_by_the_parameters_that_stand_in_it() -> None:
    salt = bytes(range(16))
    key = hashlib.scrypt(b"twelve chars", salt=salt, n=2**14, r=8, p=1, dklen=32)
    written = [b64encode(each).decode().rstrip("=") for each in (salt, key)]
    stored = f"$scrypt$ln=14,r=8,p=1${written[0]}${written[1]}"
    assert matches("twelve chars", stored)
    assert not matches("twelve chars", stored.replace("p=1", "p=2"))
    assert hashed(PASSWORD).startswith(f"$scrypt$ln={LN},r={R},p={P}$")


def test_the_configuration_takes_the_hash() -> None:
    stored = hashed(PASSWORD)
    assert parse_config(f'[dashboard]\npassword_hash = "{stored}"').dashboard.password_hash == stored


def test_a_short_password_is_refused() -> None:
    with pytest.raises(InputError, match="has 11 characters, fewer than 12 -> choose a longer one"):
        hashed("elevenchars")
    assert hashed("twelve chars")


@pytest.mark.parametrize("stored", ["", "twelve chars", "$scrypt$ln=14,r=8,p=1$short$short"])
def test_what_is_no_hash_matches_nothing(stored: str) -> None:
    with pytest.raises(ValueError, match="not the hash of a password"):
        matches(stored, stored)
