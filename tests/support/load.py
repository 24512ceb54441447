"""A constant rate of calls, and a ledger of what became of each."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its answer, or what was raised."""

    number: int
    answer: object = None
    error: Exception | None = None
    began: float = 0.0
    ended: float = 0.0
    """By the monotonic clock."""


class Load:
    """Calls at a constant rate, open-loop: a slow answer delays no other call."""

    def __init__(self, call: Callable[[int], object], *, per_second: float) -> None:
        self._call = call
        self._interval = 1 / per_second
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=50)
        self._starter = threading.Thread(target=self._start_calls)
        self._lock = threading.Lock()
        self._ended = threading.Condition(self._lock)
        self.started = 0
        self.calls: list[Call] = []

    def __enter__(self) -> Self:
        self._starter.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
        self._pool.shutdown(wait=True)

    def end(self) -> None:
        """Begin no more calls."""
        self._stop.set()
        self._starter.join()

    def wait_for(self, more: int, seconds: float = 60) -> None:
        """Wait until so many more calls have ended."""
        with self._ended:
            wanted = len(self.calls) + more
            assert self._ended.wait_for(lambda: len(self.calls) >= wanted, seconds), (
                f"only {len(self.calls)} of {wanted} calls ended within {seconds} s"
            )

    @property
    def failed(self) -> list[Call]:
        """Calls that raised."""
        return [call for call in self.calls if call.error is not None]

    def _start_calls(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(due - time.monotonic(), 0)):
            self._pool.submit(self._one, self.started)
            self.started += 1
            due += self._interval

    def _one(self, number: int) -> None:
        answer, failure, began = None, None, time.monotonic()
        try:
            answer = self._call(number)
        except Exception as error:  # noqa: BLE001  whatever it was, the ledger tells
            failure = error
        call = Call(number, answer, failure, began, time.monotonic())
        with self._ended:
            self.calls.append(call)
            self._ended.notify_all()
