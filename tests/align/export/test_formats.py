"""Pairs in other projects' formats.

What is checked by a project's own code: TRL's rows and YAML (installed). The others are checked against schemas that
were read off their sources and documentation, named with each test; `docs/exporting.md` says what else was done.
"""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from align.export import axolotl, llamafactory, openai, trl, unsloth
from align.export.material import Material, as_yaml
from align.export.rows import Preference
from align.export.stage import MANIFEST, export, trl_script
from align.training import with_method
from ledger.config import AlignConfig, ModelConfig, parse_config
from ledger.errors import InputError, StageError
from ledger.records import Comparison, Message, Pair, Prompt, pairs_hash
from ledger.workspace import Workspace
from sampling.models import PolicySource, load_tokenizer
from sampling.policies import sft_model
from sampling.quiet import quiet
from tests.annotate.answered import answers, question

Method = Literal["dpo", "ipo", "orpo", "kto"]
METHODS: tuple[Method, ...] = ("dpo", "ipo", "orpo", "kto")
SYSTEM = {"role": "system", "content": "You answer surgeons."}
TURNS = (
    SYSTEM,
    {"role": "user", "content": "What is it? \u2028 \U0001f600"},
    {"role": "assistant", "content": "A hernia."},
    {"role": "user", "content": 'How is\n"it" treated?'},
)
PREFERENCES = (
    Preference(TURNS, "By surgery, été.", "Not at all.", {"enable_thinking": False}),
    Preference(TURNS[1:2], "A hernia.", "No idea.", {"enable_thinking": False}),
)


def material(method: Method = "dpo", **settings: Any) -> Material:
    return Material(PREFERENCES, AlignConfig(method=method, **settings), "/models/base")


def plain(method: Method = "dpo", **settings: Any) -> Material:
    """The same, with nothing told to the chat template."""
    pairs = tuple(replace(each, template={}) for each in PREFERENCES)
    return replace(material(method, **settings), preferences=pairs)


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.split("\n")[:-1]]


def loaded(text: str) -> dict[str, Any]:
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


class TestTrl:
    @pytest.mark.parametrize("method", METHODS)
    def test_the_rows_are_those_that_train_takes(self, method: Method) -> None:
        rows = lines(trl.files(material(method))["data/train.jsonl"])
        assert rows == material(method).rows()
        assert set(rows[0]) - {"chat_template_kwargs"} == (
            {"prompt", "completion", "label"} if method == "kto" else {"prompt", "chosen", "rejected"}
        )

    @pytest.mark.parametrize("method", ["dpo", "ipo", "kto"])
    def test_trls_own_command_line_takes_the_settings(self, method: Method, tmp_path: Path) -> None:
        """Read by TRL's parser, with the types that TRL's commands give it."""
        from trl import DatasetMixtureConfig, DPOConfig, KTOConfig, ScriptArguments, TrlParser
        from trl import ModelConfig as TrlModelConfig

        (tmp_path / "config.yaml").write_text(trl.files(material(method, epochs=2))["config.yaml"], encoding="utf-8")
        types = (ScriptArguments, KTOConfig if method == "kto" else DPOConfig, TrlModelConfig, DatasetMixtureConfig)
        given = ["--config", str(tmp_path / "config.yaml"), "--use_cpu", "--bf16", "false"]
        with quiet():
            script, args, model, _ = TrlParser(types).parse_args_and_config(given, fail_with_unknown_args=True)
        assert (script.dataset_name, model.model_name_or_path) == ("data", "/models/base")
        assert (args.learning_rate, args.beta, args.num_train_epochs, args.output_dir) == (2e-5, 0.1, 2, "trained")
        assert (model.use_peft, model.lora_r, model.lora_target_modules) == (True, 16, "all-linear")
        if method != "kto":
            assert args.loss_type == (["ipo"] if method == "ipo" else ["sigmoid"])

    def test_the_folder_of_rows_is_a_dataset_whose_rows_trl_renders(self, tiny_policy: Path, tmp_path: Path) -> None:
        """`trl dpo` loads the folder by its name; its renderer takes the rows as they come out."""
        from datasets import load_dataset
        from trl.data_utils import apply_chat_template, is_conversational

        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "train.jsonl").write_text(trl.files(material())["data/train.jsonl"], encoding="utf-8")
        rows = load_dataset(str(tmp_path / "data"), cache_dir=str(tmp_path / "cache"))["train"]
        tokenizer = load_tokenizer(PolicySource(str(tiny_policy), (), ModelConfig()))
        assert list(rows) == material().rows()
        assert all(is_conversational(row) for row in rows)
        shown = apply_chat_template(rows[0], tokenizer)
        assert shown["prompt"].endswith("treated?<|im_end|>\n<|im_start|>assistant\n")
        assert (shown["chosen"], shown["rejected"]) == ("By surgery, été.<|im_end|>", "Not at all.<|im_end|>")

    def test_orpo_is_in_no_command_line_of_trl(self) -> None:
        assert "config.yaml" not in trl.files(material("orpo"))
        assert "ORPOTrainer" in trl.files(material("orpo"))["train.py"]

    def test_no_setting_of_this_machine_goes_along(self) -> None:
        assert not {"use_cpu", "bf16"} & set(loaded(trl.files(material())["config.yaml"]))


