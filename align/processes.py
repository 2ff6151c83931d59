"""What the processes of ``accelerate launch`` agree on: one of them does what must be done once, all learn of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def count() -> int:
    """How many processes train together: 1 without ``accelerate launch``."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Is this the process that writes and speaks?"""
    return int(os.environ.get("RANK", "0")) == 0


def from_main(make: Callable[[], T]) -> T:
    """What ``make`` gives in the main process, in all of them; what it raises there, all raise.

    So no process waits for another that has stopped.
    """
    if count() == 1:
        return make()
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    PartialState()  # joins the group, where that was not done yet
    outcome: list[T | Exception | None] = [None]
    if is_main():
        try:
            outcome = [make()]
        except Exception as error:  # all are told of it, and raise it
            outcome = [error]
    broadcast_object_list(outcome)
    said = outcome[0]
    if isinstance(said, Exception):
        raise said
    return said  # type: ignore[return-value]
