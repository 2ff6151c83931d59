"""The demo's policy is small, whole, and the same each time that it is made."""

from __future__ import annotations

import random
from pathlib import Path

from align.tiny_policy import END, PAD, START, make_tiny_policy
from ledger.weights import weights_hash

TURNS = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]


def test_it_is_the_same_each_time(tmp_path: Path) -> None:
    texts = ["What is a hernia?", "A protrusion through the wall which contains it."]
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        make_tiny_policy(tmp_path / name, texts, vocabulary=300, seed=seed)
    a, b, c = (weights_hash(tmp_path / name) for name in "abc")
    assert a == b != c


def test_it_has_two_million_parameters(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    letters = random.Random(0)
    make_tiny_policy(tmp_path, ["".join(letters.choices("abcdefghij", k=8)) for _ in range(3_000)])
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(model).__name__ == "Qwen3ForCausalLM"
    assert 1.5e6 < model.num_parameters() < 2.5e6


def test_the_tokenizer_takes_any_text(tiny_policy: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    model = AutoModelForCausalLM.from_pretrained(tiny_policy)
    for text in ("What is a hernia?", " 5 \u00b5g/kg\n\n\u4e2d\u6587 \U0001f600", ""):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert len(tokenizer("What is a hernia?")["input_ids"]) < 10
    assert (tokenizer.pad_token, tokenizer.eos_token, tokenizer.bos_token) == (PAD, END, None)
    assert tokenizer.convert_tokens_to_ids([PAD, START, END]) == [0, 1, 2]
    assert tokenizer.padding_side == "left"
    assert model.config.vocab_size == len(tokenizer)
    assert (model.generation_config.eos_token_id, model.config.pad_token_id) == (2, 0)


def test_an_answer_ends_with_the_end_token(tiny_policy: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    whole = tokenizer.apply_chat_template([*TURNS, {"role": "assistant", "content": "a"}], tokenize=False)
    shown = tokenizer.apply_chat_template(TURNS, tokenize=False, add_generation_prompt=True)
    assert shown == f"{START}system\ns{END}\n{START}user\nu{END}\n{START}assistant\n"
    assert whole == f"{shown}a{END}"
