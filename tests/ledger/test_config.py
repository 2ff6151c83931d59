from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import ledger.config
from align.probes.sets import BUNDLED
from ledger.config import PROBE_SETS, Config, load_config, parse_config
from ledger.errors import ConfigError

TEMPLATE = Path(ledger.config.__file__).with_name("wardround.toml").read_text(encoding="utf-8")
# Keys whose default depends on other settings: TOML has no word for that.
BY_METHOD = {("align", "learning_rate"), ("align", "beta")}
# Whatever the user puts there.
FREE_TABLES = {
    *{("import", "layouts"), ("align", "trainer"), ("chat", "template"), ("sample", "vllm")},
    ("judge", "panel"),
}


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    return str(caught.value)


def test_an_empty_file_is_all_defaults() -> None:
    assert parse_config("") == Config()


def test_the_template_says_nothing_by_itself() -> None:
    assert parse_config(TEMPLATE) == Config()


def test_the_template_shows_every_key_with_its_default() -> None:
    shown = tomllib.loads(re.sub(r"(?m)^# (?=\w+ = |\[)", "", TEMPLATE))
    defaults = Config().model_dump(mode="json", by_alias=True)  # TOML has no tuples
    assert set(shown) == set(defaults)
    for table, keys in defaults.items():
        assert set(shown[table]) == set(keys), table
        for key, default in keys.items():
            if (table, key) not in BY_METHOD | FREE_TABLES:
                assert shown[table][key] == default, f"{table}.{key}"
    Config.model_validate(shown)


def test_a_temperature_is_a_ladder_of_one_rung() -> None:
    assert parse_config("").sample.temperatures == (0.9,)
    assert parse_config("[sample]\ntemperature = [0.5, 1]").sample.temperatures == (0.5, 1.0)
    assert parse_config("[sample]\ntemperature = 1").sample.temperatures == (1.0,)


def test_settings_are_read() -> None:
    config = parse_config("[sample]\nn = 8\n[import]\neval_share = 0.5\n[align.trainer]\nwarmup_steps = 3")
    assert (config.sample.n, config.intake.eval_share) == (8, 0.5)
    assert config.align.trainer == {"warmup_steps": 3}


def test_a_panel_is_read() -> None:
    text = "[judge]\nmax_cost = 5\n[[judge.panel]]\nmodel = 'x'\nbase_url = 'u'\noutput_price = 2\nconcurrency = 3"
    (member,) = parse_config(text).judge.panel
    assert (member.model, member.output_price, member.concurrency, member.input_price) == ("x", 2.0, 3, 0.0)
    assert parse_config(text).judge.max_cost == 5.0


def test_a_margin_is_a_share_or_off() -> None:
    gate = parse_config("[gate]\nharm = 0.02\nexam_accuracy = 'off'\nlength = 'off'\nover_refusal = 'off'").gate
    assert (gate.harm, gate.exam_accuracy, gate.length, gate.over_refusal) == (0.02, "off", "off", "off")
    assert (gate.invalid, gate.next_policy) == (Config().gate.invalid, "promoted")
    assert parse_config("[gate]\nlength = 2").gate.length == 2.0  # longer by more than the whole


def test_every_bundled_probe_set_is_there_and_measured() -> None:
    bundled = {path.stem for path in BUNDLED.glob("*.jsonl")}
    assert set(PROBE_SETS) == set(parse_config("").probes.sets) == bundled
    assert parse_config("[probes]\nsets = ['safety']\nmost_questions = 0").probes.sets == ("safety",)
    assert parse_config("[probes]\nsets = []").probes.sets == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[probes]\nsets = ['safety', 'safty']",
            "wardround.toml, probes: Value error, no bundled set safty; they are safety, grounding, ",
        ),
        ("[probes]\norders = 0", "wardround.toml, probes.orders: Input should be greater than 0"),
        ("[probes]\ntemperature = 0", "wardround.toml, probes.temperature: Input should be greater than 0"),
        ("[gate]\nharm = 0", "wardround.toml, gate.harm"),
        ("[gate]\nharm = 1", "wardround.toml, gate.harm"),
        ("[gate]\nharm = 'none'", "wardround.toml, gate.harm"),
        ("[gate]\nlength = 0", "wardround.toml, gate.length"),
        ("[gate]\nwin_rate = 0.4", "wardround.toml, gate.win_rate: Input should be greater than or equal to 0.5"),
        ("[gate]\njudge_flips = 'off'", "wardround.toml, gate.judge_flips: Input should be a valid number"),
        ("[gate]\nnext_policy = 'best'", "wardround.toml, gate.next_policy: Input should be 'promoted' or 'newest'"),
        ("[gate]\nharms = 0.1", "wardround.toml, gate.harms: unknown key"),
        ("[sampel]\nn = 1", "wardround.toml, sampel: unknown key"),
        ("[sample]\nnn = 1", "wardround.toml, sample.nn: unknown key"),
        ("[sample]\nn = 0", "wardround.toml, sample.n: Input should be greater than 0"),
        ("[sample]\nn = 'four'", "wardround.toml, sample.n: Input should be a valid integer"),
        ("[align]\nmethod = 'ppo'", "wardround.toml, align.method: Input should be 'dpo', 'ipo', 'orpo' or 'kto'"),
        ("[judge]\nmodel = 'x'", "wardround.toml, judge: Value error, model and base_url go together"),
        ("[[judge.panel]]\nmodel = 'x'", "wardround.toml, judge.panel.0.base_url: Field required"),
        ("[[judge.panel]]\nmodel = 'x'\nbase_url = 'u'\nn = 1", "wardround.toml, judge.panel.0.n: unknown key"),
        (
            "[judge]\nmodel = 'x'\nbase_url = 'u'\n[[judge.panel]]\nmodel = 'x'\nbase_url = 'v'",
            "wardround.toml, judge: Value error, a judge stands twice in the panel",
        ),
        ("[judge]\nmax_cost = 1", "wardround.toml, judge: Value error, max_cost needs input_price and output_price"),
        ("[judge]\nmax_cost = inf", "wardround.toml, judge.max_cost: Input should be a finite number"),
        ("[sample]\nn = 0\ntop_p = 2", "(and 1 more)"),
        ("[sample]\ntemperature = [0.9, 0.9]", "wardround.toml, sample: Value error, a temperature stands twice"),
        ("[sample]\nn = 1\ntemperature = [0.5, 0.9]", "more temperatures than the 1 answers of n"),
        ("[sample", "is not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, said: str) -> None:
    assert said in complaint(text)
    assert "\n" not in complaint(text)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="wardround init"):
        load_config(tmp_path / "wardround.toml")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "wardround.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_the_version_is_of_every_setting() -> None:
    assert parse_config("").version == Config().version
    assert parse_config("[sample]\nn = 5").version != Config().version


def tables(model: type[BaseModel]) -> list[Any]:
    return [field.annotation for field in model.model_fields.values()]


def test_settings_are_frozen_and_closed() -> None:
    for table in [Config, *tables(Config)]:
        assert table.model_config["frozen"]
        assert table.model_config["extra"] == "forbid"
