"""What the judge's passport is computed from: each contest with all that was said about it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

from annotate.settle import Preference, preference, settle
from ledger.records import Comparison, Mode, Order, Verdict

Side = Literal["a", "b"]
Said = Mapping[Order, list[Comparison]]
Consensus = Mapping[tuple[str, str], Preference]  # by two answers


class Setting(NamedTuple):
    """What is known about a prompt."""

    mode: Mode
    topic: str


class ContestKey(NamedTuple):
    """Two answers, as one rubric has them judged."""

    a: str
    b: str
    rubric: str


@dataclass(frozen=True)
class JudgedContest:
    """Two answers, what a judge said of them in both orders, and what others said.

    Preferences are in canonical terms: "a" is the answer ``a``, wherever it was shown. "Both bad" prefers neither and
    is taken for a tie, as in a win rate.
    """

    prompt: str
    ab: Verdict | None = None  # with a shown first; None: never asked
    ba: Verdict | None = None
    strength: float | None = None  # P(a is better); None where there is no valid verdict
    causes: tuple[str, ...] = ()  # of the invalid ones among ``ab`` and ``ba``
    retests_ab: tuple[Verdict, ...] = ()  # further samples of the same question
    retests_ba: tuple[Verdict, ...] = ()
    length_a: float | None = None
    length_b: float | None = None
    mode: Mode = "clinical"
    topic: str = ""
    surgeon: Preference | None = None
    reference: Preference | None = None  # by another judge
    own: Side | None = None  # the answer by the judge's own model or family, where the other is by another's

    @property
    def verdict(self) -> Preference | None:
        """Both orders taken together: two that differ are a tie; of one valid one that one; else None."""
        return agreed(said for said in (self.ab, self.ba) if said is not None)

    @property
    def flipped(self) -> bool:
        """Were different preferences stated in the two orders? A surgeon should look."""
        said = [preference(verdict) for verdict in (self.ab, self.ba)]
        return None not in said and said[0] != said[1]


def agreed(verdicts: Iterable[Verdict]) -> Preference | None:
    """What all valid verdicts of one assessor prefer, a tie where they differ; None where none is valid."""
    said = {stated for verdict in verdicts if (stated := preference(verdict))}
    return said.pop() if len(said) == 1 else "tie" if said else None


def majority(preferences: Iterable[Preference]) -> Preference | None:
    """What more than half of the assessors prefer, a tie where no more than half prefer the same; None of none."""
    counted = Counter(preferences)
    if not counted:
        return None
    (stated, count), *_ = counted.most_common()
    return stated if 2 * count > counted.total() else "tie"


def contests_of(
    comparisons: Iterable[Comparison],
    lengths: Mapping[str, float],
    surgeons: Iterable[Comparison] = (),
    *,
    settings: Mapping[str, Setting] = MappingProxyType({}),
    own: Collection[str] = (),
    reference: Iterable[Comparison] = (),
) -> list[JudgedContest]:
    """Each contest of one judge's ``comparisons``, in the order of their first mention.

    Of several comparisons of one contest in one order, by the same rubric, the first valid one is the verdict and the
    others are retests.

    Args:
        comparisons: one judge's
        lengths: by candidate id, in characters or tokens, as long as it is the same for all
        surgeons: theirs on the same answers and others; each surgeon is heard once
        settings: by prompt id; a prompt that is not there is clinical and has no topic
        own: ids of the models of the judge's own family
        reference: another judge's, on the same answers and others

    Raises:
        ValueError: ``comparisons`` are several judges'.
    """
    others = _Others(lengths, settings, own, _consensus(surgeons), _consensus(reference))
    return [_judged(key, orders, others) for key, orders in _by_contest(comparisons).items()]


class _Others(NamedTuple):
    """What is known besides the judge's own verdicts."""

    lengths: Mapping[str, float]
    settings: Mapping[str, Setting]
    own: Collection[str]
    surgeons: Consensus
    reference: Consensus


def _judged(key: ContestKey, orders: Said, others: _Others) -> JudgedContest:
    one = next(iter(orders.values()))[0]
    setting = others.settings.get(one.prompt, Setting("clinical", ""))
    first = [each[0] for each in orders.values()]
    return JudgedContest(
        prompt=one.prompt,
        ab=_first(orders, "ab"),
        ba=_first(orders, "ba"),
        strength=_strength(first),
        causes=tuple(each.cause or "unknown" for each in first if each.verdict == "invalid"),
        retests_ab=_retests(orders, "ab"),
        retests_ba=_retests(orders, "ba"),
        length_a=others.lengths.get(key.a),
        length_b=others.lengths.get(key.b),
        mode=setting.mode,
        topic=setting.topic,
        surgeon=others.surgeons.get((key.a, key.b)),
        reference=others.reference.get((key.a, key.b)),
        own=_own_side(one, others.own),
    )


def _by_contest(comparisons: Iterable[Comparison]) -> Mapping[ContestKey, Said]:
    said: dict[ContestKey, dict[Order, list[Comparison]]] = {}
    judges = set()
    for each in comparisons:
        judges.add(each.assessor)
        said.setdefault(ContestKey(each.a, each.b, each.rubric), {}).setdefault(each.order, []).append(each)
    if len(judges) > 1:
        raise ValueError(f"a passport is of one judge, not of {', '.join(sorted(judges))}")
    for orders in said.values():
        for in_order in orders.values():
            in_order.sort(key=lambda each: each.verdict == "invalid")  # a later answer takes a failure's place
    return said


def _first(orders: Said, order: Order) -> Verdict | None:
    return orders[order][0].verdict if order in orders else None


def _retests(orders: Said, order: Order) -> tuple[Verdict, ...]:
    return tuple(each.verdict for each in orders.get(order, [])[1:])


def _strength(first: Sequence[Comparison]) -> float | None:
    settled = settle(first)
    return None if settled.verdict == "invalid" else settled.strength


def _own_side(comparison: Comparison, own: Collection[str]) -> Side | None:
    a, b = comparison.model_a in own, comparison.model_b in own
    return None if a == b else "a" if a else "b"


def _consensus(comparisons: Iterable[Comparison]) -> Consensus:
    """The majority of the assessors on each two answers; one who contradicts himself is for a tie."""
    by_assessor: dict[tuple[str, str], dict[str, list[Verdict]]] = defaultdict(lambda: defaultdict(list))
    for each in comparisons:
        by_assessor[each.a, each.b][each.assessor].append(each.verdict)
    found = {}
    for answers, said in by_assessor.items():
        stated = majority(opinion for verdicts in said.values() if (opinion := agreed(verdicts)))
        if stated is not None:
            found[answers] = stated
    return found
