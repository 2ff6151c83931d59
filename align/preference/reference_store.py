"""Log-probabilities of answers under reference models, on disk: computed once, whoever trains next.

A value's key is a hash of the model and of the very tokens, so neither another learning rate, rank, seed or method nor
one pair more costs anything anew, and another model or chat template can never be given a wrong value.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ledger.errors import StageError

KEY_BYTES = 16
AT_ONCE = 500  # keys a query: SQLite takes 999 in its oldest builds
WAIT_SECONDS = 60.0  # for another training that is writing
SCHEMA = "CREATE TABLE IF NOT EXISTS log_probs (key BLOB PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID"


def sequence_key(model: str, prompt: Sequence[int], answer: Sequence[int], context: int = 0, more: str = "") -> bytes:
    """What a log-probability is of.

    Args:
        model: says which weights, and in which precision.
        prompt: token ids.
        answer: token ids; all but the first ``context`` of them are scored.
        context: see ``answer``.
        more: whatever else the value depends on.
    """
    said = hashlib.blake2b(f"{model}\0{len(prompt)}\0{context}\0{more}\0".encode(), digest_size=KEY_BYTES)
    said.update(np.asarray([*prompt, *answer], dtype=np.int32).tobytes())
    return said.digest()


@dataclass(frozen=True)
class ReferenceStore:
    """A file of log-probabilities, in nats, by `sequence_key`. Several trainings may use it at once."""

    path: Path

    def known(self, keys: Sequence[bytes]) -> dict[bytes, float]:
        """The values that are there.

        Raises:
            StageError: the file cannot be read.
        """
        found: dict[bytes, float] = {}
        with self._opened() as connection:
            for start in range(0, len(keys), AT_ONCE):
                some = keys[start : start + AT_ONCE]
                marks = ",".join("?" * len(some))
                found.update(connection.execute(f"SELECT key, value FROM log_probs WHERE key IN ({marks})", some))  # noqa: S608
        return found

    def keep(self, values: Mapping[bytes, float]) -> None:
        """Write values down, all or none; those that are there stay as they are.

        Raises:
            StageError: the file cannot be written.
        """
        with self._opened() as connection, connection:
            connection.executemany("INSERT OR IGNORE INTO log_probs VALUES (?, ?)", values.items())

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=WAIT_SECONDS)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(SCHEMA)
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise StageError(
                f"the reference model's log-probabilities cannot be kept: {error}",
                where=self.path,
                advice="free some space, or remove that file: it is only a memory of what can be computed again",
            ) from error


@dataclass(frozen=True)
class Reference:
    """The reference model of a run: what it is called in a store."""

    store: ReferenceStore
    model: str
