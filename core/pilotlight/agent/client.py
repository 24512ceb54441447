"""Talks to agents on the cold path: specialises a pod, and asks it to drain.

Invocations go from the gateway to the agent directly (`pilotlight_gateway.invocation.dispatch`).
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp

from pilotlight.errors import StartFailedError

from .artifact_host import ArtifactHost
from .protocol import EnvironmentState, Specialisation, Specialised, pod_token

if TYPE_CHECKING:
    from pilotlight.compute import Pod

__all__ = ["Agents"]

LOOK_SECONDS = 0.02
"""Between two looks at an environment that initialises before anyone asked for it."""


class Agents:
    """A client of every pod's agent."""

    def __init__(self, platform_key: bytes) -> None:
        self._platform_key = platform_key
        self._artifact_host = ArtifactHost()
        self._session: aiohttp.ClientSession | None = None

    async def specialise(
        self, pod: Pod, specialisation: Specialisation, *, seconds: float
    ) -> Specialised:
        """Give a generic pod its revision; raises StartFailedError with the agent's reason."""
        document = await self._with_address(specialisation)
        answer = await self._ask("POST", pod, "/v1/specialise", document, seconds=seconds)
        return Specialised.model_validate(answer)

    async def fork(self, pod: Pod, *, seconds: float) -> EnvironmentState:
        """Start one more environment in a specialised pod; raises StartFailedError."""
        answer = await self._ask("POST", pod, "/v1/environments", {"count": 1}, seconds=seconds)
        return Specialised.model_validate(answer).environments[0]

    async def wait_until_initialised(self, pod: Pod, environment: str, *, seconds: float) -> None:
        """Wait for an environment's init phase; raises StartFailedError where it failed."""
        until = time.monotonic() + seconds
        found = await self._look(pod, environment, seconds)
        while found.state == "starting" and time.monotonic() < until:
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
            await self._ask("GET", pod, "/v1/settled", seconds=seconds)

    async def is_generic(self, pod: Pod, *, seconds: float) -> bool:
        """Tell whether a pod has never had a function; what does not answer is not to be had."""
        try:
            answer = await self._ask("GET", pod, "/v1/status", seconds=seconds)
        except StartFailedError:
            return False
        return answer.get("revision") == "" and not answer.get("draining")

    async def _look(self, pod: Pod, environment: str, seconds: float) -> EnvironmentState:
        answer = await self._ask("GET", pod, "/v1/status", seconds=seconds)
        states = Specialised.model_validate(answer).environments
        ended = EnvironmentState(id=environment, state="ended")
        return next((one for one in states if one.id == environment), ended)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _with_address(self, specialisation: Specialisation) -> dict[str, Any]:
        document = specialisation.to_json()
        document["code"]["url"] = await self._artifact_host.reachable(specialisation.code.url)
        return document

    async def _ask(
        self, method: str, pod: Pod, path: str, body: object = None, *, seconds: float
    ) -> dict[str, Any]:
        try:
            return await self._request(method, pod, path, body, seconds)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise StartFailedError(
                f"the agent of pod {pod.name} did not answer: {error or type(error).__name__}",
                reason="InternalError",
            ) from error

    async def _request(
        self, method: str, pod: Pod, path: str, body: object, seconds: float
    ) -> dict[str, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        async with self._session.request(
            method,
            f"http://{pod.host}:{pod.port}{path}",
            json=body,
            headers={"Authorization": f"Bearer {pod_token(self._platform_key, pod.name)}"},
            timeout=aiohttp.ClientTimeout(total=seconds),
        ) as response:
            answer: dict[str, Any] = await response.json()
            if response.status == 200:  # noqa: PLR2004  HTTP's own number
                return answer
            raise StartFailedError(
                answer.get("message", "no reason given"),
                reason=answer.get("code", "InternalError"),
            )
