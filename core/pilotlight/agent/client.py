"""What the autoscaler asks of agents, on the cold path: specialise a pod, fork, tell how it stands.

Each request has a connection of its own: a pod is asked two or three times in its life.
Invocations go from the gateway to the agent directly (`invoke`).
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from pilotlight.errors import ConnectionLostError, PodLostError, StartFailedError
from pilotlight_wire.message import InvalidMessageError, Message
from pilotlight_wire.protocol import Path, State
from pilotlight_wire.specialisation import (
    EnvironmentState,
    Fence,
    MoreEnvironments,
    PodState,
    Specialisation,
    Specialised,
)

from .artifact_host import ArtifactHost
from .connection import Request, ask
from .refusal import Refusal
from .token import pod_token

if TYPE_CHECKING:
    from pilotlight.compute import Pod

__all__ = ["Agents"]

LOOK_SECONDS = 0.02
"""Between two looks at an environment that initialises before anyone asked for it."""
_Answer = TypeVar("_Answer", bound=Message)


class Agents:
    """A client of every pod's agent."""

    def __init__(self, platform_key: bytes) -> None:
        self._platform_key = platform_key
        self._artifact_host = ArtifactHost()

    async def specialise(
        self, pod: Pod, specialisation: Specialisation, *, seconds: float
    ) -> Specialised:
        """Give a generic pod its revision; raises StartFailedError with the agent's reason."""
        if (code := specialisation.code) is not None:
            code = replace(code, url=await self._artifact_host.reachable(code.url))
        wanted = replace(specialisation, code=code)
        return await self._post(Specialised, Path.SPECIALISE, pod, wanted, seconds)

    async def fork(self, pod: Pod, *, seconds: float) -> EnvironmentState:
        """Start one more environment in a specialised pod; raises StartFailedError."""
        more = MoreEnvironments(count=1)
        started = await self._post(Specialised, Path.ENVIRONMENTS, pod, more, seconds)
        return started.environments[0]

    async def wait_until_initialised(self, pod: Pod, environment: str, *, seconds: float) -> None:
        """Wait for an environment's init phase; raises StartFailedError where it failed."""
        until = time.monotonic() + seconds
        found = await self._look(pod, environment, seconds)
        while found.state == State.STARTING and time.monotonic() < until:
            await asyncio.sleep(LOOK_SECONDS)
            found = await self._look(pod, environment, seconds)
        if not found.initialised:
            raise StartFailedError(
                f"an environment of pod {pod.name} did not initialise: it is {found.state}",
                reason="FunctionError",
            )

    async def settle(self, pod: Pod, *, seconds: float) -> None:
        """Wait until no environment of a pod initialises, for so long at most."""
        with suppress(StartFailedError):
            await self._ask("GET", Path.SETTLED, pod, b"", seconds)

    async def state(self, pod: Pod, *, seconds: float) -> PodState | None:
        """Tell how a pod stands; None where it does not say so in time."""
        try:
            return await self._state(pod, seconds)
        except StartFailedError:
            return None

    async def fence(self, pod: Pod, epoch: int, *, seconds: float) -> PodState | None:
        """Have leases of older epochs end; None where anything runs, or nobody answers in time.

        Agents of releases before this request refuse it.
        """
        try:
            return await self._post(PodState, Path.FENCE, pod, Fence(epoch=epoch), seconds)
        except StartFailedError:
            return None

    async def _look(self, pod: Pod, environment: str, seconds: float) -> EnvironmentState:
        states = (await self._state(pod, seconds)).environments
        ended = EnvironmentState(id=environment, state=State.ENDED)
        return next((one for one in states if one.id == environment), ended)

    async def _state(self, pod: Pod, seconds: float) -> PodState:
        return _parse(PodState, await self._ask("GET", Path.STATUS, pod, b"", seconds), pod)

    async def _post(
        self, kind: type[_Answer], path: Path, pod: Pod, message: Message, seconds: float
    ) -> _Answer:
        body = json.dumps(message.to_json()).encode()
        return _parse(kind, await self._ask("POST", path, pod, body, seconds), pod)

    async def _ask(self, method: str, path: Path, pod: Pod, body: bytes, seconds: float) -> bytes:
        request = Request(method, path, pod_token(self._platform_key, pod.name), body)
        try:
            async with asyncio.timeout(seconds):
                status, answer = await ask(pod.host, pod.port, request)
        except (OSError, TimeoutError, ConnectionLostError) as error:
            lost = StartFailedError if isinstance(error, TimeoutError) else PodLostError
            raise lost(
                f"the agent of pod {pod.name} did not answer: {error or type(error).__name__}",
                reason="InternalError",
            ) from error
        if status == HTTPStatus.OK:
            return answer
        refusal = Refusal.parse(status, answer)
        raise StartFailedError(refusal.message, reason=refusal.code)


def _parse(kind: type[_Answer], answer: bytes, pod: Pod) -> _Answer:
    try:
        return kind.parse(answer)
    except InvalidMessageError as error:
        raise StartFailedError(
            f"the agent of pod {pod.name} answered what nobody understands: {error}",
            reason="InternalError",
        ) from error
