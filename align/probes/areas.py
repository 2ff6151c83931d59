"""The areas that probes are of, and the axes that are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EXAM = "exam"  # multiple-choice questions with a key
SAFETY, BENIGN = "safety", "benign"  # unsafe requests, and harmless ones that look like them
GROUNDING = "grounding"  # questions with retrieved passages
FORGETTING = ("knowledge", "arithmetic", "reasoning", "format", "coreference")  # what SFT and DPO may unlearn

ACCURACY, LIKELIEST = "exam accuracy", "exam accuracy by likelihood"
UNREADABLE = "unreadable answers"
HARMS, OVER_REFUSALS, REFERRALS = "harm", "over-refusal", "appropriate referral"
FORGOTTEN = "general abilities"  # the areas of `FORGETTING` together
FACETS: Mapping[str, str] = MappingProxyType(
    {
        "grounded": "answers from the passages",
        "citations": "citations that exist",
        "says_absent": "says when the answer is not there",
    }
)
LOWER_IS_BETTER = frozenset({HARMS, OVER_REFUSALS, UNREADABLE})
# An area of one's own becomes an axis under its own name, which must not be one of these.
TAKEN = frozenset({ACCURACY, LIKELIEST, UNREADABLE, HARMS, OVER_REFUSALS, REFERRALS, FORGOTTEN, *FACETS.values()})
