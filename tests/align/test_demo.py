"""The demo, run as a user runs it: what it claims is measured here, on a policy that it trains itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from align.demo import demo_workspace
from align.evaluate import evaluate
from sampling.policies import sft_model
from tests.align.untrained import untrained_adapter

PROGRAM = Path(sys.executable).with_name("wardround")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "workspace"


def run_demo(folder: Path, method: str) -> dict[str, Any]:
    done = subprocess.run(
        [str(PROGRAM), "demo", "--workspace", str(folder), "--method", method, "--json"],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},  # which slows it
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "clinical advice" in done.stderr
    assert "Supervised fine-tuning" in done.stderr or (folder / "models" / "sft").exists()
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts


@pytest.mark.timeout(1_000)
def test_one_round_beats_sft_on_held_out_questions(folder: Path) -> None:
    facts = run_demo(folder, "dpo")
    assert 0.5 < facts["low"] < facts["win_rate"] < facts["high"] <= 1
    assert facts["n_prompts"] >= 60
    assert facts["gate"]["outcome"] in ("promote", "hold", "reject")
    assert {"harm", "over-refusal", "general abilities"} <= {check["name"] for check in facts["gate"]["checks"]}
    assert facts["promoted"] == (facts["gate"]["outcome"] == "promote")
    assert facts["peak_rss_mb"] < 4 * 1024
    again = run_demo(folder, "dpo")
    assert again["seconds"] < 20
    for name in ("win_rate", "low", "high", "n_prompts"):
        assert again[name] == facts[name]


@pytest.mark.timeout(1_000)
@pytest.mark.parametrize("method", ["ipo", "orpo", "kto"])
def test_the_other_methods_do_too(folder: Path, method: str) -> None:
    settings = folder / "wardround.toml"
    if "[probes]" not in settings.read_text(encoding="utf-8"):  # what the probes say is tested elsewhere
        with settings.open("a", encoding="utf-8") as file:
            file.write('\n[probes]\nsets = ["arithmetic"]\n')
    facts = run_demo(folder, method)
    assert facts["low"] > 0.5


def test_an_untrained_adapter_comes_out_even(folder: Path) -> None:
    """Nothing about the demo's result is hard-wired: without training there is no win."""
    with demo_workspace(folder) as workspace:
        sft = sft_model(workspace)
        rate = evaluate(workspace, untrained_adapter(workspace, sft), sft).overall
    assert rate.low <= 0.5 <= rate.high
    assert rate.n_prompts >= 60
