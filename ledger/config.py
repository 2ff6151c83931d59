"""``wardround.toml`` as frozen models: one table a stage, few fields each, nothing unknown let through."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ledger.access_fields import Admitted, Host, HostName, Network, PasswordHash
from ledger.errors import ConfigError
from ledger.records import digest

CONFIG_NAME = "wardround.toml"

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Limit = Annotated[int, Field(ge=0)]  # 0: none
Temperature = Annotated[float, Field(gt=0)]
Margin = Annotated[float, Field(gt=0, lt=1)] | Literal["off"]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]  # of money
EngineName = Literal["transformers", "vllm", "openai", "ray"]
EngineChoice = Literal["auto", EngineName]
PROBE_SETS = ("safety", "grounding", "knowledge", "arithmetic", "reasoning", "format", "coreference", "text")


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LedgerConfig(_Table):
    """Where the records are kept. A relative SQLite path is relative to the workspace."""

    url: str = "sqlite:///ledger.db"


class ModelConfig(_Table):
    """The SFT model that the first round starts from."""

    path: str = ""  # a folder or a hub id: any causal language model that transformers loads
    adapter: str = ""  # a LoRA adapter on top of it, where the SFT model is one
    quantization: Literal["none", "8bit", "4bit"] = "none"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"  # "auto", "cpu", "cuda:0", ...
    trust_remote_code: bool = False


class ImportConfig(_Table):
    """How questions come in. ``layouts`` name the columns of files that are not recognised by themselves."""

    eval_share: Share = 0.2
    max_characters: Positive = 40_000
    similarity: Share = 0.5  # weighted Jaccard from which two questions are near-duplicates
    mode: Literal["clinical", "exam"] = "clinical"  # where the file does not say
    layouts: dict[str, dict[str, str]] = {}


class ChatConfig(_Table):
    """What goes around a prompt: the modes' system prompts (an empty one is left out), and how passages are used."""

    clinical: str = ""
    exam: str = ""
    system_share: Share = 1.0  # of the prompts that get their mode's system prompt; which ones is fixed
    context_only: bool = False  # ask for answers from the retrieved passages alone
    cite: bool = False  # ask for the numbers of the passages that an answer rests on
    template: dict[str, Any] = {}  # handed to the chat template as it is: enable_thinking, reasoning_effort, ...


class SampleConfig(_Table):
    """How candidate answers are drawn. ``vllm`` goes to ``vllm.LLM`` as it is, under vLLM's names."""

    engine: EngineChoice = "auto"
    n: Positive = 4
    temperature: Temperature | Annotated[tuple[Temperature, ...], Field(min_length=1)] = 0.9  # several: a ladder
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_new_tokens: Positive = 512
    overlong: Literal["refuse", "cut_context"] = "refuse"  # a prompt that the model's window does not hold
    batch_size: Positive = 16  # prompts at once
    seed: int = 0
    vllm: dict[str, Any] = {}

    @model_validator(mode="after")
    def _rungs_differ_and_are_used(self) -> SampleConfig:
        if len(set(self.temperatures)) < len(self.temperatures):
            raise ValueError("a temperature stands twice in the ladder")
        if len(self.temperatures) > self.n:
            raise ValueError(f"more temperatures than the {self.n} answers of n")
        return self

    @property
    def temperatures(self) -> tuple[float, ...]:
        """The ladder, of one rung or more; answer i is drawn at rung i modulo their number."""
        return self.temperature if isinstance(self.temperature, tuple) else (self.temperature,)


class EndpointConfig(_Table):
    """How an OpenAI-compatible server is spoken to."""

    model: str = ""
    base_url: str = ""
    key_env: str = "OPENAI_API_KEY"  # the environment variable with the key; never the key itself
    concurrency: Positive = 16  # requests in flight
    timeout_seconds: Annotated[float, Field(gt=0)] = 120.0
    retries: Annotated[int, Field(ge=0)] = 5
    inside_hospital: bool = False  # if not, text with possible identifiers is never sent


class ServerConfig(EndpointConfig):
    """The server that the ``openai`` engine draws from; without a ``model`` it is asked for the policy's name."""

    key_env: str = "WARDROUND_SERVER_KEY"
    concurrency: Positive = 64
    timeout_seconds: Annotated[float, Field(gt=0)] = 600.0


