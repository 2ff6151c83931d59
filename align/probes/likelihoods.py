"""The log-probabilities that probes need, as far as they are not in the ledger yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from align.probes.likelihood import Scored, completion_logprobs, option_logprobs, text_logprobs
from align.probes.plan import ProbePlan
from ledger.records import Continuation, Likelihood, ModelVersion, Prompt, digest
from ledger.screen import progress, say
from ledger.tables import likelihoods
from ledger.workspace import Workspace
from sampling.engines.protocol import batches
from sampling.models import SERVED, load_policy, load_tokenizer, source_of
from sampling.sample import CHAT_DIGITS

WRITTEN_AT_ONCE = 64
MOST_CAUSES = 5  # that the person who watches is told

Score = Callable[[Any, Any, Sequence[int]], Iterator[Scored]]  # model, tokenizer, which of them -> what they were given


@dataclass(frozen=True)
class _Wanted:
    """Texts of one kind whose log-probabilities are wanted."""

    of: Continuation
    setting: str
    prompts: Sequence[Prompt]
    score: Score


def score_texts(workspace: Workspace, model: ModelVersion, plan: ProbePlan) -> None:
    """Compute what is missing, and write it down as it comes. Weights that a server alone knows give none.

    Raises:
        ModelError: the model does not load.
    """
    if model.weights.startswith(SERVED):
        return
    todo = [(each, _missing(workspace, model, each)) for each in _wanted(workspace, plan)]
    left = sum(len(some) for _, some in todo)
    if not left:
        return
    unread: Counter[str] = Counter()
    with workspace.stage("likelihoods", model=model.id, texts=left), progress(f"Reading by {model.name}", left) as on:
        source = source_of(workspace, model)
        policy, tokenizer = load_policy(source), load_tokenizer(source)
        for wanted, places in todo:
            for some in batches(wanted.score(policy, tokenizer, places), WRITTEN_AT_ONCE) if places else ():
                made = [_record(each, wanted.prompts[places[each.place]], model, wanted) for each in some]
                workspace.ledger.append(made)
                unread.update(each.cause for each in some if each.cause)
                on(len(made))
    for cause, count in unread.most_common(MOST_CAUSES):
        say(f"{model.name} cannot read {count} texts: {cause}")


def likelihoods_of(workspace: Workspace, model: ModelVersion, of: Continuation) -> dict[str, Likelihood]:
    """What a model was found to give, by prompt; texts that it could not read are left out."""
    row, setting = likelihoods.c, setting_of(workspace, of)
    found = workspace.ledger.read(Likelihood, row.model == model.id, row.of == of, row.setting == setting)
    return {each.prompt: each for each in found if each.logprobs}


def _wanted(workspace: Workspace, plan: ProbePlan) -> list[_Wanted]:
    chat, shown = workspace.config.chat, [each.prompt for each in plan.showings]
    referred, passages = plan.references, [str(each.probe.expected["text"]) for each in plan.passages]

    def options(model: Any, tokenizer: Any, places: Sequence[int]) -> Iterator[Scored]:
        return option_logprobs(model, tokenizer, [shown[place] for place in places], chat)

    def references(model: Any, tokenizer: Any, places: Sequence[int]) -> Iterator[Scored]:
        some = [referred[place] for place in places]
        return completion_logprobs(model, tokenizer, some, [prompt.reference or "" for prompt in some], chat)

    def texts(model: Any, tokenizer: Any, places: Sequence[int]) -> Iterator[Scored]:
        return text_logprobs(model, tokenizer, [passages[place] for place in places])

    return [
        _Wanted("options", setting_of(workspace, "options"), shown, options),
        _Wanted("reference", setting_of(workspace, "reference"), referred, references),
        _Wanted("text", setting_of(workspace, "text"), [each.prompt for each in plan.passages], texts),
    ]


def setting_of(workspace: Workspace, of: Continuation) -> str:
    """A hash of what log-probabilities depend on beside weights and texts."""
    config = workspace.config
    around = {} if of == "text" else config.chat.model_dump(mode="json")
    return digest([around, config.model.dtype, config.model.quantization])[:CHAT_DIGITS]


def _missing(workspace: Workspace, model: ModelVersion, wanted: _Wanted) -> list[int]:
    row = likelihoods.c
    same = (row.model == model.id, row.of == wanted.of, row.setting == wanted.setting)
    known = {each.prompt for each in workspace.ledger.read(Likelihood, *same)}
    return [place for place, prompt in enumerate(wanted.prompts) if prompt.id not in known]


def _record(scored: Scored, prompt: Prompt, model: ModelVersion, wanted: _Wanted) -> Likelihood:
    return Likelihood(prompt.id, model.id, wanted.of, wanted.setting, scored.logprobs, scored.tokens)