class TestAxolotl:
    """Schema: axolotl 0.19, utils/schemas/{config,datasets,peft}.py; rows: prompt_strategies/dpo/chat_template.py."""

    def test_rows_are_messages_and_two_answers(self) -> None:
        first, second = lines(axolotl.files(plain())["data/train.jsonl"])
        assert first == {
            "messages": list(TURNS),
            "chosen": {"role": "assistant", "content": "By surgery, été."},
            "rejected": {"role": "assistant", "content": "Not at all."},
        }
        assert second["messages"] == [TURNS[1]]

    def test_the_settings_name_the_fields_of_the_rows(self) -> None:
        found = loaded(axolotl.files(plain("ipo", beta=0.3))["axolotl.yaml"])
        (dataset,) = found["datasets"]
        (row, *_) = lines(axolotl.files(plain())["data/train.jsonl"])
        assert {dataset["field_messages"], dataset["field_chosen"], dataset["field_rejected"]} == set(row)
        assert (dataset["type"], found["chat_template"]) == ("chat_template.default", "tokenizer_default")
        assert (found["rl"], found["dpo_loss_type"]) == ("dpo", ["ipo"])
        assert (found["rl_beta"], found["learning_rate"]) == (0.3, 2e-5)

    @pytest.mark.parametrize("method", ["orpo", "kto"])
    def test_what_it_would_render_otherwise_is_refused(self, method: Method) -> None:
        with pytest.raises(InputError, match="does not render"):
            axolotl.files(plain(method))

    def test_what_it_would_not_tell_the_template_is_refused(self) -> None:
        with pytest.raises(InputError, match="renders pairs without enable_thinking"):
            axolotl.files(material())


class TestLlamaFactory:
    """Schema: LLaMA-Factory 0.9.5, data/parser.py (dataset_info.json) and data/converter.py (ShareGPT rows)."""

    def test_pairs(self) -> None:
        found = llamafactory.files(material())
        (info,) = json.loads(found["data/dataset_info.json"]).values()
        first, _ = lines(found["data/train.jsonl"])
        assert (info["formatting"], info["ranking"], info["file_name"]) == ("sharegpt", True, "train.jsonl")
        assert info["columns"] == {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}
        assert [turn["from"] for turn in first["conversations"]] == ["system", "human", "gpt", "human"]
        assert first["chosen"] == {"from": "gpt", "value": "By surgery, été."}
        assert set(first) == set(info["columns"].values())

    def test_labels(self) -> None:
        found = llamafactory.files(material("kto"))
        (info,) = json.loads(found["data/dataset_info.json"]).values()
        rows = lines(found["data/train.jsonl"])
        assert "ranking" not in info
        assert info["columns"] == {"messages": "conversations", "kto_tag": "label"}
        assert sorted(row["label"] for row in rows) == [False, False, True, True]
        assert all(row["conversations"][-1]["from"] == "gpt" for row in rows)

    @pytest.mark.parametrize(
        ("method", "stage", "loss"),
        [("dpo", "dpo", "sigmoid"), ("ipo", "dpo", "ipo"), ("orpo", "dpo", "orpo"), ("kto", "kto", None)],
    )
    def test_settings(self, method: Method, stage: str, loss: str | None) -> None:
        found = loaded(llamafactory.files(material(method))["train.yaml"])
        assert (found["stage"], found.get("pref_loss")) == (stage, loss)
        assert found["enable_thinking"] is False
        assert found["dataset"] in json.loads(llamafactory.files(material(method))["data/dataset_info.json"])

    def test_what_its_templates_are_not_told_is_said(self) -> None:
        told = tuple(replace(each, template={"reasoning_effort": "low"}) for each in PREFERENCES)
        text = llamafactory.files(replace(material(), preferences=told))["train.yaml"]
        assert "does not know: reasoning_effort" in text
        assert "enable_thinking" not in text

    def test_a_conversation_that_its_loader_would_drop_is_refused(self) -> None:
        twice = Preference((TURNS[1], TURNS[1]), "one", "other")
        with pytest.raises(InputError, match="does not alternate"):
            llamafactory.files(replace(material(), preferences=(twice,)))


