"""Does an answer say that the passages do not hold what was asked?

By cues, for English: the words must be about what the passages say, so that "aspirin is not given" is none.
A bare "I do not know" is none either, since it says nothing of the passages.
"""

from __future__ import annotations

import re

from align.probes.phrases import folded

_SOURCE = r"(?:passages?|texts?|contexts?|extracts?|excerpts?|sources?|documents?|notes?|materials?|information)"
_THE = r"(?:any of |either of |both of )?(?:the |these |those |this |that |any |either |your )?(?:\w+ ){0,2}?"
_NOT = r"(?:(?:do|does|did) not|(?:do|does|did)n't|never|nowhere|fails? to)"
_SAY = (
    r"(?:say|state|mention|specify|give|contain|provide|include|cover|address|tell|answer|indicate|describe|discuss|"
    r"report|explain|name|list|record|reveal|note|offer|define|identify|hold|set|go|extend|show|make|refer|supply|"
    r"quote|clarify|touch|deal|have)"
)
_SAY_PLAINLY = r"(?:say|state|mention|specify|tell|cover|address)"
_OFFER = r"(?:give|name|contain|provide|hold|offer|include|have|list)"
_SAID = (
    r"(?:said|stated|mentioned|specified|answered|addressed|covered|discussed|described|explained|indicated|identified)"
)
_HELD = r"(?:given|found|provided|available|there|included|listed|recorded|named|contained|present|reported|set out)"
_IN = r"(?:\w+ )?(?:in|by|from|within|among)"
_CANNOT = r"(?:cannot|can not|can't|could not|couldn't|unable to|not able to|not possible to|impossible to|no way to)"
_TELL = (
    r"(?:answer|say|tell|determine|find|know|establish|see|infer|give|state|conclude|work|confirm|identify|learn)\w*"
)
CUES = re.compile(
    "|".join(
        (
            rf"\b{_SOURCE}(?: \w+){{0,5}}? {_NOT} (?:\w+ ){{0,3}}?{_SAY}\b",
            rf"\b(?:they|it|both)(?: \w+){{0,2}}? {_NOT} (?:\w+ ){{0,2}}?{_SAY_PLAINLY}\b",
            rf"\b{_SOURCE}(?: \w+){{0,4}}? (?:{_SAY_PLAINLY}|{_OFFER})s? (?:no\b|nothing\b|neither\b)",
            rf"\b(?:neither|none|no one|nothing|no)(?: of)?(?: in)? {_THE}{_SOURCE}(?: \w+){{0,3}}? {_SAY}s?\b",
            rf"\bneither(?: of them)? {_SAY}s?\b",
            rf"\bnothing (?:\w+ ){{0,4}}?(?:in|from) {_THE}{_SOURCE}\b",
            rf"(?:\bnot|\bnever|n't|\bnowhere) (?:\w+ ){{0,3}}?{_SAID}\b",
            rf"(?:\bnot|\bnever|n't|\bnowhere) (?:\w+ ){{0,3}}?{_HELD} {_IN} {_THE}{_SOURCE}\b",
            rf"(?:\bnot|n't|\bnowhere) (?:\w+ )?(?:in|among|within|part of) {_THE}{_SOURCE}\b",
            r"\banswer\b[^.!?]{0,80}(?:\bnot|n't) (?:there|given|here)\b",
            rf"\b{_CANNOT} (?:be )?(?:\w+ )?{_TELL}\b[^.!?]{{0,120}}\b{_SOURCE}\b",
            rf"\b{_SOURCE}\b[^.!?]{{0,80}}\b{_CANNOT} (?:be )?(?:\w+ )?{_TELL}\b",
            r"\bno (?:\w+ )?(?:information|mention|details?|guidance|indication|statement) (?:is |was )?"
            r"(?:on|of|about|regarding|concerning|as to|given|provided|for|in|whether)\b",
            rf"\bno (?:\w+ ){{1,4}}(?:is|are) (?:{_SAID}|{_HELD})\b",
            rf"\bno (?:\w+ ){{1,4}}(?:{_SAID}|{_HELD}) {_IN} {_THE}{_SOURCE}\b",
            rf"\b(?:information|answer|details?)(?: \w+){{0,4}}? not {_HELD}\b",
            rf"\b{_SOURCE}\b[^.!?]{{0,80}}\bnot in (?:them|it)\b",
            rf"\b{_SOURCE}\b[^.!?]{{0,120}}\bbut not (?:\w+ )?(?:which|what|whom?|whose|when|where|how|why|whether)\b",
            rf"\b{_SOURCE} (?:is|are|remains?) silent\b|\b{_SOURCE} lacks?\b",
            r"\b(?:insufficient|not enough|too little) (?:\w+ )?(?:information|details?)\b",
            r"\bunspecified\b",
        )
    )
)


def says_absent(text: str) -> bool:
    """Is there a cue in ``text`` that the passages do not hold the answer?"""
    return CUES.search(folded(text)) is not None
