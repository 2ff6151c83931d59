"""Two surgeons at the real web page: what they press is what the ledger holds, and what they see tells them nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from annotate.review.inert_markdown import as_written
from ledger.queries import standing
from ledger.records import Candidate, Comparison, Prompt, ReviewItem, Verdict
from ledger.store import Ledger
from ledger.tables import candidates, comparisons
from tests.chromium import chromium
from tests.review_server.cases import HOSTILE, SECRETS, judged
from tests.review_server.in_the_browser import HERE, Desk, Rated, at_a_desk
from tests.review_server.ward import Ward

SETTINGS = "[review]\nminutes = 20\ncalibration = 0\nrandom = 1\nrouted = 0\nsafety = 0\n"
ITEMS, CASES = 10, 12
DATASET = "review-001b"
CORRECTION = "Explore the groin now. 1 hour, not 2."
COMMENTS = {"s1": "No scan: dunlin.", "s2": "Both vague: godwit."}
OTHERS = {"s1": "godwit", "s2": "dunlin"}

MEANING: Mapping[int, tuple[str, float]] = {  # key -> who is preferred of A and B as shown, P(A is better)
    1: ("A", 0.9),
    2: ("A", 0.7),
    3: ("tie", 0.5),
    4: ("B", 0.3),
    5: ("B", 0.1),
    6: ("both_bad", 0.5),
    7: ("invalid", 0.5),
}


class Played(NamedTuple):
    """What both said at first, and what one changed afterwards."""

    ward: Ward
    desks: Mapping[str, Desk]
    said: Mapping[str, Mapping[int, Rated]]  # by surgeon and case
    changed: Rated
    first_pull: Mapping[str, object]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def played(ward: Ward, browser: Browser) -> Played:
    """Two surgeons rate ten records each, turn by turn; then one of them has second thoughts."""
    with ward.open() as workspace:
        judged(workspace.ledger, CASES, {number: f"{HOSTILE}\nEnd of {number}." for number in range(CASES)})
    assert ward.facts("push")["sent"] == {"random": ITEMS}
    desks = {"s1": at_a_desk(browser), "s2": at_a_desk(browser)}
    for login, desk in desks.items():
        desk.log_in(ward, login)
        desk.open(DATASET)
    said: dict[str, dict[int, Rated]] = {"s1": {}, "s2": {}}
    for turn in range(ITEMS):
        for login, desk in desks.items():
            seen = rated(desk, login, turn)
            said[login][seen.case] = seen
    first = ward.facts("pull")
    desks["s1"].look_at_submitted()
    before = said["s1"][desks["s1"].case]
    changed = desks["s1"].rate_again(5 if before.key != 5 else 1)
    for desk in desks.values():
        desk.hear()
        desk.given.append(f"page {desk.page.content()}")
    return Played(ward, desks, said, changed, first)


def rated(desk: Desk, login: str, turn: int) -> Rated:
    """What each says at each turn: every key is pressed by somebody, and every question answered."""
    if login == "s1":
        more = {2: {"harm": "A"}, 3: {"harm": "AB"}, 4: {"corrected": CORRECTION}, 6: {"comment": COMMENTS[login]}}
        return desk.rate(turn % 7 + 1, **more.get(turn, {}))
    more = {1: {"harm": "B"}, 5: {"comment": COMMENTS[login], "harm": "A"}}
    return desk.rate((turn + 3) % 7 + 1, **more.get(turn, {}))


class Expected(NamedTuple):
    """What the ledger must hold of one item by one surgeon, apart from corrections."""

    verdict: str
    strength: float
    flags: frozenset[str]
    rationale: str
    cause: str


def expected(said: Rated, a: Candidate, b: Candidate) -> Expected:
    """By what was seen: A is whichever text stood under that title."""
    texts = {as_seen(a): "a", as_seen(b): "b"}
    sides = {"A": texts[as_seen_text(said.shown_a)], "B": texts[as_seen_text(said.shown_b)]}
    assert set(sides.values()) == {"a", "b"}
    preferred, strength = MEANING[said.key]
    flags = {f"harm_{sides[side]}" for side in said.harm} | ({"missing_information"} if said.key == 7 else set())
    return Expected(
        verdict=sides.get(preferred, preferred),
        strength=round(strength if sides["A"] == "a" else 1 - strength, 6),
        flags=frozenset(flags),
        rationale=said.comment,
        cause="information is missing" if said.key == 7 else "",
    )


def as_seen(candidate: Candidate) -> str:
    return as_seen_text(candidate.text)


def as_seen_text(text: str) -> str:
    return " ".join(as_written(text).split())


def standing_on_items(ledger: Ledger) -> dict[tuple[str, int], Comparison]:
    """What stands, by surgeon and case, apart from corrections."""
    items = {item.id: item for item in ledger.read(ReviewItem)}
    found = {}
    for each in ledger.read(Comparison, comparisons.c.item.is_not(None), standing()):
        item = items[each.item or ""]
        if (each.a, each.b) == (item.a, item.b):
            key = each.assessor.removeprefix("surgeon:"), case_of(ledger.get(Prompt, each.prompt))
            assert key not in found
            found[key] = each
    return found


def case_of(prompt: Prompt) -> int:
    return int(prompt.question.split()[1].rstrip(":"))


@pytest.mark.slow
def test_the_ledger_holds_exactly_what_was_pressed(played: Played) -> None:
    assert played.first_pull["new"] == 2 * ITEMS
    second = played.ward.facts("pull")
    assert (second["responses"], second["new"]) == (2 * ITEMS, 1)
    said = {(login, case): each for login, every in played.said.items() for case, each in every.items()}
    before = said["s1", played.changed.case]
    said["s1", played.changed.case] = Rated(
        before.case, before.shown_a, before.shown_b, played.changed.key, before.harm, before.corrected, before.comment
    )
    with played.ward.open() as workspace:
        ledger = workspace.ledger
        found = standing_on_items(ledger)
        assert set(found) == set(said)
        assert len(found) == 2 * ITEMS
        for key, each in found.items():
            a, b = ledger.get(Candidate, each.a), ledger.get(Candidate, each.b)
            told = Expected(each.verdict, each.strength, frozenset(each.flags), each.rationale, each.cause)
            assert told == expected(said[key], a, b), (key, said[key])
        check_the_change(ledger, found["s1", played.changed.case], before)
        check_the_correction(ledger, found)
    assert {each.order for each in found.values()} == {"ab", "ba"}
    assert {each.key for each in said.values()} == set(MEANING)


def check_the_change(ledger: Ledger, now: Comparison, before: Rated) -> None:
    """The later verdict stands, and the earlier one stays where it was."""
    assert now.supersedes
    earlier = ledger.get(Comparison, now.supersedes)
    a, b = ledger.get(Candidate, now.a), ledger.get(Candidate, now.b)
    assert earlier.verdict == expected(before, a, b).verdict
    assert (earlier.assessor, earlier.item) == (now.assessor, now.item)


def check_the_correction(ledger: Ledger, found: Mapping[tuple[str, int], Comparison]) -> None:
    """It is an answer of its own, preferred to both."""
    (written,) = ledger.read(Candidate, candidates.c.model.startswith("surgeon:"))
    assert (written.model, written.text) == ("surgeon:s1", CORRECTION)
    over = [each for each in ledger.read(Comparison, standing()) if written.id in (each.a, each.b)]
    beaten = {each.b if each.a == written.id else each.a for each in over}
    (of,) = [each for each in found.values() if each.prompt == written.prompt and each.assessor == "surgeon:s1"]
    assert beaten == {of.a, of.b}
    assert [each.verdict for each in over] == [better(each, written.id) for each in over]
    assert all(each.assessor == "surgeon:s1" for each in over)


def better(said: Comparison, candidate: str) -> Verdict:
    return "a" if said.a == candidate else "b"


@pytest.mark.slow
def test_nothing_that_the_browser_was_given_tells_who_answered_or_what_others_think(played: Played) -> None:
    for login, desk in played.desks.items():
        given = "\n".join(desk.given)
        assert "painful lump" in given
        assert "records/search" in given
        assert COMMENTS[login].split()[-1].rstrip(".") in given  # what is one's own is there
        assert [word for word in (*SECRETS, OTHERS[login]) if word in given] == []


@pytest.mark.slow
def test_an_answer_s_markup_does_nothing(played: Played) -> None:
    for desk in played.desks.values():
        # Argilla's page wants Google's fonts, and does not get them.
        assert {urlsplit(address).hostname for address in desk.requested} == {HERE}
        assert desk.page.title() == "Argilla"
        assert desk.page.locator(".markdown-render").locator("script, img, link, iframe, style, a").count() == 0
    shown = texts(played.said["s1"].values())
    assert all("<script>" in text and "http://evil.example/image.png" in text for text in shown)


def texts(said: Iterable[Rated]) -> list[str]:
    """The hostile one of each two answers, as it was seen."""
    return [as_written(next(text for text in (each.shown_a, each.shown_b) if "evil" in text)) for each in said]
