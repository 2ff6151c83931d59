"""How probable each level was, however a tokenizer spells it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.judge_protocol import LEVELS, Level, ruling
from annotate.level_odds import level_odds, strength_of

# One place in a reply: what was said there, and what else might have been, with probabilities.
Place = tuple[str, Mapping[str, float]]
BEFORE = '{"rationale": "r", "verdict": "'


def token(said: str, told: Mapping[str, float], top: bool = True) -> dict[str, Any]:
    """As a server tells it; what was said may be left out of the list of the likeliest."""
    each = {text: {"token": text, "logprob": math.log(share) if share else -9999.0} for text, share in told.items()}
    alternatives = [one for text, one in each.items() if top or text != said]
    return {**each[said], "bytes": list(said.encode()), "top_logprobs": alternatives}


def logprobs(*places: Place | str, top: bool = True) -> dict[str, Any]:
    """A text alone is a place where nothing else was likely."""
    return {
        "content": [token(place, {place: 1.0}) if isinstance(place, str) else token(*place, top) for place in places]
    }


def odds(*places: Place | str, top: bool = True) -> dict[str, Any]:
    """The odds that are not nothing; they add up to 1."""
    found = level_odds(logprobs(*places, top=top))
    assert found is not None
    assert sum(found.values()) == pytest.approx(1)
    return {level: pytest.approx(share) for level, share in found.items() if share}


def test_one_token_for_a_whole_level() -> None:
    told = {"a_better": 0.6, "a_much_better": 0.2, "tie": 0.1, "b_better": 0.06, "both_bad": 0.04}
    assert odds(BEFORE, ("a_better", told), '"}') == told
    assert odds(BEFORE, ("tie", told), '"}') == told
    assert odds(BEFORE, ("a_better", told), '"}', top=False) == told


def test_sides_first_then_how_much() -> None:
    """As byte-pair tokenizers spell them: a, _m, uch, _b, etter."""
    side = {"a": 0.7, "b": 0.2, "tie": 0.08, "both": 0.02}
    how_much = {"_m": 0.25, "_b": 0.75}
    expected = {
        "a_much_better": 0.7 * 0.25,
        "a_better": 0.7 * 0.75,
        "tie": 0.08,
        "b_better": 0.1,  # nobody knows how much better b would have been
        "b_much_better": 0.1,
        "both_bad": 0.02,
    }
    assert odds(BEFORE, ("a", side), ("_m", how_much), "uch", "_b", "etter", '"}') == expected
    assert odds(BEFORE, ("a", side), ("_b", how_much), "etter", '"}') == expected


def test_what_was_said_may_be_the_unlikely_one() -> None:
    found = odds(BEFORE, ("b", {"a": 0.9, "b": 0.1}), ("_better", {"_better": 0.5, "_much": 0.5}), '"}')
    assert found == {"a_better": 0.45, "a_much_better": 0.45, "b_better": 0.05, "b_much_better": 0.05}


def test_letter_by_letter() -> None:
    places: list[Place | str] = [
        BEFORE[:-1],
        '"',
        ("b", {"b": 0.5, "a": 0.3, "t": 0.2}),
        ("o", {"o": 0.1, "_": 0.9}),
        *"th_bad",
        '"',
        "}",
    ]
    assert odds(*places) == {
        "both_bad": 0.05,
        "b_better": 0.225,
        "b_much_better": 0.225,
        "a_better": 0.15,
        "a_much_better": 0.15,
        "tie": 0.2,
    }
    spelt = odds(BEFORE, ("a", {"a": 0.7, "b": 0.3}), "_", ("m", {"m": 0.4, "b": 0.6}), *'uch_better"}')
    assert spelt == {
        "a_much_better": 0.28,
        "a_better": 0.42,
        "b_better": 0.1,
        "b_much_better": 0.1,
        "both_bad": 0.1,  # "b" begins this too, where "both" is not on the list
    }


def test_a_token_may_begin_before_the_value_and_end_after_it() -> None:
    opening = {' "a': 0.6, ' "b': 0.3, ' "tie': 0.1, ' "': 0.5, " [": 0.1, "a": 0.1}
    rest = {'_better"}': 0.8, "_much": 0.1, '_better",': 0.1}
    found = odds('{"rationale": "r", "verdict":', (' "a', opening), ('_better"}', rest))
    assert found == {"a_better": 0.54, "a_much_better": 0.06, "b_better": 0.1, "b_much_better": 0.1} | {
        "tie": 0.1,
        "both_bad": 0.1,
    }
    whole = {'"verdict": "tie"}': 0.5, '"verdict": "b_better"}': 0.5}
    assert odds('{"rationale": "r", ', ('"verdict": "tie"}', whole)) == {"tie": 0.5, "b_better": 0.5}


def test_the_last_letter_may_come_with_the_quote() -> None:
    assert odds(BEFORE, ("ti", {"ti": 0.5, "both_ba": 0.5}), 'e"', "}") == {"tie": 0.5, "both_bad": 0.5}


def test_what_begins_no_level_counts_for_nothing() -> None:
    told = {"a": 0.3, "A": 0.4, "neither": 0.1, "b": 0.1, "": 0.05, "both_good": 0.05}
    found = odds(BEFORE, ("a", told), ("_better", {"_better": 0.5, "_slightly": 0.5}), '"}')
    third = 0.25 / 3
    assert found == {"a_better": 0.75, "b_better": third, "b_much_better": third, "both_bad": third}


def test_what_decides_nothing_is_left_out() -> None:
    """At the underscore both levels of a side are open, whichever way it is cut."""
    cut = {"_": 0.5, "_m": 0.4, "_b": 0.1}
    found = odds(BEFORE, "a", ("_m", cut), *'uch_better"}')
    assert found == {"a_much_better": 0.8, "a_better": 0.2}
    found = odds(BEFORE, "a", ("_", cut), ("m", {"m": 0.9, "b": 0.1}), *'uch_better"}')
    assert found == {"a_much_better": 0.4 + 0.5 * 0.9, "a_better": 0.1 + 0.5 * 0.1}


def test_a_word_has_one_way_to_be_spelt() -> None:
    assert odds(BEFORE, ("tie", {"tie": 0.7, "b": 0.2, "both": 0.1}), '"}') == {
        "tie": 0.7,
        "b_better": 0.1,
        "b_much_better": 0.1,
        "both_bad": 0.1,
    }
    assert odds(BEFORE, ("tie", {"tie": 0.7, "b": 0.2, "b_": 0.1}), '"}') == {
        "tie": 0.7,
        "b_better": 0.2 / 3 + 0.05,
        "b_much_better": 0.2 / 3 + 0.05,
        "both_bad": 0.2 / 3,
    }


QUOTED = json.dumps('he wrote {"verdict": "b_better"}')[1:-1]


@pytest.mark.parametrize(
    "before",
    [
        '{"rationale": "r", "verdict": "b_better"} On reflection: {"rationale": "r", "verdict": "',
        '<think>{"verdict": "b_much_better"}</think>{"rationale": "r", "verdict": "',
        f'{{"rationale": "{QUOTED}", "verdict": "',
        '```json\n{"rationale": "r",\n "verdict" :\n "',
    ],
)
def test_the_last_verdict_counts(before: str) -> None:
    assert odds(*before, ("tie", {"tie": 0.5, "a": 0.5}), '"', "}") == {
        "tie": 0.5,
        "a_better": 0.25,
        "a_much_better": 0.25,
    }


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {},
        {"content": None},
        {"content": []},
        {"content": ["verdict"]},
        {"content": [{"text": "x"}]},
        {"tokens": ["x"]},
        logprobs("Answer A is better."),
        logprobs('{"rationale": "r", "verdict": "a_bet'),
        logprobs('{"rationale": "r", "verdict": "', "A", "_better", '"}'),
        logprobs("token_id:", "123"),
        {"content": [*logprobs(BEFORE)["content"], {"token": 'tie"', "logprob": None}]},
        {"content": [*logprobs(BEFORE)["content"], {"token": 'tie"', "logprob": "-1"}]},
        {"content": [*logprobs(BEFORE)["content"], {"token": 'tie"', "logprob": float("nan")}]},
        {"content": [*logprobs(BEFORE)["content"], {"token": 'tie"', "logprob": -9999.0}]},
        {"content": [*logprobs(BEFORE)["content"], {"token": 'tie"', "logprob": -1, "top_logprobs": {"a": 1}}]},
    ],
)
def test_where_there_are_none_there_are_none(told: object) -> None:
    assert level_odds(told) is None


def test_without_alternatives_it_is_what_was_said() -> None:
    none: tuple[dict[str, Any], ...] = ({}, {"top_logprobs": None}, {"top_logprobs": []})
    for extra in none:
        told = {"content": [*logprobs(BEFORE)["content"], {"token": 'tie"', "logprob": -1.5, **extra}]}
        assert level_odds(told) == {**dict.fromkeys(LEVELS, 0.0), "tie": 1.0}


@given(st.sampled_from(LEVELS), st.data())
def test_any_way_to_cut_a_level_gives_back_its_probabilities(level: Level, data: st.DataObject) -> None:
    """A tokenizer that cuts every level at the same places: but for what was not gone on with, nothing is lost."""
    share = dict(zip(LEVELS, data.draw(st.permutations([0.3, 0.25, 0.2, 0.1, 0.1, 0.05])), strict=True))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(level)), max_size=5)) | {0, len(level) + 1})
    places: list[Place | str] = [BEFORE]
    for start, end in pairwise(cuts):
        like = {each: each + '"' for each in LEVELS if (each + '"').startswith(level[:start])}
        pieces: dict[str, float] = {}
        for each, word in like.items():
            pieces[word[start:end]] = pieces.get(word[start:end], 0.0) + share[each]
        places.append((f'{level}"'[start:end], pieces))
    found = level_odds(logprobs(*places, "}"))
    assert found is not None
    assert sum(found.values()) == pytest.approx(1)
    assert found[level] == pytest.approx(share[level])
    for side in ("a", "t", "b"):
        alike = [each for each in LEVELS if each.startswith(side)]
        assert sum(found[each] for each in alike) == pytest.approx(sum(share[each] for each in alike))


def test_the_strength_is_the_expected_value() -> None:
    said = ruling('{"rationale": "r", "verdict": "a_better"}', "ab")
    swapped = ruling('{"rationale": "r", "verdict": "a_better"}', "ba")
    assert said is not None
    assert swapped is not None
    even: dict[str, float] = {"a_better": 0.5, "b_better": 0.3, "tie": 0.1, "both_bad": 0.1}
    assert strength_of(said, "ab", even) == round(0.5 * 0.7 + 0.3 * 0.3 + 0.2 * 0.5, 6)
    assert strength_of(swapped, "ba", even) == round(1 - (0.5 * 0.7 + 0.3 * 0.3 + 0.2 * 0.5), 6)


@pytest.mark.parametrize("other", [None, {}, {"tie": 1.0}, {"a_better": 0.0, "tie": 1.0}])
def test_odds_of_something_else_are_not_used(other: Mapping[str, float] | None) -> None:
    said = ruling('{"rationale": "r", "verdict": "a_better"}', "ba")
    assert said is not None
    assert strength_of(said, "ba", other) == said.strength == 0.3
