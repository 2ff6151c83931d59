"""What `wardround train` says before it trains, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import wardround
from ledger.config import CONFIG_NAME
from ledger.queries import latest
from ledger.records import Comparison, ModelVersion
from ledger.workspace import open_workspace
from sampling.policies import sft_model
from tests.annotate.answered import answers, question

pytestmark = pytest.mark.usefixtures("one_thread")

CONFIG = """
[model]
path = "{model}"

[align]
batch_size = 4
lora_rank = 4
learning_rate = 1e-3
{more}
"""


def a_folder(root: Path, policy: Path, more: str = "") -> Path:
    """A workspace with a pair on each of twelve questions; one question's answers are the same but for their end."""
    root.mkdir()
    (root / CONFIG_NAME).write_text(CONFIG.format(model=policy, more=more), encoding="utf-8")
    with open_workspace(root) as workspace:
        model = sft_model(workspace)
        for number in range(12):
            prompt = question(number)
            one, other = sorted(
                answers(prompt, model, ["A hernia, which is a protrusion.", "The wall."]), key=lambda a: a.id
            )
            said = Comparison(prompt.id, one.id, other.id, model.id, model.id, "judge:large", "a", 0.8)
            workspace.ledger.append([prompt, one, other, said])
    return root


def run(*arguments: str) -> int:
    """`wardround ARGUMENTS`; its exit code."""
    with pytest.raises(SystemExit) as ended:
        wardround.main(list(arguments))
    return int(ended.value.code or 0)


@pytest.fixture
def folder(tiny_policy: Path, tmp_path: Path) -> Path:
    return a_folder(tmp_path / "workspace", tiny_policy)


def json_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return facts


class TestPreflight:
    def test_it_counts_warns_ranks_and_estimates_and_trains_nothing(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run("train", "-w", str(folder), "--preflight") == 0
        said = capsys.readouterr().out
        for part in (
            "12 pairs, 0 left out",
            "prompt: median",
            "likelihood displacement",
            "Memory: about",
            "Work: 9 steps",
        ):
            assert part in said, part
        assert "hernia" not in said
        with open_workspace(folder) as workspace:
            assert workspace.ledger.count(ModelVersion) == 1
            assert [each.event for each in latest(workspace.ledger, 9, "preflight")] == ["started", "finished"]

    def test_what_is_left_out_is_listed_by_its_id(
        self, tiny_policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = a_folder(tmp_path / "short", tiny_policy, "max_length = 40")
        code = run("train", "-w", str(folder), "--preflight", "--json")
        facts = json_of(capsys)
        assert set(facts["left_out"]) <= {
            "truncation leaves nothing of an answer",
            "truncation makes both answers the same",
        }
        assert len(facts["left_out_ids"]) == sum(facts["left_out"].values())
        assert facts["rows"] + len(facts["left_out_ids"]) == 12
        assert code == (2 if facts["faults"] else 0)

    def test_a_fault_ends_with_an_error(
        self, tiny_policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = a_folder(
            tmp_path / "kto", tiny_policy, 'method = "kto"\ntrainer = { per_device_train_batch_size = 1 }'
        )
        assert run("train", "-w", str(folder), "--preflight") == 2
        assert "fault:" in capsys.readouterr().out

    def test_a_rate_that_is_meant_for_all_weights_is_warned_of(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = folder / CONFIG_NAME
        path.write_text(path.read_text(encoding="utf-8").replace("1e-3", "1e-6"), encoding="utf-8")
        run("train", "-w", str(folder), "--preflight")
        assert "warning: " in (said := capsys.readouterr().out)
        assert "1e-06" in said


class TestSanity:
    def test_a_sound_run_passes_and_leaves_nothing(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("train", "-w", str(folder), "--sanity") == 0
        said = capsys.readouterr().out
        assert "WRONG" not in said
        assert "[[A hernia, which is a protrusion.<|im_end|>]]" in said
        assert "Time: about" in said
        with open_workspace(folder) as workspace:
            assert workspace.ledger.count(ModelVersion) == 1
            (started, finished) = latest(workspace.ledger, 9, "sanity")
        assert (started.event, finished.event) == ("started", "finished")
        assert "hernia" not in json.dumps(finished.detail)
        assert not (folder / "models").exists() or not list((folder / "models").glob("sft-*"))


def test_the_script_is_python_that_names_the_policy(
    folder: Path, tiny_policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import ast

    assert run("train", "-w", str(folder), "--print-trl") == 0
    script = capsys.readouterr().out
    ast.parse(script)
    assert str(tiny_policy) in script
    assert "learning_rate=0.001" in script


@pytest.mark.parametrize(
    "options", [("--preflight", "--sanity"), ("--sanity", "--print-trl"), ("--preflight", "--accelerate", "one_gpu")]
)
def test_one_thing_at_a_time(options: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", "-w", str(folder), *options) == 2
    assert "exclude one another" in capsys.readouterr().err
