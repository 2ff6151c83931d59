"""Tests of dashboards/wording.py."""

from __future__ import annotations

import pandas as pd  # noqa: TID253
import pytest

from dashboards.questions import Standing
from dashboards.wording import assessor_note, escaped, headline, invalid_note, standing

RATE = {
    "label": "Round 1 (dpo)",
    "opponent_label": "SFT",
    "assessors": "metric:reference",
    "outcome": "better",
    "win_rate": 0.673,
    "low": 0.629,
    "high": 0.717,
    "worst": 0.66,
    "best": 0.69,
    "confidence": 0.95,
    "n_prompts": 88,
    "n_invalid": 0,
}


def test_the_headline_says_it_all() -> None:
    assert headline(pd.Series(RATE)) == (
        "Round 1 (dpo) beats SFT on 67% of 88 held-out questions, 95% interval 63 to 72, judged by metric:reference: "
        "better."
    )


@pytest.mark.parametrize(
    ("outcome", "end"), [("worse", ": worse."), ("not shown", "not shown."), ("too few", "10 questions.")]
)
def test_the_headline_ends_with_what_is_shown(outcome: str, end: str) -> None:
    assert headline(pd.Series({**RATE, "outcome": outcome})).endswith(end)


def test_invalid_verdicts_are_told_with_their_bounds() -> None:
    assert invalid_note(pd.Series(RATE)) == ""
    note = invalid_note(pd.Series({**RATE, "n_invalid": 3}))
    assert note.startswith("3 verdicts are invalid")
    assert note.endswith("between 66% and 69% (the ticks).")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("metric:reference", "neither an LLM nor a surgeon"),
        ("metric:other", "neither an LLM nor a surgeon"),
        ("judge:gpt", "an LLM judge"),
        ("surgeon:7", "a surgeon"),
        ("simulated:1", "neither an LLM nor a surgeon"),
        ("someone", "an assessor"),
    ],
)
def test_assessors_are_called_what_they_are(name: str, kind: str) -> None:
    assert kind in assessor_note(name)


def test_escaped_text_has_no_markup_left() -> None:
    assert escaped("a\n<b> [c](d) $e$ :f: `g` *h* _i_ ~j~ \\k") == (
        r"a \<b\> \[c\]\(d\) \$e\$ \:f\: \`g\` \*h\* \_i\_ \~j\~ \\k"
    )


@pytest.mark.parametrize("link", ["http://a.b", "HTTPS://a.b", "www.a.b", "a@b.c"])
def test_escaped_text_is_no_link_either(link: str) -> None:
    plain = escaped(link).replace("\\", "")
    assert plain != link
    assert plain.replace("\u2060", "") == link


def test_standing_in_one_line() -> None:
    assert standing(Standing("judge:x", 1, 2, 0, 1, 3, harmful=True)) == (
        ":orange[◀] won 1 · lost 2 · both bad 1 · invalid 3 · **critical harm** · judge\\:x"
    )
    assert standing(Standing("judge:x", 1, 1, 1, 0, 0, harmful=False)).startswith(":gray[●] won 1 · lost 1 · tied 1")
