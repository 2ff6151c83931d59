"""What all who compared two answers amount to: the probability that one of them is better. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from annotate.assessor_kinds import PEOPLE
from annotate.mcq import ASSESSOR as KEY
from annotate.reliability import AT_THEIR_WORD, Trust, log_odds, probability

EVEN = 0.5


def posterior(stated: Mapping[str, float], trust: Trust = AT_THEIR_WORD, dependence: float = 0.0) -> float:
    """P(the first answer is better), given what each assessor states.

    Either answer is as likely to be the better one before anybody speaks, as their order is that of hashes. Each
    assessor's log-odds, times its factor, is then a log-likelihood ratio: a weight of evidence (Good, 1950), and if
    assessors err independently, given which answer is better, these add up (naive Bayes; Dawid & Skene, 1979). They do
    not quite: some contests deceive many. So the sum of n voices is divided by 1 + (n - 1) * ``dependence``, which
    leaves as much as n / (1 + (n - 1) * dependence) independent voices would say (Clemen & Winkler, 1985). At 0 that is
    naive Bayes, at 1 the logarithmic opinion pool of equal weights (Genest & Zidek, 1986), under which agreement adds
    nothing. Judges and metrics share much of their error (Kim et al., 2025), so all of them together are one voice, the
    mean of their log-odds: a large panel cannot shout surgeons down. A tie states log-odds of 0 and is a voice, so it
    draws the result towards one half; an assessor whose factor is 0 is none.

    One assessor alone, unmeasured, is taken at its word, up to `reliability.SUREST`. The key of an mcq is no opinion:
    where it speaks, nobody else is heard.

    Args:
        stated: assessor -> P(the first is better), its orders settled (`annotate/settle.py`); 0.5 for a tie.
        trust: the assessors' factors.
        dependence: correlation of the voices' errors, in [0, 1].

    Returns:
        One half where nobody speaks.
    """
    if KEY in stated:
        return stated[KEY]
    people, machines = list[float](), list[float]()
    for assessor, strength in stated.items():
        if factor := trust.factor(assessor):
            (people if assessor.startswith(PEOPLE) else machines).append(factor * log_odds(strength))
    voices = [*people, sum(machines) / len(machines)] if machines else people
    if not voices:
        return EVEN
    return probability(sum(voices) / (1 + (len(voices) - 1) * dependence))
