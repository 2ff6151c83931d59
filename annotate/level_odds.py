"""How probable each level of a verdict was to the judge, read from the log-probabilities of its tokens.

The expected value over them says more than the level that was said: a judge that wrote "a_better" at 51 to 49 is not
one that wrote it at 99 to 1 (Liu et al., 2023, "G-Eval"; Wang et al., 2025, "Improving LLM-as-a-Judge Inference with
the Judgment Distribution").

The levels share their beginnings, so a level is decided token by token. At each token of the verdict's value, what the
judge might have written there is weighed, as far as it begins a level that is still open; the rest is left out, and
what is left counts as the whole. What was not written was not continued, so of an alternative that begins several
levels nobody knows which of them would have come: they share it equally.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from annotate.judge_protocol import LEVELS, MEANING, Level, Ruling
from ledger.records import Order

Odds = Mapping[str, float]  # level -> probability; adds up to 1; levels in terms of the order shown

DIGITS = 4  # of a strength; a server's sums differ in the sixth from batch to batch
VALUE = re.compile(rf'"verdict"\s*:\s*"(?P<level>{"|".join(LEVELS)})"')


def strength_of(said: Ruling, order: Order, odds: Odds | None) -> float:
    """P(a is better): its expected value over ``odds``, un-swapped from the order shown.

    Where there are none, or they give nothing to the level that was said and so are of something else, it is what that
    level stands for.
    """
    if not odds or not odds.get(said.level):
        return said.strength
    shown_first = sum(odds.get(level, 0.0) * strength for level, (_, strength) in MEANING.items())
    return round(shown_first if order == "ab" else 1 - shown_first, DIGITS)


def level_odds(logprobs: Any) -> Odds | None:
    """The probability of each level in the last verdict among the tokens of a reply.

    Args:
        logprobs: ``choices[0].logprobs`` of a chat completion. Its ``content`` lists the tokens, each with its
            ``logprob`` in nats, and with tokens that might have stood in its place as ``top_logprobs``.

    Returns:
        None where there are none, no verdict is among them, or they are not what they should be.
    """
    try:
        return _odds_of_last(logprobs["content"])
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _odds_of_last(tokens: Sequence[Mapping[str, Any]]) -> Odds | None:
    texts = [token["token"] for token in tokens]
    said = "".join(texts)
    found = list(VALUE.finditer(said))
    if not found:
        return None
    last = found[-1]
    starts = [0, *accumulate(map(len, texts))]
    at = last.start("level")
    first = bisect_right(starts, at) - 1
    steps = [
        (said[at:start], said[start:at], token)
        for start, token in zip(starts[first:], tokens[first:], strict=False)
        if start <= last.end("level")
    ]
    return _walked(steps)


def _walked(steps: Sequence[tuple[str, str, Mapping[str, Any]]]) -> Odds | None:
    """Each step: what of the value stood before its token, what of the token stands before the value, and the token."""
    odds: dict[str, float] = dict.fromkeys(LEVELS, 0.0)
    path, still_open = 1.0, LEVELS
    for before, lead, token in steps:
        probable = _probabilities(token)
        begun = {
            text: levels
            for text in probable
            if text.startswith(lead) and (levels := _begun(before + text.removeprefix(lead), still_open))
        }
        said = token["token"]
        valid = {text: levels for text, levels in begun.items() if text == said or levels != still_open}
        whole = sum(probable[text] for text in valid)
        if not whole > 0:  # not a number, too
            return None
        for text in valid.keys() - {said}:
            sharing = _not_spelt_otherwise(text, valid)
            for level in sharing:
                odds[level] += path * probable[text] / whole / len(sharing)
        path, still_open = path * probable[said] / whole, valid[said]
        if len(still_open) == 1:
            odds[still_open[0]] += path
            return odds
    return None


def _begun(spelt: str, among: Sequence[Level]) -> tuple[Level, ...]:
    """The levels that a text is the beginning of; a text that goes on after the level's end is so too."""
    return tuple(level for level in among if f'{level}"'.startswith(spelt) or spelt.startswith(f'{level}"'))


def _not_spelt_otherwise(text: str, begun: Mapping[str, tuple[Level, ...]]) -> tuple[Level, ...]:
    """The levels that a text begins, but for those which a longer text stands for alone.

    Where "both" may come, "b" is not the way to "both_bad": a tokenizer has one way to spell a word.
    """
    levels = begun[text]
    elsewhere = {
        others[0] for longer, others in begun.items() if len(others) == 1 and longer != text and longer.startswith(text)
    }
    return tuple(level for level in levels if level not in elsewhere) or levels


def _probabilities(token: Mapping[str, Any]) -> dict[str, float]:
    """What might have stood here, the token itself included, with its probability."""
    each = [*(token.get("top_logprobs") or ()), token]
    return {one["token"]: math.exp(min(one["logprob"], 0.0)) for one in each}
