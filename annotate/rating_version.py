"""A version of all that a judge that rates one answer is told besides the criteria and the material."""

from __future__ import annotations

from functools import cache

from annotate.attempts import REPAIRABLE
from annotate.protocol_version import PROMPTS
from annotate.rating_protocol import asking_again, rendered, schema
from ledger.records import Candidate, digest

NAMES = ("one", "other")


@cache
def rating_version() -> str:
    """A hash of specimens of all that we say, as `annotate.protocol_version` has it for comparisons."""
    shown = [rendered(prompt, Candidate(prompt.id, "m", "Answer."), "Criteria.", NAMES) for prompt in PROMPTS]
    again = [asking_again(shown[-1], cause, "Reply.", NAMES) for cause in REPAIRABLE]
    return digest([shown, again, dict(schema(NAMES))])
