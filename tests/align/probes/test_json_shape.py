"""JSON on demand is read strictly, and has the shape that was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from align.probes.expectations import check_fault
from align.probes.json_shape import fits_json

SHAPE = {"keys": {"name": "string", "dose_mg": "number"}, "values": {"name": "Aspirin"}}


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ('{"name": "aspirin ", "dose_mg": 75}', True),
        ('\n```json\n{"name": "aspirin", "dose_mg": 75.5}\n```\n', True),
        ('Here it is:\n```json\n{"name": "aspirin", "dose_mg": 75}\n```', False),
        ('{"name": "aspirin", "dose_mg": "75"}', False),
        ('{"name": "aspirin", "dose_mg": true}', False),
        ('{"name": "aspirin", "dose_mg": NaN}', False),
        ('{"name": "ibuprofen", "dose_mg": 75}', False),
        ('{"name": "aspirin"}', False),
        ('{"name": "aspirin", "dose_mg": 75, "route": "oral"}', False),
        ('{"name": "aspirin", "dose_mg": 75, "dose_mg": 75}', False),
        ("{'name': 'aspirin', 'dose_mg': 75}", False),
        ('{"name": "aspirin", "dose_mg": 75} Anything else?', False),
        ('[{"name": "aspirin", "dose_mg": 75}]', False),
        ("", False),
        ("[" * 100_000, False),
        ("1" * 10_000, False),
    ],
)
def test_json_is_read_strictly(text: str, passes: bool) -> None:
    assert fits_json(text, SHAPE) is passes


def test_json_may_stand_in_a_text_where_more_than_it_is_allowed() -> None:
    text = 'Here it is:\n```json\n{"name": "aspirin", "dose_mg": 75}\n```\nAs you wished.'
    assert fits_json(text, {**SHAPE, "only": False}) is True
    assert fits_json(f"{text}\n{text}", {**SHAPE, "only": False}) is False  # which of the two?


@pytest.mark.parametrize(
    ("text", "expected", "passes"),
    [
        ("[1, 2]", {"items": "number", "length": 2}, True),
        ("[1, 2]", {"items": "number", "length": 3}, False),
        ("[1, 2]", {"items": "number", "values": [1, 2]}, True),
        ("[2, 1]", {"items": "number", "values": [1, 2]}, False),
        ("[]", {"items": "string", "values": []}, True),
        ("[1, null]", {"items": "number|null"}, True),
        ("[1.5]", {"items": "integer"}, False),
        ('[{"a": [true]}]', {"items": {"a": "list of boolean"}}, True),
        ('[{"a": [1]}]', {"items": {"a": "list of boolean"}}, False),
        ('{"a": {"b": "x"}}', {"keys": {"a": {"b": "string"}}, "values": {"a": {"b": "x"}}}, True),
        ('{"a": {"b": "x"}}', {"keys": {"a": {"b": "string"}}, "values": {"a": {"b": "y"}}}, False),
        ('{"a": 1}', {"keys": {"a": "number"}, "values": {"a": True}}, False),
        ("null", {"keys": {"a": "null"}}, False),
    ],
)
def test_shapes_within_shapes(text: str, expected: dict[str, Any], passes: bool) -> None:
    assert check_fault("json", expected) is None
    assert fits_json(text, expected) is passes
