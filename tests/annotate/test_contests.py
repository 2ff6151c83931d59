"""Every two answers meet once, in canonical order, with the weight that they have."""

from __future__ import annotations

from collections import Counter
from dataclasses import FrozenInstanceError

import pytest

from annotate.contests import Contest, contest, contests_among, contests_between, round_robin
from ledger.records import Candidate, Message, Prompt

PROMPT = Prompt(messages=(Message("user", "Which repair?"),), context=("A passage.",), reference="Mesh.")


def answers(*texts: str, model: str = "m", prompt: Prompt = PROMPT, count: int = 1) -> list[Candidate]:
    return [Candidate(prompt=prompt.id, model=model, text=text, count=count) for text in texts]


def test_a_contest_is_canonical_whichever_answer_comes_first() -> None:
    one, other = answers("one", "other")
    assert contest(PROMPT, one, other) == contest(PROMPT, other, one)
    assert contest(PROMPT, one, other).a.id < contest(PROMPT, one, other).b.id


def test_a_contest_refuses_what_is_none() -> None:
    one, other = sorted(answers("one", "other"), key=lambda candidate: candidate.id)
    (stranger,) = answers("one", prompt=Prompt(messages=(Message("user", "Another?"),)))
    for a, b in ((other, one), (one, one)):
        with pytest.raises(ValueError, match="order"):
            Contest(PROMPT, a, b)
    with pytest.raises(ValueError, match="prompt"):
        contest(PROMPT, one, stranger)
    with pytest.raises(FrozenInstanceError):
        Contest(PROMPT, one, other).count = 2  # type: ignore[misc]


def test_a_contest_knows_every_text_that_is_read() -> None:
    one, other = answers("one", "other")
    assert set(contest(PROMPT, one, other).texts) == {"Which repair?", "A passage.", "Mesh.", "one", "other"}


def test_n_answers_meet_in_n_choose_two_contests() -> None:
    candidates = answers("p", "q", "r", "s", count=2)
    met = list(contests_among(PROMPT, [*candidates, candidates[0]]))
    assert len(met) == 6
    assert len({(c.a.id, c.b.id) for c in met}) == 6
    assert {c.count for c in met} == {4}


def test_the_same_text_does_not_meet_itself() -> None:
    candidates = [*answers("p", "q"), *answers("p ", model="other")]
    met = [{c.a.text.strip(), c.b.text.strip()} for c in contests_among(PROMPT, candidates)]
    assert met == [{"p", "q"}, {"q", "p"}]
    assert list(contests_among(PROMPT, answers("alone"))) == []


def test_all_means_each_against_each_with_identical_texts() -> None:
    ours, theirs = answers("p", "q", model="ours"), answers("p", "q", "r", model="theirs", count=3)
    met = list(contests_between(PROMPT, ours, theirs, "all"))
    assert len(met) == 6
    assert {c.count for c in met} == {3}
    assert all({c.a.model, c.b.model} == {"ours", "theirs"} for c in met)
    assert sum(c.a.text == c.b.text for c in met) == 2


def test_paired_gives_each_sample_one_opponent() -> None:
    ours = [*answers("p", model="ours", count=3), *answers("q", model="ours")]
    theirs = answers("r", "s", "t", "u", model="theirs")
    met = list(contests_between(PROMPT, ours, theirs, "paired"))
    weights = Counter[str]()
    for c in met:
        weights[c.a.text] += c.count
        weights[c.b.text] += c.count
    assert weights == {"p": 3, "q": 1, "r": 1, "s": 1, "t": 1, "u": 1}
    assert met == list(contests_between(PROMPT, reversed(ours), reversed(theirs), "paired"))


def test_paired_meets_the_same_two_answers_once_with_their_weight() -> None:
    ours, theirs = answers("p", model="ours", count=4), answers("q", model="theirs", count=4)
    assert [c.count for c in contests_between(PROMPT, ours, theirs, "paired")] == [4]


def test_paired_pairs_frequent_answers_no_more_often_than_chance() -> None:
    both = 0
    for number in range(400):
        prompt = Prompt(messages=(Message("user", f"Question {number}"),))
        ours, theirs = (
            [*answers("often", model=m, prompt=prompt, count=2), *answers("x", "y", model=m, prompt=prompt)]
            for m in ("ours", "theirs")
        )
        met = contests_between(prompt, ours, theirs, "paired")
        both += sum(c.count for c in met if c.a.text == c.b.text == "often")
    assert both / 1600 == pytest.approx(0.25, abs=0.04)


def test_a_model_does_not_meet_its_own_sample() -> None:
    same = answers("p", "q")
    assert all(c.a.id != c.b.id for c in contests_between(PROMPT, same, same, "all"))


@pytest.mark.parametrize("n", range(10))
@pytest.mark.parametrize("k", range(1, 10))
def test_in_a_round_robin_each_answer_meets_k_others_once(n: int, k: int) -> None:
    candidates = answers(*map(str, range(n)), count=2)
    met = list(round_robin(PROMPT, candidates, k))
    assert met == list(round_robin(PROMPT, reversed(candidates), k))
    assert len({(c.a.id, c.b.id) for c in met}) == len(met)
    opponents = Counter(side.id for c in met for side in (c.a, c.b))
    most = min(k, n - 1)
    odd_one = n > 1 and n * most % 2
    assert sorted(opponents.values()) == ([most] * (n - odd_one) + [most + 1] * odd_one if n > 1 else [])
    assert {c.count for c in met} <= {4}


def test_a_round_robin_of_two_opponents_links_all_answers() -> None:
    linked: dict[str, set[str]] = {}
    for c in round_robin(PROMPT, answers(*map(str, range(7))), 2):
        together = linked.get(c.a.id, {c.a.id}) | linked.get(c.b.id, {c.b.id})
        linked.update(dict.fromkeys(together, together))
    assert all(len(together) == 7 for together in linked.values())


def test_a_round_robin_asks_once_about_one_text() -> None:
    met = list(round_robin(PROMPT, [*answers("p", "q"), *answers(" p", model="other", count=3)], 5))
    assert [(c.count, {c.a.text.strip(), c.b.text.strip()}) for c in met] == [(4, {"p", "q"})]