class TestOpenai:
    """Schema: developers.openai.com/api/docs/guides/direct-preference-optimization; the job: openai 3.54's types."""

    def test_rows(self) -> None:
        first, _ = lines(openai.files(material())["train.jsonl"])
        assert set(first) == {"input", "preferred_output", "non_preferred_output"}
        assert first["input"]["messages"] == list(TURNS)
        assert first["preferred_output"] == [{"role": "assistant", "content": "By surgery, été."}]
        assert first["non_preferred_output"] == [{"role": "assistant", "content": "Not at all."}]

    def test_the_job(self) -> None:
        job = json.loads(openai.files(material(epochs=0.2))["job.json"])
        assert job["method"] == {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.1, "n_epochs": 1}}}

    def test_other_methods_and_empty_answers_are_refused(self) -> None:
        with pytest.raises(InputError, match="is DPO, not kto"):
            openai.files(material("kto"))
        with pytest.raises(InputError, match="an answer is empty"):
            openai.files(replace(material(), preferences=(Preference(TURNS, "one", " "),)))


class TestUnsloth:
    """Names: unsloth 2026.10.9, models/{__init__,dpo,loader}.py; its trainers are TRL's."""

    @pytest.mark.parametrize("method", METHODS)
    def test_a_script_that_patches_before_trl_is_imported(self, method: Method) -> None:
        script = unsloth.files(material(method))["train.py"]
        modules = [node.module for node in ast.parse(script).body if isinstance(node, ast.ImportFrom)]
        assert modules[0] == "unsloth"
        calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Call)}
        assert {"PatchDPOTrainer", "FastLanguageModel.from_pretrained", "FastLanguageModel.get_peft_model"} <= calls

    def test_the_rows_are_trls(self) -> None:
        assert unsloth.files(material())["data/train.jsonl"] == trl.files(material())["data/train.jsonl"]


@pytest.mark.parametrize("made", [trl.files, axolotl.files, llamafactory.files, unsloth.files])
def test_adapters_that_a_base_model_lacks_are_named(made: Any) -> None:
    """A configuration that names the base alone would train another policy."""
    found = made(replace(plain(), adapters=("/models/first", "/models/second")))
    settings = "".join(text for name, text in found.items() if name.endswith((".py", ".yaml")))
    assert settings.index("/models/first") < settings.index("/models/second")


@pytest.mark.parametrize(
    "value", [2e-05, 1e-300, 1e22, 0.1, 3.0, 5, True, None, "2e-05", 'a: #b "c"', [], ["x", 1e-7], {"a b": {"c": 1e-9}}]
)
def test_yaml_is_read_as_it_was_written(value: object) -> None:
    assert loaded(as_yaml({"key": value}, "a comment")) == {"key": value}


