"""Which engine answers."""

from __future__ import annotations

from ledger.config import SampleConfig
from sampling.engines.protocol import Engine
from sampling.models import PolicySource, load_policy, load_tokenizer


def engine_name(config: SampleConfig) -> str:
    """The engine that the configuration means; "auto" is `transformers`, the one that runs everywhere."""
    return "transformers" if config.engine == "auto" else config.engine


def load_engine(source: PolicySource, config: SampleConfig) -> Engine:
    """Load a model into the engine that the configuration names.

    Raises:
        ModelError: the model or its tokenizer does not load.
    """
    from sampling.engines.transformers import TransformersEngine

    return TransformersEngine(load_policy(source), load_tokenizer(source), config)
