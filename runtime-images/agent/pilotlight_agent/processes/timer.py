"""A deadline that is moved far more often than it is reached.

An event loop's own timer costs an allocation and two heap operations each time it is set, which
every invocation would pay twice. This one is armed once and looks, when it fires, whether the
deadline has moved.
"""

import asyncio
from collections.abc import Callable
from math import inf


class Timer:
    """Calls `callback` once the moment that was `set` last has come; loop time, in seconds."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self._loop = asyncio.get_running_loop()
        self._moment: float | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._armed = inf
        """When the handle looks; never without one."""

    @property
    def is_set(self) -> bool:
        """Whether a moment is being waited for."""
        return self._moment is not None

    def set(self, moment: float) -> None:
        """Wait for `moment` instead of any other."""
        self._moment = moment
        if self._armed > moment:
            self._arm(moment)

    def clear(self) -> None:
        """Wait for nothing; what is armed stays, and finds nothing to do."""
        self._moment = None

    def _arm(self, moment: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle, self._armed = self._loop.call_at(moment, self._fire), moment

    def _fire(self) -> None:
        moment, self._handle, self._armed = self._moment, None, inf
        if moment is None:
            return
        if moment > self._loop.time():
            self._arm(moment)
            return
        self._moment = None
        self._callback()
