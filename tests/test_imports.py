"""Imports run downwards only, those inside functions too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ["ledger", "sampling", "annotate", "align", "dashboards", "wardround"]  # from the ground floor up


def sources(room: str) -> list[Path]:
    front_door = ROOT / f"{room}.py"
    return [front_door] if front_door.exists() else sorted((ROOT / room).rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of each module that is imported, wherever that stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"import_module", "importlib.import_module"}:
            yield from ((node.lineno, str(arg.value)) for arg in node.args[:1] if isinstance(arg, ast.Constant))


def climbing(room: str, code: str) -> list[str]:
    """The imports in ``code`` that lead upwards, or that are relative."""
    above = ROOMS[ROOMS.index(room) + 1 :]
    return [
        f"line {line}: {name}"
        for line, name in imported(ast.parse(code))
        if name.startswith(".") or name.partition(".")[0] in above
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_knows_the_rooms_above(room: str) -> None:
    found = sources(room)
    assert found, f"{room} is gone"
    wrong = {str(path.relative_to(ROOT)): climbing(room, path.read_text(encoding="utf-8")) for path in found}
    assert not {path: lines for path, lines in wrong.items() if lines}


@pytest.mark.parametrize(
    "code",
    [
        "import align.gate",
        "from align import gate",
        "from align.gate import decide",
        "def f():\n    import annotate",
        "if TYPE_CHECKING:\n    from annotate.judge import judge",
        "from . import rows",
        "import importlib\nimportlib.import_module('dashboards.app')",
        "import wardround",
    ],
)
def test_a_climbing_import_is_seen(code: str) -> None:
    assert climbing("sampling", code)


def test_an_import_downwards_or_within_is_fine() -> None:
    assert not climbing("sampling", "import json\nfrom ledger.store import Ledger\nfrom sampling import rows")