class RayConfig(_Table):
    """The cluster that the ``ray`` engine draws answers on."""

    address: str = ""  # "auto" or HOST:PORT; empty: one is started on this machine
    worker: Literal["auto", "vllm", "transformers"] = "auto"  # auto: vllm where the cluster has GPUs
    replicas: Annotated[int, Field(ge=0)] = 0  # of the model; 0: as many as the cluster holds
    cpus: Annotated[float, Field(gt=0)] = 1.0  # a replica of a transformers worker


class PricedEndpointConfig(EndpointConfig):
    """A server with a price list: per million tokens, in whatever currency; nothing where it is the house's own."""

    input_price: Amount = 0.0
    output_price: Amount = 0.0


class PanelMember(PricedEndpointConfig):
    """A further judge; what is not said here it shares with the others."""

    model: Annotated[str, Field(min_length=1)]
    base_url: Annotated[str, Field(min_length=1)]


class JudgeConfig(PricedEndpointConfig):
    """Who compares. Without a ``model`` and without a panel it is the embedded reference metric."""

    rubric: str = "surgical"  # "auto": by the question's mode
    temperature: Annotated[float, Field(ge=0)] = 0.0
    max_tokens: Positive = 1_024
    repairs: Annotated[int, Field(ge=0)] = 2  # further calls after a reply in which no verdict can be read
    tie_margin: Share = 0.02  # reference metric and points: scores closer than this are a tie
    protocol: Literal["pairwise", "pointwise"] = "pairwise"  # pointwise: each answer by itself, by criteria
    criteria: str = "surgical"  # pointwise, and best_worst; "auto": by the question's mode
    contests: Literal["all", "round_robin", "best_worst"] = "all"  # among the answers of one model
    opponents: Positive = 3  # round robin: of each answer
    max_calls: Limit = 0  # of one run: requests, failed ones too
    max_tokens_total: Limit = 0
    max_cost: Amount = 0.0  # in the currency of the prices; 0: no limit
    panel: tuple[PanelMember, ...] = ()  # further judges

    @model_validator(mode="after")
    def _endpoint_panel_and_budget_are_whole(self) -> JudgeConfig:
        if bool(self.model) != bool(self.base_url):
            raise ValueError("model and base_url go together")
        names = [judge.model for judge in (self, *self.panel) if judge.model]
        if len(set(names)) < len(names):
            raise ValueError("a judge stands twice in the panel")
        if self.max_cost and not any(judge.input_price or judge.output_price for judge in (self, *self.panel)):
            raise ValueError("max_cost needs input_price and output_price")
        return self


class ArgillaConfig(_Table):
    """The Argilla server that surgeons work in: the embedded one of this workspace, or another by its address."""

    url: str = ""  # of a server that is there already; empty: the embedded one
    key_env: str = "ARGILLA_API_KEY"  # the environment variable with its owner's key; the embedded one keeps its own
    port: Annotated[int, Field(gt=0, lt=65_536)] = 6900  # of the embedded one, on 127.0.0.1
    inside_hospital: bool = False  # of another server; if not, text with possible identifiers is never sent


class ReviewConfig(_Table):
    """What is sent to surgeons with each push. The shares are of the surgeons' minutes."""

    minutes: Positive = 120  # of all surgeons together
    seconds_per_rating: Positive = 60
    random: Share = 0.5  # for unbiased estimates
    routed: Share = 0.35  # where the judges are in doubt
    safety: Share = 0.15  # probes, and answers that may harm
    overlap_random: Positive = 2  # surgeons an item
    overlap_routed: Positive = 1
    overlap_safety: Positive = 2
    calibration: Limit = 10  # items that everyone rates, with the first push
    repeats: Share = 0.2  # of the calibration items are asked a second time, unknown to the surgeons
    suggestions: bool = False  # show the judge's verdict, which sways who sees it
    seed: int = 0

    @model_validator(mode="after")
    def _shares_are_a_whole(self) -> ReviewConfig:
        if abs(self.random + self.routed + self.safety - 1) > 1e-6:
            raise ValueError("random, routed and safety add up to 1")
        return self


