"""Who is logged in: kept in memory alone, so that a restart, and with it another password, ends every session."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

TOKEN_BYTES = 32
MOST = 10_000


class Sessions:
    """Tokens that were handed out, and until when they are good."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.time) -> None:
        """Let a session last so long, by ``clock`` (Unix seconds)."""
        self.seconds = seconds
        self._clock = clock
        self._until: dict[bytes, float] = {}

    def begin(self) -> str:
        """A new session's token; it cannot be guessed."""
        now = self._clock()
        self._until = {key: until for key, until in self._until.items() if until > now}
        while len(self._until) >= MOST:
            del self._until[next(iter(self._until))]
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._until[_key(token)] = now + self.seconds
        return token

    def left(self, token: str) -> float:
        """Seconds that the session still lasts; 0 where there is none."""
        return max(0.0, self._until.get(_key(token), 0.0) - self._clock())

    def end(self, token: str) -> None:
        """Log out."""
        self._until.pop(_key(token), None)


def _key(token: str) -> bytes:
    # By its digest, so that how long a look-up takes tells nothing of the tokens that there are.
    return hashlib.sha256(token.encode(errors="replace")).digest()
