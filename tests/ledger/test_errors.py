from __future__ import annotations

import inspect

import pytest

from ledger import errors
from ledger.errors import LedgerError, TamperError, WardroundError


def test_an_error_says_where_what_and_what_to_do() -> None:
    error = WardroundError("is gone", where="ledger.db", advice="restore it")
    assert str(error) == "ledger.db: is gone -> restore it"
    assert str(WardroundError("is gone")) == "is gone"


def test_an_error_is_one_line_whatever_it_holds() -> None:
    assert str(WardroundError("one\ntwo", where="a\tb", advice="  do\r\nthis ")) == "a b: one two -> do this"


def test_tampering_names_the_record() -> None:
    error = TamperError("abc", "is not what was written")
    assert error.record_id == "abc"
    assert str(error).startswith("record abc: is not what was written -> ")
    assert isinstance(error, LedgerError)


@pytest.mark.parametrize("kind", [kind for _, kind in inspect.getmembers(errors, inspect.isclass)])
def test_the_tree_is_drawn_whole(kind: type[WardroundError]) -> None:
    assert issubclass(kind, WardroundError)
    assert kind.__name__ in (errors.__doc__ or "")
