"""A batch that does not fit is done in parts, and the model ends up as if it had fitted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import torch  # noqa: TID253

from align.export.rows import Preference, paired_rows, unpaired_rows
from align.preference.halving import is_out_of_memory, layout_of, parts_of, rows_of
from ledger.errors import StageError

pytestmark = pytest.mark.usefixtures("one_thread")

Method = Literal["dpo", "ipo", "kto", "orpo"]
PREFERENCES = [
    Preference(
        ({"role": "user", "content": f"{number}. What is a hernia?" + " Say it." * (number % 3)},),
        f"A protrusion {number}." + " It is." * (number % 4),
        "The wall." + " No." * (number % 2),
    )
    for number in range(12)
]
CPU_MESSAGE = "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"


def paired(rows: int = 5) -> dict[str, Any]:
    """Row i of the chosen half holds i, of the rejected half 100 + i; row lengths grow."""
    ids = torch.tensor([[half + row] * 6 for half in (0, 100) for row in range(rows)])
    mask = torch.tensor([[1] * (1 + row) + [0] * (5 - row) for _ in range(2) for row in range(rows)])
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "completion_mask": mask.clone(),
        "ref_chosen_logps": torch.arange(rows) / 10,
        "weights": [row / 10 for row in range(rows)],
        "plan": "whole",
        "temperature": torch.tensor(1.0),
    }


class TestParts:
    def test_pairs_stay_together(self) -> None:
        parts = parts_of(paired(), "paired", 2)
        firsts = [part["input_ids"][:, 0].tolist() for part, _ in parts]
        assert firsts == [[0, 100], [1, 2, 101, 102], [3, 4, 103, 104]]
        assert [share for _, share in parts] == pytest.approx([0.2, 0.4, 0.4])
        assert [part["weights"] for part, _ in parts] == [[0.0], [0.1, 0.2], [0.3, 0.4]]
        assert [part["ref_chosen_logps"].tolist() for part, _ in parts] == [
            pytest.approx([0.0]),
            pytest.approx([0.1, 0.2]),
            pytest.approx([0.3, 0.4]),
        ]
        assert {part["plan"] for part, _ in parts} == {"whole"}
        assert all(part["temperature"] == 1 for part, _ in parts)

    def test_padding_that_no_row_needs_is_cut_off(self) -> None:
        widths = [
            {name: part[name].shape[1] for name in ("input_ids", "attention_mask", "completion_mask")}
            for part, _ in parts_of(paired(), "paired", 2)
        ]
        assert [set(width.values()) for width in widths] == [{1}, {3}, {5}]

    def test_what_fits_is_left_as_it_is(self) -> None:
        batch = paired()
        assert parts_of(batch, "paired", 5)[0][0] is batch
        assert parts_of(batch, "paired", 9) == [(batch, 1.0)]

    def test_unpaired_rows_are_split_once(self) -> None:
        batch = {**paired(2), "label": torch.tensor([True, False, True, False])}
        del batch["weights"], batch["ref_chosen_logps"]
        assert layout_of(batch) == "unpaired"
        parts = parts_of(batch, "unpaired", 3)
        assert [part["input_ids"][:, 0].tolist() for part, _ in parts] == [[0, 1], [100, 101]]
        assert [part["label"].tolist() for part, _ in parts] == [[True, False], [True, False]]

    def test_layouts(self) -> None:
        orpo = {"chosen_input_ids": torch.zeros(3, 2), "rejected_input_ids": torch.zeros(3, 4)}
        assert layout_of(paired()) == "paired"
        assert layout_of(orpo) == "unpaired"
        assert (rows_of(paired(), "paired"), rows_of(orpo, "unpaired")) == (5, 3)


class TestIsOutOfMemory:
    @pytest.mark.parametrize(
        "error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), RuntimeError(CPU_MESSAGE)]
    )
    def test_it_is(self, error: BaseException) -> None:
        assert is_out_of_memory(error)

    @pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), ValueError("out of memory"), OSError()])
    def test_it_is_not(self, error: BaseException) -> None:
        assert not is_out_of_memory(error)

    def test_a_real_one(self) -> None:
        with pytest.raises(RuntimeError) as caught:
            torch.empty(2**60, dtype=torch.uint8)
        assert is_out_of_memory(caught.value)


def trainer_of(
    method: Method, policy: Path, folder: Path, accumulation: int = 1, *, plain: bool = False, **settings: Any
) -> Any:
    """A real trainer with the mixin, or TRL's own (``plain``), on five pairs a micro-batch, or three."""
    from datasets import Dataset

    from align.preference.methods import method as method_of
    from align.preference.runs import lora
    from ledger.config import AlignConfig, ModelConfig
    from sampling.models import PolicySource, load_policy, load_tokenizer
    from sampling.quiet import quiet

    chosen = method_of(method)
    source = PolicySource(str(policy), (), ModelConfig())
    rows = unpaired_rows(PREFERENCES, 0) if method == "kto" else paired_rows(PREFERENCES)
    args = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 5 if accumulation == 1 else 3,
        "gradient_accumulation_steps": accumulation,
        "max_steps": 3,
        "learning_rate": 1e-2,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": False,
        **chosen.own,
        **settings,
    }
    with quiet():
        trainer_class = trls(method) if plain else chosen.trainer
        return trainer_class(
            model=load_policy(source),
            args=chosen.settings(**args),
            train_dataset=Dataset.from_list(rows),
            processing_class=load_tokenizer(source),
            peft_config=lora(AlignConfig(lora_rank=4)),
            **({} if plain else {"shared_prefix": False}),  # which has one row whatever the batch
        )


