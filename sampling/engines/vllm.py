"""vLLM in this process: continuous batching on a GPU, or on the CPU with the build for it."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

from ledger.config import SampleConfig
from ledger.errors import ConfigError, ModelError, StageError
from sampling.adapters import combined
from sampling.engines.protocol import SECONDS, TOGETHER, Answer, Request, Sample, unanswered
from sampling.engines.rendering import Rendered, Renderer
from sampling.engines.vllm_settings import TABLE, engine_settings, said, why_it_does_not_start
from sampling.models import PolicySource, load_tokenizer
from sampling.quiet import quiet

AHEAD = 4  # times the sequences that vLLM draws at once: so many wait for their turn
# Before vLLM is imported: its log would go to standard output, where results go, and it would report its use.
ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_NO_USAGE_STATS": "1",
    "PYTHONWARNINGS": "ignore",  # in the processes that vLLM starts
}


class VllmEngine:
    """Answers with a model that vLLM holds, all of them with the same adapter or without one.

    Requests with and without an adapter never share an engine: in one batch, vLLM may give those without one the
    weights of the last adapter (vllm-project/vllm issue 48421).
    """

    name = "vllm"

    def __init__(self, llm: Any, tokenizer: Any, config: SampleConfig, adapter: Any = None) -> None:
        """``llm``: a ``vllm.LLM``; ``adapter``: a ``LoRARequest``."""
        self.llm, self.config, self.adapter = llm, config, adapter
        self.renderer = Renderer(tokenizer, llm.model_config.max_model_len, config)
        self._engine = llm.llm_engine
        self._most = AHEAD * self._engine.vllm_config.scheduler_config.max_num_seqs
        self._numbers = count()

    def sample(self, requests: Iterable[Request]) -> Generator[Sequence[Answer], None, None]:
        """Keep vLLM's queue filled, and hand out what has ended."""
        remaining = unanswered(requests)
        pending: dict[str, Rendered] = {}
        ended: list[Answer] = []
        handed = monotonic()
        try:
            while True:
                ended += self._fill(remaining, pending)
                if pending:
                    ended += self._step(pending)
                if not pending and not ended:
                    return
                if len(ended) >= TOGETHER or not pending or (ended and monotonic() - handed >= SECONDS):
                    yield ended
                    ended, handed = [], monotonic()
        except StageError:
            if ended:
                yield ended
            raise
        finally:
            self._engine.abort_request(list(pending))

    def _fill(self, remaining: Iterator[Request], pending: dict[str, Rendered]) -> list[Answer]:
        """Bring requests into the queue; returns those that are refused."""
        refused: list[Answer] = []
        waiting = sum(len(each.request.seeds) for each in pending.values())
        while waiting < self._most and len(refused) < TOGETHER:
            request = next(remaining, None)
            if request is None:
                break
            shown = self.renderer.render(request)
            if isinstance(shown, Rendered):
                shown = self._add(shown, pending)
            if isinstance(shown, Answer):
                refused.append(shown)
            else:
                waiting += len(request.seeds)
        return refused

    def _add(self, shown: Rendered, pending: dict[str, Rendered]) -> Rendered | Answer:
        number = str(next(self._numbers))
        parameters = sampling_parameters(self.config, shown.request.temperature, shown.request.seeds)
        prompt = {"type": "token", "prompt_token_ids": list(shown.tokens)}
        try:
            self._engine.add_request(number, prompt, parameters, lora_request=self.adapter)
        except Exception as error:  # vLLM's own types, and plain ones
            return Answer(shown.request, cause=f"refused by vLLM: {said(error)}")
        pending[number] = shown
        return shown

    def _step(self, pending: dict[str, Rendered]) -> list[Answer]:
        try:
            outputs = self._engine.step()
        except Exception as error:  # whatever the model, the device or a worker raises
            raise StageError(
                f"vLLM broke off: {said(error)}", where="sample.engine", advice="run it again: what was drawn is kept"
            ) from error
        return [self._read(pending.pop(output.request_id), output.outputs) for output in outputs if output.finished]

    def _read(self, shown: Rendered, outputs: Iterable[Any]) -> Answer:
        samples: list[Sample] = []
        drawn = sorted(outputs, key=lambda output: int(output.index))
        for seed, output in zip(shown.request.seeds, drawn, strict=True):
            ended = output.finish_reason == "stop"
            if not ended and output.finish_reason != "length":
                # The samples before it are kept: a later run goes on with the seed of this one.
                return Answer(shown.request, tuple(samples), cause=f"broken off by vLLM: {output.finish_reason}")
            tokens = output.token_ids[:-1] if ended else output.token_ids
            samples.append(self.renderer.read(shown, seed, tokens, output.logprobs.logprobs, ended=ended))
        return Answer(shown.request, tuple(samples))


