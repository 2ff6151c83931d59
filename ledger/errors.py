"""The error tree. Every error says what is wrong, where, and what to do next.

    WardroundError          exit code 2, one line, a traceback only with --debug
    |-- ConfigError         wardround.toml is missing, malformed, or names something unknown
    |-- InputError          a file or an argument given by the user cannot be used
    |-- LedgerError         the ledger does not answer, cannot be written, or is of another version
    |   `-- TamperError     a stored record is not what was written; carries the record's id
    |-- ModelError          a model, adapter or tokenizer does not load
    |-- EndpointError       a server that the configuration names refuses or cannot be reached
    `-- StageError          a stage has nothing to work on, or cannot go on
        `-- BudgetError     what a run may spend holds no further call

A failed *item* is not an error but data: a rejected row, a comparison with the verdict ``invalid``.
"""

from __future__ import annotations


class WardroundError(Exception):
    """Something the user can put right."""

    def __init__(self, what: str, *, where: object = "", advice: str = "") -> None:
        """Say what is wrong, where (a file, a key, an address), and what to do."""
        super().__init__(what)
        self.what = what
        self.where = str(where)
        self.advice = advice

    def __str__(self) -> str:
        """One line, whatever the parts hold."""
        place = f"{self.where}: " if self.where else ""
        advice = f" -> {self.advice}" if self.advice else ""
        return " ".join(f"{place}{self.what}{advice}".split())


class ConfigError(WardroundError):
    """The configuration is missing, malformed, or names something unknown."""


class InputError(WardroundError):
    """A file or an argument given by the user cannot be used."""


class LedgerError(WardroundError):
    """The ledger does not answer, cannot be written, or is of another version."""


class TamperError(LedgerError):
    """A stored record is not what was written."""

    def __init__(self, record_id: str, what: str) -> None:
        """Name the record."""
        super().__init__(
            what, where=f"record {record_id}", advice="restore the ledger from a backup; do not train on it"
        )
        self.record_id = record_id


class ModelError(WardroundError):
    """A model, adapter or tokenizer does not load."""


class EndpointError(WardroundError):
    """A server that the configuration names refuses or cannot be reached."""


class StageError(WardroundError):
    """A stage has nothing to work on, or cannot go on."""


class BudgetError(StageError):
    """What a run may spend holds no further call; what was answered by then stays."""