def trls(method: Method) -> Any:
    """TRL's own trainer of a method."""
    from trl import DPOTrainer, KTOTrainer
    from trl.experimental.orpo import ORPOTrainer

    return {"dpo": DPOTrainer, "ipo": DPOTrainer, "kto": KTOTrainer, "orpo": ORPOTrainer}[method]


def limit(trainer: Any, rows: int, error: Callable[[], Exception], *, backward: bool = False) -> None:
    """Let no more than this many sequences through: in the forward pass, or half-way back."""

    def too_many(value: Any) -> bool:
        return torch.is_grad_enabled() and trainer.model.training and value.shape[0] > rows

    def forward(_module: Any, arguments: Any, named: Any) -> None:
        ids = named.get("input_ids", arguments[0] if arguments else None)
        if too_many(ids):
            raise error()

    def half_way(_module: Any, arguments: Any, output: Any) -> None:
        if too_many(output) and output.requires_grad:
            output.register_hook(fail)

    def fail(_gradient: Any) -> None:
        raise error()

    if backward:
        layer = next(each for name, each in trainer.model.named_modules() if name.endswith("layers.0.mlp"))
        layer.register_forward_hook(half_way)
    else:
        trainer.model.register_forward_pre_hook(forward, with_kwargs=True)


def trained(trainer: Any) -> dict[str, Any]:
    from sampling.quiet import quiet

    with quiet():
        trainer.train()
    return {name: value.detach().clone() for name, value in trainer.model.named_parameters() if value.requires_grad}


def largest_difference(ours: dict[str, Any], theirs: dict[str, Any]) -> float:
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


def figures(trainer: Any) -> list[dict[str, float]]:
    """The figures of rows. Left out: accuracies (rounding, before the first step) and KTO's means within a class."""
    names = ("loss", "grad_norm", "rewards/margins", "logps/chosen", "logps/rejected", "num_tokens")
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    by_class = "rewards/accuracies" not in logged[0]
    return [{name: entry[name] for name in names if not by_class or "/" not in name} for entry in logged]


PLAIN: dict[str, Any] = {"optim": "sgd", "learning_rate": 0.1, "max_grad_norm": 0.0}  # Adam would hide a wrong scale


