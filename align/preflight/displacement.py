"""Which pairs may push down what they should teach: likelihood displacement, foreseen by hidden states.

After Razin et al. (2025), "Unintentional Unalignment: Likelihood Displacement in Direct Preference Optimization": where
the hidden states of chosen and rejected are alike, training lowers the probability of both, and what it gains goes to
something else. Their CHES score (centred hidden embedding similarity) of a pair is, with the sums ``s`` of the last
layer's hidden states that predict each answer's tokens,

    CHES = <s_chosen, s_rejected> - |s_chosen|^2

and the length-normalised one is the same of the means. The higher, the more at risk; above 0, what rejected has in
common with chosen outweighs chosen itself. Scores rank the pairs of one model; they have no scale by which models could
be compared.

On a toy (2 million parameters, 318 pairs, one step of DPO on each alone, two seeds) the rank correlation of CHES with
the change of chosen's log-probability was -0.66 and -0.71, of the length-normalised score -0.34 and -0.43; 35 of the 40
chosen answers that fell were among the 137 pairs above 0. So pairs are ranked by CHES.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from align.rendering.pairs import TokenRow
from ledger.screen import progress

if TYPE_CHECKING:
    import torch

RISKY = 0.0  # of `Score.relative`
MOST_TOKENS = 16_384  # of a batch, padding counted


@dataclass(frozen=True)
class Score:
    """How much a pair is at risk."""

    ches: float
    normalised: float  # of the means over tokens
    relative: float  # ``ches`` in units of |s_chosen|^2: 0 where both sums are the same


@dataclass(frozen=True)
class Ranking:
    """Pairs by how much they are at risk, the riskiest first. Ids alone: no text leaves the ledger."""

    pairs: tuple[tuple[str, Score], ...]
    threshold: float  # of `Score.relative`

    @property
    def at_risk(self) -> tuple[str, ...]:
        """The ids of the pairs above the threshold."""
        return tuple(pair for pair, score in self.pairs if score.relative > self.threshold)

    @property
    def share(self) -> float:
        """The share of the pairs above the threshold; 0 for no pairs."""
        return len(self.at_risk) / len(self.pairs) if self.pairs else 0.0

    def text(self, most: int = 10) -> str:
        """For people: the share, and the ``most`` riskiest pairs."""
        lines = [
            f"pairs at risk of likelihood displacement: {len(self.at_risk)} of {len(self.pairs)} ({self.share:.0%})",
            *(f"{pair}  CHES {score.ches:.4g}, relative {score.relative:+.3f}" for pair, score in self.pairs[:most]),
        ]
        return "\n".join(lines)

    def facts(self, most: int = 10) -> dict[str, object]:
        """For ``--json`` and the log."""
        return {
            "pairs": len(self.pairs),
            "threshold": self.threshold,
            "share": round(self.share, 6),
            "riskiest": [
                {"pair": pair, "ches": score.ches, "normalised": score.normalised, "relative": score.relative}
                for pair, score in self.pairs[:most]
            ],
        }


def ches(chosen_hidden: torch.Tensor, rejected_hidden: torch.Tensor) -> Score:
    """The scores of one pair.

    Args:
        chosen_hidden: [C, D], the last layer's hidden states from which the C tokens of the answer are predicted: of
            the token before the first one up to the last but one.
        rejected_hidden: [R, D].
    """
    chosen, rejected = chosen_hidden.double().sum(0), rejected_hidden.double().sum(0)
    mean, other = chosen / len(chosen_hidden), rejected / len(rejected_hidden)
    size = float(chosen @ chosen)
    score = float(chosen @ rejected) - size
    return Score(score, float(mean @ other - mean @ mean), score / size if size else 0.0)


def ranked(ids: Sequence[str], scores: Sequence[Score], threshold: float = RISKY) -> Ranking:
    """The pairs of ``ids`` by their CHES scores, the riskiest first."""
    order = sorted(zip(ids, scores, strict=True), key=lambda each: (-each[1].ches, each[0]))
    return Ranking(tuple(order), threshold)


def scored(model: Any, rows: Sequence[TokenRow], *, most_tokens: int = MOST_TOKENS) -> list[Score]:
    """The scores of rendered pairs under ``model``, in their order: one pass forward over every answer.

    The model is put into evaluation mode for the time. In batches of like length, at most ``most_tokens`` tokens in one
    (a longer pair is a batch by itself).
    """
    import torch

    scores: dict[int, Score] = {}
    with _evaluating(model), torch.inference_mode(), progress("Scoring pairs for displacement", len(rows)) as advance:
        for batch in _by_length(rows, most_tokens):
            scores.update(zip(batch, _of_batch(model, [rows[place] for place in batch]), strict=True))
            advance(len(batch))
    return [scores[place] for place in range(len(rows))]


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    was = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was)


def _by_length(rows: Sequence[TokenRow], most_tokens: int) -> Iterator[list[int]]:
    """The places of rows, longest first, so that a batch that does not fit in memory fails at once."""
    longest = [len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"])) for row in rows]
    batch: list[int] = []
    for place in sorted(range(len(rows)), key=lambda place: (-longest[place], place)):
        if batch and 2 * (len(batch) + 1) * longest[batch[0]] > most_tokens:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _of_batch(model: Any, rows: Sequence[TokenRow]) -> list[Score]:
    spans = [_span(row, which) for row in rows for which in ("chosen", "rejected")]
    hidden = _last_hidden(model, [ids for ids, _, _ in spans])
    states = [hidden[place, start:end] for place, (_, start, end) in enumerate(spans)]
    return [ches(*pair) for pair in zip(states[::2], states[1::2], strict=True)]


def _span(row: TokenRow, which: str) -> tuple[list[int], int, int]:
    """A row's tokens, and from where to where their hidden states predict what is in the loss."""
    ids = [*row["prompt_ids"], *row[f"{which}_ids"]]
    return ids, len(row["prompt_ids"]) + int(row[f"{which}_context"]) - 1, len(ids) - 1


def _last_hidden(model: Any, sequences: Sequence[list[int]]) -> torch.Tensor:
    """[sequences, longest, D]: what the output head reads; padding is on the right, where causal models ignore it."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    ids = pad_sequence([torch.tensor(each) for each in sequences], batch_first=True)
    mask = pad_sequence([torch.ones(len(each), dtype=torch.long) for each in sequences], batch_first=True)
    device = model.get_input_embeddings().weight.device
    decoder = model.get_decoder()  # without the head, which is a third of a small model's work
    output = decoder(input_ids=ids.to(device), attention_mask=mask.to(device), use_cache=False)
    hidden: torch.Tensor = output.last_hidden_state
    return hidden
