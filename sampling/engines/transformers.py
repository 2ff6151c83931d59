"""The embedded engine: `transformers` on whatever device there is, in left-padded batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ledger.config import SampleConfig
from sampling.chat import prompt_tokens
from sampling.engines.protocol import Request, Sample

if TYPE_CHECKING:
    import torch


class SeededSampling:
    """Temperature and nucleus sampling in which every row draws from a generator of its own.

    Adds Gumbel noise and leaves one finite logit, so that greedy decoding picks a true sample (the Gumbel-max trick,
    Gumbel, 1954; Maddison et al., 2014). A row's noise depends on its seed and the step alone, never on its batch.
    """

    def __init__(self, seeds: Sequence[int], temperature: float, top_p: float) -> None:
        """One seed a row."""
        import torch

        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.temperature = temperature
        self.top_p = top_p
        self.logprobs: list[torch.Tensor] = []  # of the picked token, per step: [rows]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """``scores``: [rows, vocabulary] logits; returns them with all but the picked token at minus infinity."""
        import torch

        plain = torch.log_softmax(scores.float(), dim=-1)
        tempered = self._nucleus(torch.log_softmax(plain / self.temperature, dim=-1))
        exponential = torch.empty(scores.shape, dtype=torch.float32)
        for row, generator in zip(exponential, self.generators, strict=True):
            row.exponential_(generator=generator)
        picked = (tempered - exponential.to(scores.device).log()).argmax(dim=-1, keepdim=True)
        self.logprobs.append(plain.gather(-1, picked).squeeze(-1))
        return torch.full_like(scores, -torch.inf).scatter_(-1, picked, 0.0)

    def logprobs_by_row(self) -> list[list[float]]:
        """The log-probability of each picked token, a list a row."""
        import torch

        by_row: list[list[float]] = torch.stack(self.logprobs, dim=1).tolist()
        return by_row

    def _nucleus(self, logprobs: torch.Tensor) -> torch.Tensor:
        """Only the smallest set of tokens whose probability reaches ``top_p`` (Holtzman et al., 2020)."""
        import torch

        if self.top_p >= 1.0:
            return logprobs
        ordered, index = logprobs.sort(dim=-1, descending=True)
        before = ordered.exp().cumsum(dim=-1) - ordered.exp()
        return torch.full_like(logprobs, -torch.inf).scatter(
            -1, index, ordered.masked_fill(before >= self.top_p, -torch.inf)
        )


class TransformersEngine:
    """Answers with a model that is loaded in this process."""

    name = "transformers"

    def __init__(self, model: Any, tokenizer: Any, config: SampleConfig) -> None:
        """``model`` in evaluation mode; ``tokenizer`` padding on the left."""
        self.model = model
        self.tokenizer = tokenizer
        self.config = config
        self._stops = _stop_tokens(model, tokenizer)
        # What generate() is not told it takes from the model's own settings, a repetition penalty for one. Answers
        # are drawn from the model as it is trained, with the parameters that are recorded and no others.
        model.generation_config = self._settings()

    def length(self, request: Request) -> int:
        """How many tokens the prompt has."""
        return len(prompt_tokens(self.tokenizer, request.turns))

    def sample(self, requests: Sequence[Request]) -> Iterator[tuple[Request, list[Sample]]]:
        """Answer a batch, every prompt once for each of its seeds."""
        rows = [(request, seed) for request in requests for seed in request.seeds]
        drawing = SeededSampling([seed for _, seed in rows], self.config.temperature, self.config.top_p)
        answers = self._generate([request for request, _ in rows], drawing)
        by_request: dict[str, list[Sample]] = {}
        for (request, seed), tokens, logprobs in zip(rows, answers, drawing.logprobs_by_row(), strict=True):
            by_request.setdefault(request.prompt, []).append(self._read(tokens, seed, logprobs))
        for request in requests:
            yield request, by_request[request.prompt]

    def _generate(self, requests: Sequence[Request], drawing: SeededSampling) -> list[list[int]]:
        import torch

        prompts = {request.prompt: prompt_tokens(self.tokenizer, request.turns) for request in requests}
        batch = self.tokenizer.pad(
            {"input_ids": [prompts[request.prompt] for request in requests]}, return_tensors="pt"
        )
        with torch.inference_mode():
            output = self.model.generate(
                **batch.to(self.model.device), generation_config=self._settings(), logits_processor=[drawing]
            )
        answers: list[list[int]] = output[:, batch["input_ids"].shape[1] :].tolist()
        return answers

    def _settings(self) -> Any:
        from transformers import GenerationConfig

        return GenerationConfig(
            max_new_tokens=self.config.max_new_tokens,
            do_sample=False,
            eos_token_id=sorted(self._stops) or None,
            pad_token_id=self.tokenizer.pad_token_id,
        )

    def _read(self, tokens: list[int], seed: int, logprobs: list[float]) -> Sample:
        end = next((place for place, token in enumerate(tokens) if token in self._stops), None)
        answer = tokens if end is None else tokens[:end]
        said = logprobs[: len(answer) + (end is not None)]
        return Sample(
            text=self.tokenizer.decode(answer, skip_special_tokens=True).strip(),
            seed=seed,
            finish_reason="length" if end is None else "stop",
            tokens=len(answer),
            logprob=sum(said) / len(said) if said else None,
        )


def _stop_tokens(model: Any, tokenizer: Any) -> set[int]:
    """The tokens that end an answer: the model's and the tokenizer's."""
    own = model.generation_config.eos_token_id
    stops = set(own if isinstance(own, list) else [own])
    return {token for token in (*stops, tokenizer.eos_token_id) if token is not None}
