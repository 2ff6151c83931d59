"""Exports, read by the code of the projects that they are for: a check to run by hand, as that code is no dependency.

    pip download --no-deps axolotl==0.19.0 addict colorama llamafactory==0.9.5 omegaconf openai==3.54.0 \
        unsloth==2026.10.9 antlr4-python3-runtime==4.9.3
    # unpack each into a folder of its own name within FOLDER, antlr4 from its sources
    python -m tests.align.export_peers FOLDER
"""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.machinery import ModuleSpec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Literal

from align.export import axolotl, llamafactory, openai, unsloth
from align.export.material import Files, Material
from align.export.rows import Preference
from align.tiny_policy import make_tiny_policy
from ledger.config import AlignConfig

Method = Literal["dpo", "ipo", "orpo", "kto"]
TURNS = (
    {"role": "system", "content": "You answer surgeons."},
    {"role": "user", "content": "What is it? \u2028 \U0001f600"},
    {"role": "assistant", "content": "A hernia."},
    {"role": "user", "content": "How is it treated?"},
)
PREFERENCES = (Preference(TURNS, "By surgery.", "Not at all."), Preference(TURNS[1:2], "A hernia.", "No idea."))
RENDERED = (
    "<|im_start|>system\nYou answer surgeons.<|im_end|>\n<|im_start|>user\nWhat is it? \u2028 \U0001f600<|im_end|>\n"
    "<|im_start|>assistant\nA hernia.<|im_end|>\n<|im_start|>user\nHow is it treated?<|im_end|>\n"
    "<|im_start|>assistant\n"
)


def material(method: Method, base: Path) -> Material:
    return Material(PREFERENCES, AlignConfig(method=method), str(base))


def check_axolotl(place: Path, base: Path, _sources: Path) -> None:
    """Its schema takes every key, and its strategy renders the rows as the policy is asked."""
    import yaml
    from transformers import AutoTokenizer

    schema = import_module("axolotl.utils.schemas.config").AxolotlInputConfig
    strategy = import_module("axolotl.prompt_strategies.dpo.chat_template").default
    plain = import_module("axolotl.utils.dict").DictDefault
    for method in ("dpo", "ipo"):
        folder = put(place / method, axolotl.files(material(method, base)))
        settings = yaml.safe_load((folder / "axolotl.yaml").read_text(encoding="utf-8"))
        assert set(settings) <= set(schema.model_fields)
        assert schema(**settings).rl.value == "dpo"
        render, _ = strategy(plain(settings))
        shown = render(rows(folder)[0], tokenizer=AutoTokenizer.from_pretrained(base))
        assert shown == {"prompt": RENDERED, "chosen": "By surgery.<|im_end|>", "rejected": "Not at all.<|im_end|>"}


def check_llamafactory(place: Path, base: Path, _sources: Path) -> None:
    """Its parser finds the rows, its converter takes each, its arguments know every key."""
    import yaml
    from transformers import HfArgumentParser, Seq2SeqTrainingArguments

    os.environ["DISABLE_VERSION_CHECK"] = "1"  # it asks for an older transformers; its data code does not mind
    audio = ModuleType("torchaudio")  # it imports this for models that hear
    audio.__spec__ = ModuleSpec("torchaudio", None)
    sys.modules["torchaudio"] = audio
    parser, converter = import_module("llamafactory.data.parser"), import_module("llamafactory.data.converter")
    arguments = import_module("llamafactory.hparams")
    types = (arguments.ModelArguments, arguments.DataArguments, Seq2SeqTrainingArguments, arguments.FinetuningArguments)
    methods: tuple[Method, ...] = ("dpo", "ipo", "orpo", "kto")
    for method in methods:
        folder = put(place / method, llamafactory.files(material(method, base)))
        settings = yaml.safe_load((folder / "train.yaml").read_text(encoding="utf-8"))
        HfArgumentParser(types).parse_dict({**settings, "use_cpu": True}, allow_extra_keys=False)
        (found,) = parser.get_dataset_list([settings["dataset"]], str(folder / settings["dataset_dir"]))
        convert = converter.get_dataset_converter(found.formatting, found, None)
        for row in rows(folder):
            taken = convert(row)
            assert len(taken["_prompt"]) % 2 == 1
            assert len(taken["_response"]) == 2


def check_openai(_place: Path, base: Path, _sources: Path) -> None:
    """Its types take the job and each message."""
    from pydantic import TypeAdapter

    job = import_module("openai.types.fine_tuning.job_create_params").JobCreateParams
    chat = import_module("openai.types.chat")
    files = openai.files(material("dpo", base))
    TypeAdapter(job).validate_python(json.loads(files["job.json"]))
    assert set(json.loads(files["job.json"])) <= set(job.__annotations__)
    for line in files["train.jsonl"].split("\n")[:-1]:
        row = json.loads(line)
        for message in row["input"]["messages"]:
            TypeAdapter(chat.ChatCompletionMessageParam).validate_python(message)
        for message in (*row["preferred_output"], *row["non_preferred_output"]):
            TypeAdapter(chat.ChatCompletionAssistantMessageParam).validate_python(message)


def check_unsloth(_place: Path, base: Path, sources: Path) -> None:
    """Its functions have the arguments that the script gives: read off its source, as it needs a GPU to be imported."""
    models = sources / "unsloth" / "unsloth" / "models"
    known: dict[str, list[set[str]]] = {}
    for path in (models / "loader.py", models / "llama.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                known.setdefault(node.name, []).append({each.arg for each in node.args.args})
    script = ast.parse(unsloth.files(material("dpo", base))["train.py"])
    calls = [node for node in ast.walk(script) if isinstance(node, ast.Call)]
    ours = [each for each in calls if ast.unparse(each.func).startswith("FastLanguageModel.")]
    assert len(ours) == 2
    for call in ours:
        given = {str(each.arg) for each in call.keywords}
        assert any(given <= names for names in known[ast.unparse(call.func).rpartition(".")[2]])


def put(folder: Path, files: Files) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return folder


def rows(folder: Path) -> list[Any]:
    text = (folder / "data" / "train.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n")[:-1]]


CHECKS: dict[str, Callable[[Path, Path, Path], None]] = {
    "axolotl": check_axolotl,
    "llamafactory": check_llamafactory,
    "openai": check_openai,
    "unsloth": check_unsloth,
}


def main(sources: Path) -> None:
    """Check each format; an assertion or the project's own error says what is wrong."""
    sys.path.extend(str(folder) for folder in sorted(sources.iterdir()))
    with TemporaryDirectory() as place:
        base = Path(place) / "base"
        make_tiny_policy(base, [turn["content"] for turn in TURNS], vocabulary=400)
        for name, check in CHECKS.items():
            check(Path(place) / name, base, sources)
            print(f"{name}: as its own code takes it")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
