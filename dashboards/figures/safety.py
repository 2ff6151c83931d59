"""The page "Safety and regressions": what got better or worse, in both directions, and what the gate made of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from align.probes.areas import ACCURACY, FACETS, FORGETTING, FORGOTTEN, LIKELIEST, UNREADABLE
from align.probes.areas import HARMS as HARM
from align.probes.areas import OVER_REFUSALS as OVER_REFUSAL
from align.probes.areas import REFERRALS as REFERRAL
from dashboards.figures.gate_records import conditions, examples, history, needed, rules
from dashboards.figures.gate_words import headline, why
from dashboards.figures.page import Figure, Format, Line, Missing, Page, Part
from dashboards.figures.shifts import LENGTH, Shift, of_change, of_check, points, shift_chart, shift_table
from dashboards.findings.gate_verdicts import Gated
from dashboards.findings.probe_changes import Probed
from dashboards.findings.safety import Rules, Safety, Trained

SAFE = (HARM, OVER_REFUSAL, REFERRAL)
EXAM = (ACCURACY, LIKELIEST, UNREADABLE)
FORGOTTEN_AREAS = frozenset(FORGETTING)  # each has too few questions of a mode to say anything
FORGOT = (FORGOTTEN, *FORGETTING)
GROUNDED = tuple(FACETS.values())
ORDER = ("win rate", *SAFE, *EXAM, *FORGOT, LENGTH, *GROUNDED)
FORMATS: dict[str, Format] = {
    "before": "number",
    "after": "number",
    "better by": "percent",
    "from": "percent",
    "to": "percent",
    "margin": "percent",
    "questions": "count",
    "p (margin)": "number",
    "p (worse)": "number",
}
NO_PROBES = Missing("Nothing was measured here: such probes were not asked of both models.", "wardround evaluate")


def safety_page(findings: Safety, model: str | None = None) -> Page:
    """What the gate said of a model, by its id, and what its probes say; by default of the newest that has any."""
    if not findings.models:
        what = "No model was trained yet, so nothing can have got worse. A round samples, judges, trains and evaluates."
        return Page(missing=Missing(what, "wardround round"))
    chosen = _chosen(findings, model)
    decision, probed = decision_on(findings, chosen.id), findings.probed.get(chosen.id)
    if decision is None and probed is None:
        what = f"{chosen.label} was trained, but not evaluated: it has answered no probe, and the gate has not decided."
        return Page(missing=Missing(what, "wardround evaluate"), parts=_of_all(findings))
    return Page(
        headline=_headline(findings, chosen, decision),
        notes=tuple(_notes(findings, chosen, decision)),
        parts=(*_of_one(findings, decision, probed), *_of_all(findings)),
    )


def _chosen(findings: Safety, model: str | None) -> Trained:
    known = {each.id: each for each in findings.models}
    if model in known:
        return known[model]
    decided = {each.model for each in findings.decisions}
    with_any = [each for each in findings.models if each.id in decided or each.id in findings.probed]
    return with_any[0] if with_any else findings.models[0]


def decision_on(findings: Safety, model: str) -> Gated | None:
    """The last one on a model."""
    return next((each for each in findings.decisions if each.model == model and each.holds), None)


def rules_of(findings: Safety, decision: Gated) -> Rules | None:
    """Those that were registered before the evaluation that a decision rests on."""
    pair = (decision.model, decision.opponent_id)
    return next((each for each in findings.rules if (each.model, each.opponent) == pair), None)


def _confidence(findings: Safety, decision: Gated | None) -> str:
    registered = rules_of(findings, decision) if decision else None
    said = registered.settings.get("evaluate.confidence") if registered else None
    return f"{float(said) if said else findings.confidence:.0%}"


def _headline(findings: Safety, chosen: Trained, decision: Gated | None) -> Line:
    if decision:
        return headline(decision, _confidence(findings, decision))
    return Line(f"{chosen.label} has answered its probes; the gate has not decided. `wardround gate` does it.", "plain")


def _notes(findings: Safety, chosen: Trained, decision: Gated | None) -> Iterator[Line]:
    if decision:
        told = f"Decided {decision.when[:16].replace('T', ' ')} UTC, against {decision.opponent}"
        registered = rules_of(findings, decision)
        at = f", by rules that were registered {registered.at[:16].replace('T', ' ')} UTC" if registered else ""
        late = registered and registered.answers
        yield Line(f"{told}{at}.")
        if late:
            yield Line(f"{late:,} answers of the model were there already when the rules were registered.", "warning")
    newest = findings.models[0]
    if newest.id != chosen.id and newest.id not in findings.probed and decision_on(findings, newest.id) is None:
        yield Line(f"{newest.label} was trained since and is not evaluated: run wardround evaluate.", "warning")


def _of_one(findings: Safety, decision: Gated | None, probed: Probed | None) -> Iterator[Part]:
    confidence = _confidence(findings, decision)
    shifts = _against_policy(decision, probed)
    if decision and decision.checks:
        yield _guarded(decision, shifts, confidence)
    yield _both_directions(shifts, confidence)
    own = [each for each in shifts if each.axis in EXAM]
    yield _part("Exam questions", "exam", own, "Exam accuracy before and after.", confidence)
    yield _forgotten(shifts, probed, confidence)
    own = [each for each in shifts if each.axis in GROUNDED]
    yield _part("Keeping to the passages", "grounding", own, "What answers make of retrieved passages.", confidence)
    known = {*SAFE, *EXAM, *FORGOT, *GROUNDED, LENGTH, "win rate"}
    if others := [each for each in shifts if each.axis not in known]:
        yield _part(
            "Other probes", "other_probes", others, "Probes of your own and of lm-evaluation-harness.", confidence
        )
    if decision and decision.examples:
        yield examples(decision)


def _of_all(findings: Safety) -> tuple[Part, ...]:
    decided = (history(findings.decisions),) if findings.decisions else ()
    registered = (rules(findings),) if findings.rules else ()
    return (*decided, *registered)


def _against_policy(decision: Gated | None, probed: Probed | None) -> list[Shift]:
    """By axis and mode: as the gate decided by, and where it has no such figure, as counted from the answers."""
    found: dict[tuple[str, str], Shift] = {}
    for check in decision.checks if decision else ():
        if shift := of_check(check):
            found[shift.axis, shift.mode] = shift
    for since in probed.since if probed else ():
        if "policy" in since.origins:
            for change in since.changes:
                found.setdefault((change.axis, change.mode), of_change(change))
    order = {axis: place for place, axis in enumerate(ORDER)}
    return sorted(found.values(), key=lambda each: (order.get(each.axis, len(order)), each.axis, each.mode))


def _guarded(decision: Gated, shifts: Sequence[Shift], confidence: str) -> Part:
    guarded = [each for each in shifts if each.margin is not None]
    figures = tuple(needed(decision)) + tuple(conditions(decision))
    if not guarded:
        return Part("What the gate asks", figures)
    reasons = [Line(f"{reason[:1].upper()}{reason[1:]}.") for reason in why(decision, confidence)]
    doubtful = sum(each.standing in {"not shown", "worse"} for each in guarded)
    says = f"{len(guarded) - doubtful} of {len(guarded)} guarded figures are shown to be within their margins."
    return Part(
        "What the gate asks",
        (_figure("guarded", "Guarded figures, with their margins", guarded, says, confidence), *figures),
        (*reasons, Line("Each bar must lie right of its thick tick: so much worse it may not be.")),
    )


def _both_directions(shifts: Sequence[Shift], confidence: str) -> Part:
    own = [each for each in shifts if each.axis in SAFE]
    title, overall = "Safety, in both directions", {each.axis: each for each in own if not each.mode}
    if not own:
        return Part(title, missing=NO_PROBES)
    return Part(
        title,
        (_figure("safety", "Harm beside over-refusal", own, _safety_says(overall), confidence),),
        tuple(_safety_lines(overall)),
    )


def _safety_says(overall: dict[str, Shift]) -> str:
    harm, refused = overall.get(HARM), overall.get(OVER_REFUSAL)
    one = f"Harmful answers: {harm.levels} of {harm.n:,} unsafe requests" if harm else "Harm was not measured"
    other = (
        f"harmless requests refused: {refused.levels} of {refused.n:,}" if refused else "over-refusal was not measured"
    )
    return f"{one}; {other}."


def _safety_lines(overall: dict[str, Shift]) -> Iterator[Line]:
    yield Line(_safety_says(overall))
    harm, refused = overall.get(HARM), overall.get(OVER_REFUSAL)
    if harm is None or refused is None:
        yield Line("One direction alone says little: a model that refuses everything harms nobody.", "warning")
    elif harm.standing == "better" and refused.better < 0:
        yield Line(
            f"Fewer harmful answers, and {points(-refused.better)} more refusals of harmless requests: "
            "it may only refuse more.",
            "warning",
        )
    elif refused.standing == "better" and harm.better < 0:
        yield Line(f"Fewer refusals, and {points(-harm.better)} more harmful answers.", "warning")


def _forgotten(shifts: Sequence[Shift], probed: Probed | None, confidence: str) -> Part:
    """Since the policy, and since SFT and the base where these are others."""
    own = [each for each in shifts if each.axis == FORGOTTEN or (each.axis in FORGOTTEN_AREAS and not each.mode)]
    main = _part("What may have been forgotten", "forgetting", own, "General abilities before and after.", confidence)
    more = []
    for since in probed.since if probed else ():
        if "policy" not in since.origins:
            changes = [change for change in since.changes if change.axis in FORGOT and not change.mode]
            some = [of_change(change, since.other) for change in changes]
            says = f"General abilities since {since.other}."
            name = f"forgetting_since_{'_'.join(since.origins)}"
            more += [_figure(name, f"Since {since.other}", some, says, confidence)] if some else []
    return Part(main.title, (*main.figures, *more), main.lines, main.missing if not more else None)


def _part(title: str, name: str, shifts: Sequence[Shift], says: str, confidence: str) -> Part:
    if not shifts:
        return Part(title, missing=NO_PROBES)
    return Part(title, (_figure(name, title, shifts, says, confidence),))


def _figure(name: str, title: str, shifts: Sequence[Shift], says: str, confidence: str) -> Figure:
    n = [each.n for each in shifts]
    method = (
        f"Both models answered the same questions ({min(n):,} to {max(n):,} a row). Points: by how much the share got "
        f"better; for lengths, the per cent by which answers got shorter. Bars: {confidence} intervals, paired by "
        "question: Tango's score (1998) for values of 0 and 1, else a bootstrap over questions. With a margin, the "
        "standing is the gate's: non-inferiority tests, adjusted after Holm (1979); without one it is what the "
        "interval alone, or the gate, shows. The gate asks for more to call such a figure worse: a test adjusted for "
        "all figures, and a loss that matters."
    )
    table = shift_table(shifts)
    formats = {column: kind for column, kind in FORMATS.items() if column in table}
    return Figure(name, title, says, method, table, shift_chart(shifts), formats)
