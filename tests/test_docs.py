"""The manual: its commands run as they stand, its defaults are the configuration's, its links lead somewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import BaseModel

import wardround
from ledger.config import Config, parse_config

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
ROOMS = ("ledger", "sampling", "annotate", "align", "dashboards")
# The pages in the order of one story: what a page's commands need, those of the pages before it have made.
STORY = (
    *("index", "configuration", "importing", "sampling", "judging", "review", "pairs"),
    *("training-preflight", "training", "exporting"),
    *("evaluation", "probes", "few-surgeons", "rounds", "gate", "ledger", "dashboard", "troubleshooting"),
)
COMMANDS = (
    "init",
    "import",
    "doctor",
    "sample",
    "judge",
    "pairs",
    "train",
    "export",
    "evaluate",
    "plan",
    "round",
    "log",
    "gate",
    "trace",
    "report",
)
SHOWING_ANSWERS = (
    *("index", "importing", "sampling", "judging", "review", "pairs", "training", "exporting", "evaluation"),
    *("probes", "gate", "rounds", "dashboard"),
)
NOTICE = "for research; no clinical advice"

FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
KEY_ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| .+ \|$", re.MULTILINE)
MESSAGE_ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)

# The tiny policy was never trained, so its answers are gibberish: with the default margins there would be no pair.
CONFIG = """
[model]
path = "models/sft"

[import]
eval_share = 0.3

[sample]
n = 3
max_new_tokens = 24

[judge]
tie_margin = 0.0

[pairs]
margin = 0.5
allow_truncated = true

[align]
epochs = 1
batch_size = 4
lora_rank = 4

[evaluate]
resamples = 1000
"""


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    language: str
    more: str  # the fence's second word: "no-test", or the name of the file that the block shows
    text: str


def _page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def _blocks(language: str) -> Iterator[Block]:
    for name in STORY:
        for info, text in FENCE.findall(_page(name)):
            said, _, more = info.partition(" ")
            if said == language:
                yield Block(name, said, more, text)


def _story() -> list[Block]:
    return [block for block in _blocks("sh") if block.more != "no-test"]


def _prose(text: str) -> str:
    return FENCE.sub("", text)


def _anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(_prose(path.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _as_toml(default: object) -> str:
    return "{}" if default == {} else json.dumps(default)


@pytest.fixture
def story_workspace(tmp_path: Path, tiny_policy: Path) -> Path:
    """A folder as a reader of the manual would have prepared it."""
    root = tmp_path / "workspace"
    shutil.copytree(tiny_policy, root / "models" / "sft")
    bundled = (ROOT / "sampling" / "bundled" / "questions.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (root / "questions.jsonl").write_text("".join(bundled[::15]), encoding="utf-8")
    layouts = [block.text for block in _blocks("toml") if "[import.layouts." in block.text]
    (root / "wardround.toml").write_text("\n".join([CONFIG, *layouts]), encoding="utf-8")
    for block in _blocks("csv"):
        (root / block.more).write_text(block.text, encoding="utf-8")
    return root


@pytest.mark.slow
def test_every_command_of_the_manual_runs_as_it_stands(story_workspace: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    said = {}
    for block in _story():
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.text],
            cwd=story_workspace,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{block.page}: {block.text}\n{done.stderr}"
        said[block.text] = done.stdout

    def output(words: str) -> str:
        return next(text for command, text in said.items() if words in command)

    assert "3 rows, 2 new" in output("import ward_book.csv")
    assert json.loads(output("cat rejects/"))["line"] == 4
    assert json.loads(output("import questions.jsonl --json"))["new"] == 0
    assert "wins" in output("wardround evaluate\n")
    assert "general abilities" in output("wardround evaluate\n")
    assert re.search(": (promote|hold|reject) ", output("wardround gate\n").splitlines()[0])
    assert "Round 1, dpo" in output("wardround round")
    assert json.loads(output("wardround trace").splitlines()[-1])["verified"]


def test_the_commands_are_shown_in_the_order_of_the_story() -> None:
    shown = re.findall(r"^wardround (\w+)", "\n".join(block.text for block in _story()), re.MULTILINE)
    assert tuple(dict.fromkeys(shown)) == COMMANDS


def test_every_command_has_a_place() -> None:
    every = "\n".join(map(_page, STORY))
    commands = [each.name for each in wardround.app.registered_commands]
    groups = [each.name for each in wardround.app.registered_groups]
    names = {str(name) for name in (*commands, *groups)}
    assert names == set(re.findall(r"\bwardround (\w+)", every)) & names
    in_blocks = re.findall(r"^wardround (\w+)", "\n".join(text for _, text in FENCE.findall(every)), re.MULTILINE)
    assert set(in_blocks) == names


def test_every_key_stands_with_its_default() -> None:
    sections = dict(re.findall(r"^## \[(\w+)\]\n(.*?)(?=^## )", _page("configuration"), re.MULTILINE | re.DOTALL))
    tables = {field.alias or name: field.default for name, field in Config.model_fields.items()}
    assert set(sections) == set(tables)
    for table, defaults in tables.items():
        assert isinstance(defaults, BaseModel)
        expected = {
            key: "by method" if value is None else f"`{_as_toml(value)}`"
            for key, value in defaults.model_dump().items()
        }
        assert dict(KEY_ROW.findall(sections[table])) == expected, table


def test_every_example_of_a_configuration_is_one() -> None:
    examples = list(_blocks("toml"))
    assert examples
    for example in examples:
        parse_config(example.text, f"docs/{example.page}.md")


def test_every_link_between_pages_leads_somewhere() -> None:
    for path in DOCS.glob("*.md"):
        for target in LINK.findall(_prose(path.read_text(encoding="utf-8"))):
            if "://" in target:
                continue
            name, _, anchor = target.partition("#")
            place = (path.parent / name).resolve() if name else path
            assert place.exists(), f"{path.name}: {target}"
            assert not anchor or anchor in _anchors(place), f"{path.name}: {target}"


def test_every_page_is_in_the_index() -> None:
    assert {f"{name}.md" for name in STORY[1:]} <= set(LINK.findall(_page("index")))
    assert all((DOCS / f"{name}.md").exists() for name in STORY)


def test_what_the_program_points_to_is_there() -> None:
    source = "\n".join(_sources())
    pointed = set(re.findall(r"\bdocs/[\w-]+\.md", source))
    assert {"docs/importing.md", "docs/configuration.md"} <= pointed
    assert all((ROOT / page).exists() for page in pointed)


def test_the_errors_explained_are_those_of_the_program() -> None:
    source = "\n".join(_sources())
    explained = MESSAGE_ROW.findall(_page("troubleshooting").partition("## Common errors")[2])
    assert explained
    assert [message for message in explained if message not in source] == []


def test_pages_that_show_answers_say_what_they_are_not() -> None:
    for name in SHOWING_ANSWERS:
        assert NOTICE in " ".join(_page(name).split()), name


def _sources() -> Iterator[str]:
    for room in ROOMS:
        for path in (ROOT / room).rglob("*"):
            if path.suffix in {".py", ".toml"}:
                yield path.read_text(encoding="utf-8")