CONFIG = """
[model]
path = "{model}"

[chat]
clinical = "You answer surgeons."
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite alone: what is trained does not depend on where the records are."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ready(workspace: Workspace, tiny_policy: Path) -> Workspace:
    """A workspace with one comparison on each of three train prompts and a held-out one, and a near-duplicate."""
    own = replace(workspace, config=parse_config(CONFIG.format(model=tiny_policy)))
    for number in range(3):
        compare(own, question(number))
    compare(own, Prompt((Message("user", "When does an umbilical cord hernia need mesh?"),), split="eval"))
    compare(own, Prompt((Message("user", "When does an umbilical cord hernia need a mesh?"),)))
    return own


def compare(workspace: Workspace, prompt: Prompt, better: str = "Surgery at once.") -> None:
    policy = sft_model(workspace)
    one, other = sorted(answers(prompt, policy, [better, "Wait and see."]), key=lambda each: each.id)
    verdict: Literal["a", "b"] = "a" if one.text == better else "b"
    strength = 0.9 if verdict == "a" else 0.1
    said = Comparison(prompt.id, one.id, other.id, policy.id, policy.id, "judge:large", verdict, strength)
    workspace.ledger.append([prompt, one, other, said])


def rows_of(folder: Path) -> list[Any]:
    return lines((folder / "data" / "train.jsonl").read_text(encoding="utf-8"))


class TestStage:
    def test_what_is_written(self, ready: Workspace) -> None:
        report = export(ready, sft_model(ready), "trl")
        folder = ready.root / "exports" / "trl-dpo"
        rows = rows_of(folder)
        assert (report.folder, report.pairs, report.prompts) == (str(folder), 3, 3)
        assert {path.name for path in folder.rglob("*") if path.is_file()} == {
            *("train.jsonl", "train.py", "config.yaml", MANIFEST)
        }
        assert all(row["chosen"][0]["content"] == "Surgery at once." for row in rows)
        assert all(row["prompt"][0] == SYSTEM for row in rows)
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        pairs = {pair.id: pair for pair in ready.ledger.read(Pair)}
        assert manifest["pairs_hash"] == pairs_hash(list(pairs))
        assert [pairs[each["id"]].weight for each in manifest["pairs"]] == [
            each["weight"] for each in manifest["pairs"]
        ]
        assert [ready.ledger.get(Prompt, pairs[each["id"]].prompt).question for each in manifest["pairs"]] == [
            row["prompt"][-1]["content"] for row in rows
        ]

    def test_the_script_alone_is_that_of_the_folder(self, ready: Workspace) -> None:
        export(ready, sft_model(ready), "trl")
        written = (ready.root / "exports" / "trl-dpo" / "train.py").read_text(encoding="utf-8")
        assert trl_script(ready, sft_model(ready)) == written

    def test_held_out_prompts_and_their_near_duplicates_never_appear(self, ready: Workspace, tmp_path: Path) -> None:
        for target in ("trl", "axolotl", "llamafactory", "unsloth", "openai"):
            export(ready, sft_model(ready), target, tmp_path / target)
        written = [
            path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.suffix in {".jsonl", ".json"}
        ]
        assert any("case 1" in text for text in written)
        assert not any("umbilical" in text for text in written)

    def test_it_says_that_text_leaves_and_looks_for_identifiers(self, ready: Workspace) -> None:
        assert "hold the text of the questions and answers" in export(ready, sft_model(ready), "trl").text()
        compare(ready, question(7), "Ask Mrs Jane Smith, MRN 4471183.")
        report = export(ready, sft_model(ready), "trl")
        assert (report.identifiers, report.prompts) == (1, 4)
        assert "in 1 of the 4 prompts" in report.text()

    def test_possible_identifiers_do_not_leave_the_house_unreviewed(self, ready: Workspace, tmp_path: Path) -> None:
        compare(ready, question(7), "Ask Mrs Jane Smith, MRN 4471183.")
        with pytest.raises(StageError, match=r"possible identifiers in 1 prompts: name, record_number .*--reviewed"):
            export(ready, sft_model(ready), "openai", tmp_path / "out")
        assert not (tmp_path / "out").exists()
        assert export(ready, sft_model(ready), "openai", tmp_path / "out", reviewed=True).identifiers == 1

    def test_its_own_folder_is_replaced_as_a_whole(self, ready: Workspace, tmp_path: Path) -> None:
        export(ready, sft_model(ready), "trl", tmp_path / "out")
        compare(ready, question(8))
        export(with_method(ready, "orpo"), sft_model(ready), "trl", tmp_path / "out")
        assert len(rows_of(tmp_path / "out")) == 4
        assert not (tmp_path / "out" / "config.yaml").exists()
        assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []

    @pytest.mark.parametrize("name", ["notes.txt", "trained/adapter_model.safetensors"])
    def test_what_others_wrote_is_never_lost(self, ready: Workspace, tmp_path: Path, name: str) -> None:
        """Neither in a folder of someone else's, nor what was trained in the folder of an export."""
        out = tmp_path / "out"
        for _ in range(2):
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("mine", encoding="utf-8")
            with pytest.raises(InputError, match="no export has written"):
                export(ready, sft_model(ready), "trl", out)
            assert path.read_text(encoding="utf-8") == "mine"
            path.unlink()
            for folder in (each for each in (out / "trained",) if each.exists()):
                folder.rmdir()
            export(ready, sft_model(ready), "trl", out)

    def test_no_pairs_and_no_such_format(self, ready: Workspace, workspace: Workspace) -> None:
        with pytest.raises(InputError, match="no such format: csv"):
            export(ready, sft_model(ready), "csv")
        margin = ready.config.pairs.model_copy(update={"margin": 0.99})
        strict = replace(ready, config=ready.config.model_copy(update={"pairs": margin}))
        with pytest.raises(StageError, match="no preference pairs of sft's answers"):
            export(strict, sft_model(strict), "trl")
