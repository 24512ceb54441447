"""A loop in which waiting takes no time, and processes that may be killed or paused at any moment.

`looptime` serves tests that last a few timers; here thousands of seeds run, and nothing is waited
for but timers: so the loop jumps from one to the next.
"""

from __future__ import annotations

import asyncio
import selectors
import weakref
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["Process", "VirtualLoop"]

MOST_STEPS = 500_000
"""Turns of the loop in one run: tens of thousands are usual."""
_running_in: ContextVar[Process | None] = ContextVar("running_in", default=None)


class _Selector(selectors.SelectSelector):
    """Waits by moving the loop's clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        """Let the time pass that the loop would wait."""
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise RuntimeError("it does not come to rest")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose tasks know the process that they belong to."""

    def __init__(self) -> None:
        self._waiting = _Selector()
        super().__init__(self._waiting)
        self.processes: list[Process] = []
        """Dead ones too: what waits for ever in them must not be collected, it would say so."""
        self.set_task_factory(_make_task)  # type: ignore[arg-type]  # the stubs know no options

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._waiting.now

    def call_soon(  # type: ignore[override]  # the base is generic in what the callback takes
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Do something next, or once its process goes on."""
        context = copy_context() if context is None else context
        process = context.get(_running_in)
        if process is None:
            return super().call_soon(callback, *args, context=context)
        step = _Step(process, context, callback, args)
        step.handle = super().call_soon(step, context=context)
        return step.handle

    def call_at(  # type: ignore[override]  # the base is generic in what the callback takes
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Do something then, or once its process goes on."""
        context = copy_context() if context is None else context
        process = context.get(_running_in)
        if process is None:
            return super().call_at(when, callback, *args, context=context)
        step = _Step(process, context, callback, args)
        step.handle = handle = super().call_at(when, step, context=context)
        return handle


@dataclass(eq=False, slots=True)
class _Step:
    """What a process is about to do, unless it is paused, or will not do."""

    process: Process
    context: Context
    callback: Callable[..., Any]
    args: tuple[Any, ...]
    handle: asyncio.Handle | None = None

    def __call__(self) -> None:
        if self.handle is not None and not self.handle.cancelled():
            self.process.do(self)


class Process:
    """A process of the cluster: its tasks end with it, and nothing that they send arrives."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self._paused: list[_Step] | None = None
        """What it was about to do when it was paused."""
        self._tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._kept: list[asyncio.Task[Any]] = []
        self._context: Context = copy_context()
        self._context.run(_running_in.set, self)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.processes.append(self)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Do something in the process."""
        return asyncio.get_running_loop().create_task(work, context=self._context.copy())

    def add(self, task: asyncio.Task[Any]) -> None:
        """Note a task of the process."""
        if self.alive:
            self._tasks.add(task)
        else:
            self._kept.append(task)

    def do(self, step: _Step) -> None:
        """Do a step of it, unless it is paused."""
        if self._paused is None:
            step.callback(*step.args)
        else:
            self._paused.append(step)

    def pause(self) -> None:
        """Stop it as SIGSTOP does: its clock goes on, its timers wait."""
        self._paused = [] if self._paused is None else self._paused

    def go_on(self) -> None:
        """Let it do all that has come due meanwhile."""
        paused, self._paused = self._paused or [], None
        for step in paused:
            asyncio.get_running_loop().call_soon(step, context=step.context)

    def kill(self) -> None:
        """End it as SIGKILL does: what its tasks do about that reaches nobody."""
        self.go_on()
        self.alive = False
        dying = sorted(self._tasks, key=lambda one: one.get_name())
        self._kept += dying
        for task in dying:
            task.cancel()

    @staticmethod
    async def check() -> None:
        """Go no further in a process that was killed: what it sends is never sent."""
        process = _running_in.get()
        if process is not None and not process.alive:
            await asyncio.get_running_loop().create_future()

    @staticmethod
    def is_dead() -> bool:
        """Whether the running task's process was killed."""
        process = _running_in.get()
        return process is not None and not process.alive


def _make_task(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    task = asyncio.Task(work, loop=loop, **options)
    context = options.get("context")
    process = context.get(_running_in) if context is not None else _running_in.get()
    if process is not None:
        process.add(task)
    return task
