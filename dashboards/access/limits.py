"""How often a password may be guessed: from one address, and altogether."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

Clock = Callable[[], float]  # seconds, never backwards
IPV6_HOME = 56  # bits that one household or office shares: whoever has one address of it has all (RFC 6177)


@dataclass(frozen=True)
class Patience:
    """So many tries are free; each further one doubles the wait for the next, up to the longest."""

    free: int
    longest: float  # seconds
    forget: float = 3_600.0  # seconds without a try after which all is forgiven

    def wait(self, tries: int, since: float) -> float:
        """Seconds until the next try, ``since`` seconds after the last of so many."""
        if tries < self.free:
            return 0.0
        return max(0.0, min(self.longest, 2.0 ** min(tries - self.free, 30)) - since)


ADDRESS = Patience(free=5, longest=900.0)
ALL = Patience(free=100, longest=60.0)  # many addresses may still not guess more than once a minute
MOST_ADDRESSES = 10_000


@dataclass
class _Tries:
    count: int = 0
    last: float = 0.0


class Limits:
    """Counts the tries that have failed. A try counts from its start, so many at once are no way around."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """Take the time from ``clock``."""
        self._clock = clock
        self._tries: dict[str, _Tries] = {}
        self._all = _Tries()
        self._known: set[str] = set()

    def begin(self, address: str) -> float:
        """Begin a try: 0, or the seconds to wait first, and then it does not count.

        Whoever knew the password before is not kept out by what others try from elsewhere.
        """
        home = _home(address)
        tries = self._of(home)
        wait = self._wait(tries, ADDRESS)
        if home not in self._known:
            wait = max(wait, self._wait(self._all, ALL))
        if not wait:
            for each in (tries, self._all):
                each.count, each.last = each.count + 1, self._clock()
        return wait

    def succeeded(self, address: str) -> None:
        """The try that this address began was right."""
        home = _home(address)
        self._tries.pop(home, None)
        self._all.count = max(0, self._all.count - 1)
        if len(self._known) < MOST_ADDRESSES:
            self._known.add(home)

    def _wait(self, tries: _Tries, patience: Patience) -> float:
        since = self._clock() - tries.last
        if tries.count and since > patience.forget:
            tries.count = 0
        return patience.wait(tries.count, since)

    def _of(self, home: str) -> _Tries:
        if home not in self._tries and len(self._tries) >= MOST_ADDRESSES:
            del self._tries[min(self._tries, key=lambda each: self._tries[each].last)]
        return self._tries.setdefault(home, _Tries())


def _home(address: str) -> str:
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if known.version == 4:
        return str(known)
    if known.ipv4_mapped:
        return str(known.ipv4_mapped)
    return str(int(known) >> (128 - IPV6_HOME))