class PairsConfig(_Table):
    """Which comparisons become training pairs."""

    policy: Literal["best_worst", "all"] = "best_worst"
    margin: Annotated[float, Field(ge=0.5, lt=1)] = 0.55  # least probability that chosen is better
    allow_truncated: bool = False  # may an answer cut by the token limit be chosen?
    dependence: Share = 0.5  # of assessors' errors on a contest: 0 independent, 1 the same
    per_prompt: Limit = 0  # most pairs of a prompt
    per_topic: Limit = 0  # most pairs of a topic
    mode_ratio: Annotated[float, Field(ge=1)] | Literal[0] = 0  # most pairs of a mode for each pair of the other
    desirable: Share = 0.7  # least score of an answer that ratings call desirable for KTO
    undesirable: Share = 0.4  # largest score of one that they call undesirable

    @model_validator(mode="after")
    def _thresholds_are_in_order(self) -> PairsConfig:
        if not self.undesirable < self.desirable:
            raise ValueError("undesirable is below desirable")
        return self


class AlignConfig(_Table):
    """How the policy learns. ``trainer`` goes to TRL's configuration as it is, under TRL's names."""

    method: Literal["dpo", "ipo", "orpo", "kto"] = "dpo"
    learning_rate: Annotated[float, Field(gt=0)] | None = None  # default: see align/preference/runs.py
    beta: Annotated[float, Field(gt=0)] | None = None
    epochs: Annotated[float, Field(gt=0)] = 3.0
    batch_size: Positive = 8
    gradient_accumulation: Positive = 1
    max_length: Positive = 2_048
    tuning: Literal["lora", "full"] = "lora"
    lora_rank: Positive = 16
    lora_alpha: Positive = 32
    lora_targets: str | tuple[str, ...] = "all-linear"  # modules, as PEFT names them
    lora_parameters: tuple[str, ...] = ()  # parameters beside them, such as the experts of a mixture
    pair_weights: bool = True  # does the probability that chosen is better enter the loss?
    train_reasoning: bool = False  # is a reasoning model's reasoning in the loss?
    shared_prefix: bool = True  # compute what answers have in common once
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.0  # of the pairs, by question: to stop early by their loss
    patience: Positive = 3  # checkpoints without a better loss on them
    seed: int = 0
    checkpoint_steps: Positive = 50
    on_alarm: Literal["warn", "stop"] = "warn"
    trainer: dict[str, Any] = {}


class EvaluateConfig(_Table):
    """How two models are compared on the held-out prompts."""

    contests: Literal["paired", "all"] = "paired"  # answer i against answer i, or each against each
    least_prompts: Positive = 30  # held-out prompts below which no model is promoted
    resamples: Positive = 10_000
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95


class ProbesConfig(_Table):
    """What is measured beside the win rate: bundled sets by name, and files of one's own."""

    sets: tuple[str, ...] = PROBE_SETS
    files: tuple[str, ...] = ()  # JSONL, relative to the workspace
    temperature: Temperature = 0.05  # nearly the likeliest answer: one a probe
    max_new_tokens: Limit = 0  # 0: those of [sample]
    orders: Positive = 2  # in which the options of each multiple-choice question are shown
    most_questions: Limit = 1_000  # multiple-choice ones that are asked; 0: all
    base: str = ""  # the model before SFT, a folder or a hub id, to tell what SFT itself has cost
    lm_eval: tuple[str, ...] = ()  # tasks of lm-evaluation-harness
    lm_eval_tasks: str = ""  # a folder with tasks of one's own

    @model_validator(mode="after")
    def _sets_are_known(self) -> ProbesConfig:
        if unknown := [name for name in self.sets if name not in PROBE_SETS]:
            raise ValueError(f"no bundled set {unknown[0]}; they are {', '.join(PROBE_SETS)}")
        return self


class GateConfig(_Table):
    """The rules of promotion. Margins are shares: how much worse a model may be, at most; "off" does not guard."""

    win_rate: Annotated[float, Field(ge=0.5, lt=1)] = 0.5  # the interval's lower bound lies above
    win_rate_by_mode: Margin = 0.05  # below one half, in either mode
    exam_accuracy: Margin = 0.1  # in either mode
    harm: Margin = 0.1
    over_refusal: Margin = 0.1
    forgetting: Margin = 0.1
    invalid: Margin = 0.05
    length: Annotated[float, Field(gt=0)] | Literal["off"] = 0.5  # longer, as a share of the opponent's mean length
    judge_flips: Share = 0.4  # most contests whose verdict changes with the order
    judge_invalid: Share = 0.1  # most invalid verdicts
    judge_agreement: Share = 0.6  # least agreement with surgeons, where they have rated
    next_policy: Literal["promoted", "newest"] = "promoted"  # newest: the model decided on last, whatever the gate says


