from __future__ import annotations

from pathlib import Path

import pytest

from ledger.config import ModelConfig, SampleConfig
from ledger.errors import ModelError
from sampling.engines.choice import engine_name, load_engine
from sampling.engines.protocol import Request
from sampling.models import PolicySource


def test_auto_is_the_one_that_runs_everywhere() -> None:
    assert engine_name(SampleConfig()) == "transformers"
    assert engine_name(SampleConfig(engine="transformers")) == "transformers"


def test_a_loaded_engine_answers(tiny_policy: Path) -> None:
    config = SampleConfig(max_new_tokens=4)
    engine = load_engine(PolicySource(str(tiny_policy), (), ModelConfig()), config)
    request = Request("p", ({"role": "user", "content": "What is a hernia?"},), (1, 2))
    ((answered, samples),) = engine.sample([request])
    assert engine.name == engine_name(config)
    assert answered is request
    assert [sample.seed for sample in samples] == [1, 2]
    assert all(0 < sample.tokens <= 4 for sample in samples)


def test_what_does_not_load_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load_engine(PolicySource(str(tmp_path), (), ModelConfig()), SampleConfig())
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
