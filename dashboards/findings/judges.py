"""What the page "Judge" says: each judge's passport over time, its biases and its cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from align.gate.conditions import passport_good
from annotate.assessor_kinds import METRIC
from annotate.assessors import Assessor, configured_assessors
from annotate.bootstrap import Estimate
from annotate.examining import Others, judged_contests, others_of
from annotate.passport import Passport, passport
from dashboards.findings.judge_periods import Period, Source, periods_of, unclear_share
from dashboards.findings.judge_sample import PROMPTS, RATED, Asked, Said, Scan, said_on, scanned
from dashboards.findings.judge_spending import Bills, Spent, bills, spent_in
from dashboards.findings.judge_trials import Attacked, Retested, attacks_on, retests_of
from dashboards.findings.periods import Unit, unit_of
from ledger.config import GateConfig
from ledger.records import Comparison, ReviewItem
from ledger.workspace import Workspace


@dataclass(frozen=True)
class Limits:
    """What the promotion gate asks of a judge (`[gate]`), as shares."""

    flips: float = 1.0  # most
    invalid: float = 1.0  # most
    agreement: float = 0.0  # least


@dataclass(frozen=True)
class Judge:
    """What there is to say of one judge or metric.

    Attributes:
        name: "judge:NAME" or "metric:NAME"
        configured: it is asked by the present configuration
        rubrics: the versions that the passport is of: the present ones, else the one it was asked by last
        present: these are the present ones
        n_comparisons: by these rubrics, in all
        n_prompts: on which these are
        n_sampled: prompts that the passport was computed from; all of them unless they are many
        passport: on these; surgeons' part is of all prompts that surgeons rated
        unclear: share of its contests that flip or have no valid verdict
        fit: does it pass the gate's rules? None: the gate has no word on it
        found: what the gate says of it
        unit: of the periods
        periods: all rubrics', the earliest first; a period is of one rubric
        retests: each time that it was asked again, the earliest first
        attacked: in its last attack
        spent: by period of the same unit, all rubrics and criteria together, the earliest first
    """

    name: str
    configured: bool
    rubrics: tuple[str, ...]
    present: bool
    n_comparisons: int
    n_prompts: int
    n_sampled: int
    passport: Passport
    unclear: Estimate
    fit: bool | None
    found: str
    unit: Unit
    periods: tuple[Period, ...]
    retests: tuple[Retested, ...]
    attacked: Attacked | None
    spent: tuple[Spent, ...]

    @property
    def metric(self) -> bool:
        """Is it a computed metric, and no LLM?"""
        return self.name.startswith(METRIC)


@dataclass(frozen=True)
class Judges:
    """What the page "Judge" says.

    Attributes:
        judges: those that have compared, the configured ones first
        waiting: configured ones that have not
        limits: the gate's
        sent: review items that were sent to surgeons
        rated: prompts that surgeons have rated
        priced: the configuration says what tokens cost
    """

    judges: tuple[Judge, ...] = ()
    waiting: tuple[str, ...] = ()
    limits: Limits = Limits()
    sent: int = 0
    rated: int = 0
    priced: bool = False


def find_judges(workspace: Workspace) -> Judges:
    """Read it from the ledger.

    Raises:
        ConfigError: the judges' rubric or criteria cannot be used.
    """
    ledger, config, gate = workspace.ledger, workspace.config.judge, workspace.config.gate
    assessors = {each.name: each for each in configured_assessors(workspace)}
    scan, others = scanned(ledger), others_of(ledger)
    names = sorted({each.judge for each in scan.days})
    finder = _Finder(workspace, scan, others, bills(ledger))
    return Judges(
        judges=tuple(finder.judge(each, assessors.get(each)) for each in sorted(names, key=_first(list(assessors)))),
        waiting=tuple(each for each in assessors if each not in names),
        limits=Limits(gate.judge_flips, gate.judge_invalid, gate.judge_agreement),
        sent=ledger.count(ReviewItem),
        rated=len({each.prompt for each in others.surgeons}),
        priced=any(each.input_price or each.output_price for each in (config, *config.panel)),
    )


def _first(configured: Sequence[str]) -> Callable[[str], tuple[int, bool, str]]:
    """Order: the configured ones, other judges, other metrics."""
    place = {name: at for at, name in enumerate(configured)}
    return lambda name: (place.get(name, len(place)), name.startswith(METRIC), name)


@dataclass(frozen=True)
class _Finder:
    workspace: Workspace
    scan: Scan
    others: Others
    bought: Bills

    def judge(self, name: str, assessor: Assessor | None) -> Judge:
        ledger, scan = self.workspace.ledger, self.scan
        asked = [each for each in scan.days if each.judge == name]
        shown = self._shown(asked, assessor)
        tallies = [tally for each in shown for tally in scan.days[each].values()]
        prompts = set[int]().union(*(each.prompts for each in tallies))
        chosen = scan.sampled(prompts, PROMPTS)
        said = said_on(ledger, chosen, shown, scan.derived)
        rated = said_on(ledger, self._rated(), asked, scan.derived)
        contests = judged_contests(self.workspace, name, [each.comparison for each in said], self.others)
        made = self._with_surgeons(passport(name, contests), rated, shown, whole=len(chosen) == len(prompts))
        rubrics = tuple(sorted(each.rubric for each in shown))
        unit = unit_of({day for each in asked for day in scan.days[each]})
        source = Source(self.workspace, scan, self.others)
        periods = [each for one in asked for each in periods_of(source, one, unit, rated)]
        present = assessor is not None and not set(rubrics).isdisjoint(assessor.versions)
        fit, found = _by_the_gate(name, made, self.workspace.config.gate) if present else (None, "")
        return Judge(
            name=name,
            configured=assessor is not None,
            rubrics=rubrics,
            present=present,
            n_comparisons=sum(each.comparisons for each in tallies),
            n_prompts=len(prompts),
            n_sampled=len(chosen),
            passport=made,
            unclear=unclear_share(contests),
            fit=fit,
            found=found,
            unit=unit,
            periods=tuple(sorted(periods, key=lambda each: (each.start, each.rubric))),
            retests=retests_of(ledger, name),
            attacked=attacks_on(ledger, name, rubrics),
            spent=spent_in(scan, self.bought, name, unit),
        )

    def _shown(self, asked: Sequence[Asked], assessor: Assessor | None) -> list[Asked]:
        """By the present rubric versions; where it was never asked by these, by the last one that it was asked by."""
        present = [] if assessor is None else [each for each in asked if each.rubric in assessor.versions]
        return present or [max(asked, key=lambda each: (max(self.scan.days[each]), each.rubric))]

    def _rated(self) -> list[str]:
        """The prompts that surgeons have rated, as far as judges were asked of them."""
        known = self.scan.prompts
        numbers = {known[each.prompt] for each in self.others.surgeons if each.prompt in known}
        return self.scan.sampled(numbers, RATED)

    def _with_surgeons(self, made: Passport, rated: Sequence[Said], shown: Sequence[Asked], *, whole: bool) -> Passport:
        """The passport with surgeons' part from all that they rated, where it is of a sample."""
        if whole:
            return made
        rubrics = {each.rubric for each in shown}
        heard: list[Comparison] = [each.comparison for each in rated if each.comparison.rubric in rubrics]
        theirs = passport(made.assessor, judged_contests(self.workspace, made.assessor, heard, self.others))
        length, own = theirs.length, theirs.own
        return replace(
            made,
            surgeons=theirs.surgeons,
            surgeons_by_mode=theirs.surgeons_by_mode,
            surgeons_by_topic=theirs.surgeons_by_topic,
            calibration=theirs.calibration,
            length=replace(made.length, surgeons_longer_wins=length.surgeons_longer_wins, gap=length.gap),
            own=replace(made.own, gap_to_surgeons=own.gap_to_surgeons),
        )


def _by_the_gate(name: str, made: Passport, rules: GateConfig) -> tuple[bool | None, str]:
    """What the promotion gate makes of it; metrics have no passport there."""
    if name.startswith(METRIC):
        return None, ""
    condition = passport_good(name, made, rules)
    return condition.passed, condition.said
