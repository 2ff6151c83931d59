"""The last object with a key counts, if nothing speaks against it."""

from __future__ import annotations

import pytest

from annotate.reply_objects import closed_object, is_whole, last_object


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ('{"x": 1}', 1),
        ('{"x": 1} {"x": 2}', 2),
        ('{"x": 1} {"y": 2}', 1),
        ('{"x": 1} "y": 2', 1),
        ('{"x": 1} "x": 2', None),
        ('{"x": 1} "xx": 2', 1),
        ('{"x": 1} </think>', None),
        ('{"y": {"x": 1}}', None),
        ('{"x": 1, "x": 1}', None),
        ('<think>{"x": 1}', None),
        ('<think>{"y": 1} {"x": 1}', None),
        ('{"z": maybe, "y": {"y": 1}, "w": {"x": 1}}', None),
    ],
)
def test_the_last_object_with_the_key(said: str, found: int | None) -> None:
    assert (last_object(said, "x") or {}).get("x") == found


def test_the_key_is_taken_for_what_it_is() -> None:
    assert last_object('{"a.b": 1} "aXb": 2', "a.b") == {"a.b": 1}


@pytest.mark.parametrize(
    ("reply", "whole"), [('{"x": 1}', True), (' {"x": 1}\n', True), ('{"x": 1}.', False), ('{"x": 1, "y": 2}', False)]
)
def test_a_reply_is_whole_where_it_is_what_is_kept(reply: str, whole: bool) -> None:
    found = last_object(reply, "x")
    assert found is not None
    assert is_whole(reply, found, {"x": 1}) == whole


def test_a_closed_object_wants_all_and_nothing_else() -> None:
    asked = closed_object({"b": {}, "a": {}})
    assert asked["required"] == ["b", "a"]
    assert asked["additionalProperties"] is False
