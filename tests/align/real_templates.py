"""Small tokenizers with the chat templates that the makers of the models wrote, as TRL ships them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

BOS, CHATML_END, PAD = "<s>", "<|im_end|>", "<|pad|>"
HARMONY = ("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>")
# Of each template: its special tokens, and the one that ends an answer.
SPECIAL: Mapping[str, tuple[tuple[str, ...], str]] = {
    "qwen3": (("<|im_start|>",), CHATML_END),
    "qwen3_instruct_2507": (("<|im_start|>",), CHATML_END),
    "qwen3_5_think": (("<|im_start|>",), CHATML_END),
    "gptoss": (HARMONY, "<|return|>"),
    "llama3": (("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"), "<|eot_id|>"),
    "gemma3": (("<start_of_turn>", "<end_of_turn>", "<eos>"), "<end_of_turn>"),
    "phi3": (("<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|endoftext|>"), "<|end|>"),
    "deepseek_r1_distill": (("<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"), "<｜end▁of▁sentence｜>"),  # noqa: RUF001
}
DOCUMENT_END = {"gemma3": "<eos>", "phi3": "<|endoftext|>"}  # where the tokenizer's end token is another
THINKING = ("qwen3", "qwen3_5_think", "gptoss", "deepseek_r1_distill")


@cache
def tokenizer(name: str) -> Any:
    """A small byte-level tokenizer with the template ``name``, which writes what its model's tokenizer would."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special, end = SPECIAL[name]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    kept = [PAD, BOS, *dict.fromkeys((*special, end))]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=kept, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator(["Through the wall. What is a hernia? It bulges, so it is weak."], trainer)
    bpe.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, bpe.token_to_id(BOS))])
    last = DOCUMENT_END.get(name, end)
    made = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token=BOS, eos_token=last, pad_token=PAD)
    if name in THINKING and name != "gptoss":
        made.add_tokens(["<think>", "</think>"])
    made.chat_template = (files("trl") / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")
    assert made("a")["input_ids"][0] == made.bos_token_id
    return made


def ends(name: str) -> frozenset[int]:
    """What sampling stops at: what the model's own settings name, and the tokenizer's end token."""
    made = tokenizer(name)
    return frozenset({made.convert_tokens_to_ids(SPECIAL[name][1]), made.eos_token_id})