@pytest.mark.parametrize(
    "case",
    [
        ("dpo", 1, False, {}),
        ("dpo", 2, True, {}),
        ("ipo", 2, True, {"learning_rate": 1e-2}),
        ("kto", 2, True, {"loss_type": "apo_zero_unpaired", "learning_rate": 1.0}),  # without the batch's KL
    ],
)
def test_it_ends_with_the_same_weights_and_figures(
    case: tuple[Method, int, bool, dict[str, Any]],
    tiny_policy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    method, accumulation, backward, settings = case
    undisturbed = trainer_of(method, tiny_policy, tmp_path, accumulation, plain=True, **{**PLAIN, **settings})
    theirs = trained(undisturbed)
    halved = trainer_of(method, tiny_policy, tmp_path, accumulation, **{**PLAIN, **settings})
    before = {name: value.detach().clone() for name, value in halved.model.named_parameters() if value.requires_grad}
    limit(halved, 2, lambda: torch.OutOfMemoryError("CUDA out of memory. Tried"), backward=backward)
    ours = trained(halved)
    assert largest_difference(ours, before) > 1e-3
    assert largest_difference(ours, theirs) < 1e-6
    assert halved.rows_at_once == (2 if method == "kto" else 1)
    for mine, plain in zip(figures(halved), figures(undisturbed), strict=True):
        assert mine == pytest.approx(plain, rel=1e-4, abs=1e-5)
    said = [line for line in capsys.readouterr().err.splitlines() if "Out of memory" in line]
    sizes = [5, 3, 2] if accumulation == 1 else [3] if method == "kto" else [3, 2]
    assert [int(line.split(" rows")[0].split()[-1]) for line in said] == sizes


@pytest.mark.parametrize("method", ["kto", "orpo"])
def test_the_other_methods_go_on_too(method: Method, tiny_policy: Path, tmp_path: Path) -> None:
    """Their losses are no plain means over rows, so the end is near the undisturbed one, not the same."""
    theirs = trained(trainer_of(method, tiny_policy, tmp_path, plain=True, **PLAIN))
    halved = trainer_of(method, tiny_policy, tmp_path, **PLAIN)
    before = {name: value.detach().clone() for name, value in halved.model.named_parameters() if value.requires_grad}
    limit(halved, 6 if method == "orpo" else 3, lambda: RuntimeError(CPU_MESSAGE))
    ours = trained(halved)
    assert halved.rows_at_once == 3
    assert largest_difference(ours, theirs) < 0.2 * largest_difference(ours, before)


def test_a_row_that_does_not_fit_is_an_error(tiny_policy: Path, tmp_path: Path) -> None:
    trainer = trainer_of("dpo", tiny_policy, tmp_path)
    limit(trainer, 1, lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB\nmore"))
    with pytest.raises(
        StageError, match=r"micro-batch of 1: out of memory: CUDA .* 9 GiB -> shorten align\.max_length"
    ):
        trained(trainer)


def test_another_error_passes(tiny_policy: Path, tmp_path: Path) -> None:
    trainer = trainer_of("dpo", tiny_policy, tmp_path)
    limit(trainer, 4, lambda: RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        trained(trainer)


def test_among_several_processes_it_is_an_error_at_once(tiny_policy: Path, tmp_path: Path) -> None:
    """The others wait in a collective call."""
    trainer = trainer_of("dpo", tiny_policy, tmp_path)
    limit(trainer, 4, lambda: torch.OutOfMemoryError("CUDA out of memory"))
    trainer.accelerator.state._shared_state["num_processes"] = 2
    try:
        with pytest.raises(StageError, match=r"halve align\.batch_size"):
            trainer.training_step(trainer.model.train(), next(iter(trainer.get_train_dataloader())))
    finally:
        trainer.accelerator.state._shared_state["num_processes"] = 1
