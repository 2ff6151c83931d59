"""Saying that the passages do not tell, as told from saying something else with "not"."""

from __future__ import annotations

import pytest

from align.probes.absence import says_absent


@pytest.mark.parametrize(
    "text",
    [
        "The passages do not say.",
        "The passages don't specify which antibiotic is used.",
        "The provided passages above do not directly mention the drug.",
        "Neither passage names a drug.",
        "None of the passages says which one.",
        "No passage states the drug.",
        "This is not stated in the passages.",
        "The drug is not mentioned.",
        "The name isn't given in the text.",
        "I cannot tell from the passages which drug it is.",
        "From the passages, it cannot be determined.",
        "I could not find this in the documents provided.",
        "The answer is not there.",
        "The answer is not in the passages.",
        "There is no information about the drug in the context.",
        "There is no mention of the drug.",
        "No drug is named in the passages.",
        "The passages give no name.",
        "The passages are silent on this.",
        "There is insufficient information to answer.",
        "It is not possible to answer this from the passages.",
        "They do not say which.",
        "There is no name given in the passages.",
        "The passages only mention the time, so the name is not in them.",
        "The passages mention that it is given [1], but not which drug it is.",
        "This information is not provided.",
        "Nothing in the passages tells which antibiotic it is [1].",
    ],
)
def test_an_answer_that_says_that_the_passages_do_not_hold_it(text: str) -> None:
    assert says_absent(text)
    assert says_absent(f"Visitors come at two [2]. {text.upper()}")


@pytest.mark.parametrize(
    "text",
    [
        "It is cefazolin [1].",
        "Aspirin is not given on this ward [1].",
        "They do not give any antibiotic.",
        "The drug cannot be taken with milk.",
        "The passages say that no visitors come after six.",
        "No.",
        "I do not know.",
        "The passages mention aspirin but not on Mondays.",
        "According to the passages, patients do not eat before it.",
        "",
    ],
)
def test_an_answer_that_does_not(text: str) -> None:
    assert not says_absent(text)
