"""The sections there are, in the order in which they are counted: that of the pages."""

from __future__ import annotations

from typing import Any

from dashboards.counting.section import Section
from dashboards.findings.judges import Judges, find_judges
from dashboards.findings.lineage import Lineage, find_lineage
from dashboards.findings.prompt_index import PromptIndex, find_prompts
from dashboards.findings.reviewing import Reviewing, find_reviewing
from dashboards.findings.safety import Safety, find_safety
from dashboards.findings.training import Training, find_training
from dashboards.findings.training_data import TrainingData, find_training_data
from dashboards.findings.win_rates import WinRates, find_win_rates
from ledger.records import (
    Call,
    Candidate,
    Comparison,
    Decision,
    Likelihood,
    LogEntry,
    ModelVersion,
    Pair,
    Probe,
    Prompt,
    Rating,
    ReviewItem,
    Round,
)

WIN_RATES = Section(
    "win_rates", WinRates, find_win_rates, (Prompt, Comparison, ModelVersion, Decision, Round, ReviewItem)
)
PROMPTS = Section("prompts", PromptIndex, find_prompts, (Prompt, Candidate, Comparison, ModelVersion, Decision))
JUDGES = Section(
    "judges", Judges, find_judges, (Comparison, Call, Rating, ReviewItem, LogEntry), stages=("retest", "attack")
)
REVIEW = Section("review", Reviewing, find_reviewing, (Prompt, ReviewItem, Comparison))
TRAINING = Section("training", Training, find_training, (ModelVersion, Round, Decision, LogEntry))
TRAINING_DATA = Section("training_data", TrainingData, find_training_data, (ModelVersion,))
SAFETY = Section(
    "safety", Safety, find_safety, (Probe, Candidate, Rating, Likelihood, Decision, LogEntry), stages=("gate",)
)
LINEAGE = Section("lineage", Lineage, find_lineage, (ModelVersion, Pair, Round, Decision))

SECTIONS: tuple[Section[Any], ...] = (WIN_RATES, PROMPTS, JUDGES, REVIEW, TRAINING, TRAINING_DATA, SAFETY, LINEAGE)