def sampling_parameters(config: SampleConfig, temperature: float, seeds: Sequence[int]) -> Any:
    """The parameters of as many samples as there are seeds, which are in a row: sample i is drawn with the i-th.

    Nothing comes from the settings that a model brings along, but the tokens that end an answer.

    Raises:
        ConfigError: vLLM does not draw so.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    try:
        made = SamplingParams(
            n=len(seeds),
            seed=seeds[0],
            temperature=temperature,
            top_p=config.top_p,
            max_tokens=config.max_new_tokens,
            logprobs=0,  # of the drawn token alone
            flat_logprobs=True,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
    except Exception as error:  # vLLM's own types, and plain ones
        raise ConfigError(f"vLLM refuses it: {said(error)}", where="sample", advice="correct it") from error
    if made.temperature != temperature:
        raise ConfigError(
            f"vLLM draws at {made.temperature} where {temperature} is asked for",
            where="sample.temperature",
            advice=f"take {made.temperature} or more, or another engine",
        )
    return made


@contextmanager
def open_vllm(source: PolicySource, config: SampleConfig) -> Iterator[VllmEngine]:
    """Load a model into vLLM.

    Raises:
        ConfigError: vLLM refuses a setting.
        ModelError: the model, an adapter or the tokenizer does not load, or does not fit.
    """
    tokenizer = load_tokenizer(source)
    with started(source, config) as (llm, adapter):
        yield VllmEngine(llm, tokenizer, config, adapter)


@contextmanager
def started(source: PolicySource, config: SampleConfig) -> Iterator[tuple[Any, Any]]:
    """A ``vllm.LLM``, and the ``LoRARequest`` for what goes on top of it, if anything does.

    Raises:
        ConfigError, ModelError: see `open_vllm`.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    adapter = one_adapter(source)
    with quiet():
        logging.getLogger("torch._library").setLevel(logging.ERROR)  # it misses Triton, where there is no GPU
        from vllm.platforms import current_platform

        on_cpu = bool(current_platform.is_cpu())
        settings = engine_settings(source, config, adapter, on_cpu=on_cpu)
        if on_cpu:  # one process: there is no GPU to keep busy, and the cores are needed for the model
            os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        for rung in config.temperatures:
            sampling_parameters(config, rung, (0,))
        llm = _loaded(settings, source, config)
    try:
        yield llm, None if adapter is None else _with_adapter(llm, adapter)
    finally:
        llm.llm_engine.engine_core.shutdown()


def one_adapter(source: PolicySource) -> Path | None:
    """The adapter that does what a policy's adapters do; kept beside the last of them.

    Raises:
        ModelError: they cannot be made one.
    """
    return combined(source.adapters, source.adapters[-1].parent / ".combined") if source.adapters else None


def _loaded(settings: Mapping[str, Any], source: PolicySource, config: SampleConfig) -> Any:
    from vllm import LLM

    try:
        return LLM(**settings)
    except Exception as error:  # loaders raise whatever they like
        raise why_it_does_not_start(error, source, config) from error


def _with_adapter(llm: Any, adapter: Path) -> Any:
    """Load it now, so that one which does not load is known before anything is drawn."""
    from vllm.lora.request import LoRARequest

    request = LoRARequest("policy", 1, str(adapter))
    try:
        llm.llm_engine.add_lora(request)
    except Exception as error:  # loaders raise whatever they like
        raise ModelError(
            f"the adapter does not load into vLLM: {said(error)}",
            where=adapter,
            advice=f"see {TABLE}; or merge it into the base model, or take the transformers engine",
        ) from error
    return request
