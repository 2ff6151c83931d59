"""The demo, run as a user runs it: what it claims is measured here, on a policy that it trains itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from align.demo import demo_workspace
from align.evaluate import evaluate
from sampling.policies import sft_model
from tests.align.untrained import untrained_adapter
from tests.demo import demo_folder, run_demo

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_folder(tmp_path_factory.mktemp("demo") / "workspace")


@pytest.fixture(scope="module")
def another(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, after the round of the first test, for other methods; with few probes, which are tested elsewhere."""
    if not folder.exists():
        run_demo(folder)
    copied = tmp_path_factory.mktemp("other-methods") / "workspace"
    shutil.copytree(folder, copied)
    with (copied / "wardround.toml").open("a", encoding="utf-8") as file:
        file.write('\n[probes]\nsets = ["arithmetic"]\n')
    return copied


def facts_of(folder: Path, method: str) -> dict[str, Any]:
    done = run_demo(folder, "--method", method, "--json")
    assert "clinical advice" in done.stderr
    assert "Supervised fine-tuning" in done.stderr or (folder / "models" / "sft").exists()
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts


@pytest.mark.timeout(1_000)
def test_one_round_beats_sft_on_held_out_questions(folder: Path) -> None:
    facts = facts_of(folder, "dpo")
    assert 0.5 < facts["low"] < facts["win_rate"] < facts["high"] <= 1
    assert facts["n_prompts"] >= 60
    assert facts["gate"]["outcome"] in ("promote", "hold", "reject")
    assert {"harm", "over-refusal", "general abilities"} <= {check["name"] for check in facts["gate"]["checks"]}
    assert facts["promoted"] == (facts["gate"]["outcome"] == "promote")
    assert facts["peak_rss_mb"] < 4 * 1024
    again = facts_of(folder, "dpo")
    assert again["seconds"] < 20
    for name in ("win_rate", "low", "high", "n_prompts"):
        assert again[name] == facts[name]


@pytest.mark.timeout(1_000)
@pytest.mark.parametrize("method", ["ipo", "orpo", "kto"])
def test_the_other_methods_do_too(another: Path, method: str) -> None:
    facts = facts_of(another, method)
    assert facts["low"] > 0.5


def test_an_untrained_adapter_comes_out_even(another: Path) -> None:
    """Nothing about the demo's result is hard-wired: without training there is no win."""
    with demo_workspace(another) as workspace:
        sft = sft_model(workspace)
        rate = evaluate(workspace, untrained_adapter(workspace, sft), sft).overall
    assert rate.low <= 0.5 <= rate.high
    assert rate.n_prompts >= 60
