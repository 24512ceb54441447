"""Talks to agents on the cold path: specialises a pod, and asks it to drain.

Invocations go from the gateway to the agent directly (`pilotlight_gateway.dispatch`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from pilotlight.agent_protocol import Specialisation, Specialised, pod_token
from pilotlight.errors import StartFailedError

if TYPE_CHECKING:
    from pilotlight.compute import Pod

__all__ = ["Agents"]


class Agents:
    """A client of every pod's agent."""

    def __init__(self, platform_key: bytes) -> None:
        self._platform_key = platform_key
        self._session: aiohttp.ClientSession | None = None

    async def specialise(
        self, pod: Pod, specialisation: Specialisation, *, seconds: float
    ) -> Specialised:
        """Give a generic pod its revision; raises StartFailedError with the agent's reason."""
        try:
            return await self._post(pod, specialisation, seconds)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise StartFailedError(
                f"the agent of pod {pod.name} did not answer: {error or type(error).__name__}",
                reason="InternalError",
            ) from error

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, pod: Pod, specialisation: Specialisation, seconds: float) -> Specialised:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        async with self._session.post(
            f"http://{pod.host}:{pod.port}/v1/specialise",
            json=specialisation.to_json(),
            headers={"Authorization": f"Bearer {pod_token(self._platform_key, pod.name)}"},
            timeout=aiohttp.ClientTimeout(total=seconds),
        ) as response:
            answer = await response.json()
            if response.status == 200:  # noqa: PLR2004  HTTP's own number
                return Specialised.model_validate(answer)
            raise StartFailedError(
                answer.get("message", "no reason given"),
                reason=answer.get("code", "InternalError"),
            )