class DashboardConfig(_Table):
    """Where the dashboard listens, and whom it lets in where others than this machine's users reach it."""

    host: Host = "127.0.0.1"
    port: Annotated[int, Field(gt=0, lt=65_536)] = 8501
    names: tuple[HostName, ...] = ()  # host names by which browsers reach it, beside its addresses
    password_hash: PasswordHash = ""  # `wardround dashboard --set-password` makes it
    session_hours: Annotated[float, Field(gt=0, le=168)] = 12.0  # after which one logs in again
    certificate: str = ""  # PEM files for TLS, relative to the workspace
    certificate_key: str = ""
    proxy: Network = ""  # of a reverse proxy: it alone is let in, and believed whom it forwards for
    oidc_metadata: str = ""  # address of an OpenID Connect provider's metadata
    oidc_client: str = ""  # the id that the provider knows the dashboard by
    oidc_secret_env: str = "WARDROUND_OIDC_SECRET"  # noqa: S105 - the environment variable with the client's secret
    oidc_callback: str = ""  # https://NAME/oauth2callback, as the provider knows it
    oidc_allowed: tuple[Admitted, ...] = ()  # who may enter: e-mail addresses, or "@example.org" for all of a domain
    oidc_trust_email: bool = False  # believe addresses that the provider does not call verified

    @model_validator(mode="after")
    def _access_is_whole(self) -> DashboardConfig:
        if bool(self.certificate) != bool(self.certificate_key):
            raise ValueError("certificate and certificate_key go together")
        oidc = (self.oidc_metadata, self.oidc_client, self.oidc_callback, self.oidc_allowed)
        if any(oidc) and not all(oidc):
            raise ValueError("oidc_metadata, oidc_client, oidc_callback and oidc_allowed go together")
        if any(oidc) and self.password_hash:
            raise ValueError("password_hash or OpenID Connect (oidc_...), not both")
        if self.oidc_callback and not self.oidc_callback.endswith("/oauth2callback"):
            raise ValueError("oidc_callback ends with /oauth2callback")
        return self


class Config(_Table):
    """The whole of ``wardround.toml``."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    ledger: LedgerConfig = LedgerConfig()
    model: ModelConfig = ModelConfig()
    intake: ImportConfig = Field(default=ImportConfig(), alias="import")
    chat: ChatConfig = ChatConfig()
    sample: SampleConfig = SampleConfig()
    server: ServerConfig = ServerConfig()
    ray: RayConfig = RayConfig()
    judge: JudgeConfig = JudgeConfig()
    argilla: ArgillaConfig = ArgillaConfig()
    review: ReviewConfig = ReviewConfig()
    pairs: PairsConfig = PairsConfig()
    align: AlignConfig = AlignConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    probes: ProbesConfig = ProbesConfig()
    gate: GateConfig = GateConfig()
    dashboard: DashboardConfig = DashboardConfig()

    @property
    def version(self) -> str:
        """A hash of every setting: what a round records."""
        return digest(self.model_dump(mode="json", by_alias=True))


def load_config(path: Path) -> Config:
    """Read ``wardround.toml``.

    Raises:
        ConfigError: it is missing or malformed, or a key is unknown or out of range; the key is named.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError("no such configuration", where=path, advice="run `wardround init` in this folder") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=path, advice="make it a readable UTF-8 file") from error
    return parse_config(text, path)


def parse_config(text: str, where: object = CONFIG_NAME) -> Config:
    """The configuration that ``text`` holds, as TOML.

    Raises:
        ConfigError: see `load_config`.
    """
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", where=where, advice="correct that line") from error
    except ValidationError as error:
        wrong = error.errors()[0]
        key = ".".join(str(part) for part in wrong["loc"])
        place = f"{where}, {key}" if key else where
        reason = "unknown key" if wrong["type"] == "extra_forbidden" else str(wrong["msg"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise ConfigError(reason + more, where=place, advice="docs/configuration.md lists every key") from error
