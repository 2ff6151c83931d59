"""Many pieces of work in flight at once: what has ended is handed on in lists; what no other would survive ends all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Gathering:
    """When results are handed on: as soon as there are ``most``, or what there is ``seconds`` after the first."""

    most: int
    seconds: float


class Crew(Generic[T, R]):
    """Workers on one source, until it ends or one of them meets an error; for one event loop.

    With ``held`` a worker takes up its next piece only when the list with its last result was handed on and the next
    list is asked for: whoever saves each list before that has never more than the workers' number unsaved.
    """

    def __init__(
        self, todo: Iterator[T], do: Callable[[T], Awaitable[R]], gathering: Gathering, *, held: bool = False
    ) -> None:
        """The source is read one piece a free worker."""
        self.error: Exception | None = None  # the first one, once all that was in flight has ended
        self._todo, self._do, self._gathering, self._held = todo, do, gathering, held
        self._workers: list[asyncio.Task[None]] = []
        self._working = 0
        self._ended: list[R] = []
        self._any, self._enough = asyncio.Event(), asyncio.Event()
        self._kept, self._handed_on = asyncio.Event(), asyncio.Event()

    def start(self, workers: int, loop: asyncio.AbstractEventLoop) -> None:
        """Begin with so many at once."""
        self._working = workers
        self._workers = [loop.create_task(self._work()) for _ in range(workers)]

    @property
    def has_more(self) -> bool:
        """Are there results to come, or to hand on?"""
        return bool(self._working or self._ended)

    async def some(self) -> list[R]:
        """The results since the last call, when there are enough of them or some time has passed since the first."""
        self._handed_on.set()
        if self._working:
            await self._any.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._gathering.seconds):
                    await self._enough.wait()
        self._any.clear()
        self._enough.clear()
        ended, self._ended = self._ended, []
        self._handed_on, self._kept = self._kept, asyncio.Event()
        return ended

    def stop(self) -> Coroutine[object, object, None]:
        """Cancel what is still in flight, at once; await the result to wait until it is gone."""
        for worker in self._workers:
            worker.cancel()
        return self._gone()

    async def _gone(self) -> None:
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def _work(self) -> None:
        try:
            while self.error is None and (piece := next(self._todo, None)) is not None:
                result = await self._do(piece)
                self._ended.append(result)  # not in one line: the list may be another one by then
                self._look()
                if self._held:
                    await self._kept.wait()
        except Exception as error:  # raised by whoever asks, once the others have ended
            self.error = self.error or error
        finally:
            self._working -= 1
            self._look()

    def _look(self) -> None:
        """Are there results, and are there enough?"""
        most = min(self._gathering.most, self._working) if self._held else self._gathering.most
        if self._ended or not self._working:
            self._any.set()
        if len(self._ended) >= most or not self._working:
            self._enough.set()


async def in_flight(
    todo: Iterator[T], do: Callable[[T], Awaitable[R]], workers: int, gathering: Gathering
) -> AsyncGenerator[list[R], None]:
    """The results of all work, in lists; a worker goes on only when the list with its result has been dealt with.

    Close the iterator (`aclosing`) if it is left early: what is in flight is then cancelled.

    Raises:
        Exception: the first one that a piece of work met; no further piece was begun then, and what had ended by then,
            or was in flight, was yielded before.
    """
    crew = Crew(todo, do, gathering, held=True)
    crew.start(workers, asyncio.get_running_loop())
    try:
        while crew.has_more:
            if ended := await crew.some():
                yield ended
        if crew.error is not None:
            raise crew.error
    finally:
        await crew.stop()
