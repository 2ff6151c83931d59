"""What must be as it should beside the figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from align.gate.conditions import alarms_closed, no_contamination, open_alarms, passports_good, safety_rated
from align.gate.stage import close_alarm
from align.probes.axis import Axis
from align.probes.measuring import Measures
from align.run_log import RUN
from ledger.config import parse_config
from ledger.errors import InputError
from ledger.records import Candidate, Comparison, Message, ModelVersion, Pair, Prompt, digest, pairs_hash
from ledger.workspace import Workspace
from tests.annotate.answered import THEIRS, answers, question

JUDGE = '[judge]\nmodel = "large"\nbase_url = "http://127.0.0.1:1/v1"'
TRAINED = ModelVersion("round-1-dpo", "dpo", "1", parent=THEIRS.id, pairs="p", config={"align": {"beta": 0.1}})


@pytest.fixture
def ward(workspace: Workspace) -> Workspace:
    workspace.ledger.append([THEIRS, TRAINED])
    return replace(workspace, config=parse_config(JUDGE))


def raised(ward: Workspace, kind: str, model: ModelVersion = TRAINED) -> None:
    run = digest([model.parent, model.pairs, model.config])
    ward.log(RUN, "alarm", training=run, kind=kind, step=7, what="it went wrong", advice="look")


class TestAlarms:
    def test_none_was_raised(self, ward: Workspace) -> None:
        raised(ward, "length", replace(TRAINED, pairs="of another training"))
        assert alarms_closed(ward.ledger, TRAINED).passed

    def test_one_that_is_open_stands_in_the_way_until_it_is_closed(self, ward: Workspace) -> None:
        raised(ward, "length")
        raised(ward, "kl")
        found = alarms_closed(ward.ledger, TRAINED)
        assert found.passed is False
        assert "length, kl" in found.said
        close_alarm(ward, TRAINED, "length", "the answers were read")
        assert [each["kind"] for each in open_alarms(ward.ledger, TRAINED)] == ["kl"]
        assert "length" not in alarms_closed(ward.ledger, TRAINED).said
        close_alarm(ward, TRAINED, "kl", "it is small")
        assert alarms_closed(ward.ledger, TRAINED).passed

    def test_one_that_is_not_open_is_not_closed(self, ward: Workspace) -> None:
        raised(ward, "length")
        with pytest.raises(InputError, match="left no alarm kl open -> open are length"):
            close_alarm(ward, TRAINED, "kl", "why not")


class TestContamination:
    def learnt(self, ward: Workspace, text: str, model: str = "dpo") -> ModelVersion:
        prompt = Prompt((Message("user", text),))
        good, bad = answers(prompt, THEIRS, ("good", "bad"))
        a, b = sorted((good, bad), key=lambda each: each.id)
        said = Comparison(prompt.id, a.id, b.id, THEIRS.id, THEIRS.id, "judge:x", "a", 0.9)
        pair = Pair(prompt.id, good.id, bad.id, 0.9, (said.id,))
        ward.ledger.append([prompt, good, bad, said, pair])
        trained = ModelVersion(model, "dpo", model, parent=THEIRS.id, pairs=pairs_hash([pair.id]))
        ward.ledger.append_trained(trained, [pair.id])
        return trained

    def test_what_was_learnt_is_far_from_what_is_held_out(self, ward: Workspace) -> None:
        ward.ledger.append([Prompt((Message("user", "Which nerve runs behind the ankle bone?"),), split="probe")])
        found = no_contamination(ward, self.learnt(ward, "How is a strangulated femoral hernia repaired?"))
        assert found.passed
        assert "none of the 1 questions" in found.said

    def test_a_near_duplicate_of_a_probe_is_found_also_where_an_ancestor_learnt_it(self, ward: Workspace) -> None:
        asked = "How is a strangulated femoral hernia repaired in an elderly patient?"
        parent = self.learnt(ward, asked)
        ward.ledger.append([Prompt((Message("user", f"Please: {asked}"),), split="probe")])
        child = ModelVersion("child", "dpo", "c", parent=parent.id)
        ward.ledger.append([child])
        for model in (parent, child):
            found = no_contamination(ward, model)
            assert found.passed is False
            assert found.said.startswith("1 of the 1 questions")


class TestPassport:
    def judged(self, ward: Workspace, flips: int, invalid: int, n: int = 40) -> None:
        from annotate.assessors import configured_judges

        (judge,) = configured_judges(ward)
        for number in range(n):
            prompt = question(number)
            a, b = sorted(answers(prompt, THEIRS, ("one", "two")), key=lambda each: each.id)
            ward.ledger.append([prompt, a, b])
            ward.ledger.append(self.verdicts(judge.version_for(prompt), a, b, number < flips, number < invalid))

    @staticmethod
    def verdicts(rubric: str, a: Candidate, b: Candidate, flipped: bool, invalid: bool) -> list[Comparison]:
        first = Comparison(
            a.prompt, a.id, b.id, a.model, b.model, "judge:large", "a", 0.9, "ab", rubric=rubric, call="k", seconds=1.0
        )
        if invalid:
            unsaid = replace(first, verdict="invalid", strength=0.5, cause="unparsable")
            return [unsaid, replace(unsaid, order="ba")]
        second = replace(first, order="ba", verdict="b" if flipped else "a", strength=0.1 if flipped else 0.9)
        return [first, second]

    def test_a_good_one(self, ward: Workspace) -> None:
        self.judged(ward, flips=4, invalid=0)
        (found,) = passports_good(ward)
        assert found.passed
        assert "10% flips" in found.said

    def test_one_that_flips_too_often(self, ward: Workspace) -> None:
        self.judged(ward, flips=24, invalid=0)
        (found,) = passports_good(ward)
        assert found.passed is False
        assert "more than 40% of its verdicts flip" in found.said

    def test_one_that_fails_too_often(self, ward: Workspace) -> None:
        self.judged(ward, flips=0, invalid=8)
        (found,) = passports_good(ward)
        assert found.passed is False
        assert "more than 10% invalid" in found.said

    def test_one_that_has_judged_nothing(self, ward: Workspace) -> None:
        (found,) = passports_good(ward)
        assert found.passed is False

    def test_the_reference_metric_has_none(self, workspace: Workspace) -> None:
        (found,) = passports_good(workspace)
        assert found.passed is None
        assert "metric:reference" in found.said


@pytest.mark.parametrize(("unrated", "passed"), [(0, True), (10, True), (11, False)])
def test_nearly_all_answers_to_safety_probes_must_be_rated(unrated: int, passed: bool) -> None:
    asked = {f"p{number}": "clinical" for number in range(100)}
    invalid = frozenset(list(asked)[:unrated])
    values = {prompt: 0.0 for prompt in asked if prompt not in invalid}
    axis = Axis("harm", False, values, dict.fromkeys(asked, "clinical"), invalid)
    found = safety_rated(Measures("m", "m", {"harm": axis}, None, None, None, None, {}, {}), 0.1)
    assert found.passed is passed
    assert f"{100 - unrated} of 100" in found.said
    assert safety_rated(Measures("m", "m", {}, None, None, None, None, {}, {}), 0.1).passed is None
