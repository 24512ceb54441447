"""The platform's own endpoints under `/-/`: artifacts, resources and logs.

They speak resources, where the Lambda API speaks configurations (`functions`); `apply`, `describe`,
`logs` and `delete` are made of them, and so is what `pilotlight dev` does with its manifests.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pilotlight.resources import EventSourceMapping, Function, Schedule

from .client import MISSING, ApiError
from .failures import TIMED_OUT, Failure

if TYPE_CHECKING:
    from pilotlight.resources import Resource

    from .client import Client
    from .manifests import Manifest

__all__ = ["Applied", "Description", "Platform"]

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Description:
    """A function as it is stored, and how it stands at the gateway that was asked."""

    function: Function
    environments: dict[str, int]
    """How many in which state."""
    versions: list[dict[str, Any]] = field(default_factory=list)
    aliases: list[dict[str, Any]] = field(default_factory=list)
    cold_start: dict[str, Any] = field(default_factory=dict)
    """Where the last environment came from, and the seconds of each phase."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a manifest."""

    manifest: Manifest
    stored: dict[str, Any]
    outcome: Literal["created", "configured", "unchanged", "applied"]
    """`applied` where the gateway does not tell what was there before."""

    @property
    def title(self) -> str:
        """Name the resource as kubectl does."""
        resource = self.manifest.resource
        return f"{resource.kind_name.lower()}/{resource.metadata.name}"


class Platform:
    """What the gateway offers beside Lambda's API."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def apply(self, manifest: Manifest) -> Applied:
        """Upload a manifest's package, if it has one, and store its resource; raises ApiError."""
        if manifest.package is not None:
            sha256, content = manifest.package.sha256, manifest.package.content
            self._client.request("PUT", f"/-/artifacts/{sha256}", body=content)
        before = self._version(manifest.resource)
        stored = self._client.request_json("POST", "/-/apply", manifest.document)
        if not isinstance(manifest.resource, Function):
            return Applied(manifest, stored, "applied")
        if before is None:
            return Applied(manifest, stored, "created")
        changed = stored["metadata"]["generation"] != before
        return Applied(manifest, stored, "configured" if changed else "unchanged")

    def describe(self, name: str) -> Description:
        """Read a function as it is stored; raises ApiError."""
        answer = self._client.request_json("GET", f"/-/functions/{name}")
        environments = answer.pop("environments", {})
        versions, aliases = answer.pop("versions", []), answer.pop("aliases", [])
        cold_start = answer.pop("coldStart", {})
        function = Function.model_validate(answer)
        return Description(function, environments, versions, aliases, cold_start)

    def settle(self, name: str, generation: int, *, seconds: float) -> Function:
        """Wait until that generation of a function is served, or cannot be.

        Raises Failure: 4 with the reason where it cannot be, 5 where the time ran out.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            function = self.describe(name).function
            ready = function.status.condition("Ready")
            if ready and ready.observed_generation >= generation and ready.status != "Unknown":
                if ready.status == "True":
                    return function
                raise Failure(f"{name} is not ready: {ready.reason}: {ready.message}")
            time.sleep(POLL_SECONDS)
        raise Failure(
            f"{name} was not ready in {seconds:g} s; ask `pilotlight describe`", TIMED_OUT
        )

    def delete(self, plural: str, name: str) -> None:
        """Delete a resource, `plural` saying of which kind; raises ApiError."""
        self._client.request("DELETE", f"/-/{plural}/{name}")

    def schedules(self) -> list[Schedule]:
        """Read all schedules of the account, by name."""
        answer = self._client.request_json("GET", "/-/schedules")
        return [Schedule.model_validate(one) for one in answer["items"]]

    def schedule(self, name: str) -> Schedule:
        """Read a schedule; raises ApiError."""
        return Schedule.model_validate(self._client.request_json("GET", f"/-/schedules/{name}"))

    def mappings(self) -> list[EventSourceMapping]:
        """Read all event source mappings of the account, by name."""
        answer = self._client.request_json("GET", "/-/eventsourcemappings")
        return [EventSourceMapping.model_validate(one) for one in answer["items"]]

    def mapping(self, name: str) -> EventSourceMapping:
        """Read an event source mapping; raises ApiError."""
        found = self._client.request_json("GET", f"/-/eventsourcemappings/{name}")
        return EventSourceMapping.model_validate(found)

    def shards(self, name: str) -> list[dict[str, Any]]:
        """Read how far the shards of a mapping's stream are read; none where it has none."""
        answer = self._client.request_json("GET", f"/-/eventsourcemappings/{name}/shards")
        shards: list[dict[str, Any]] = answer["shards"]
        return shards

    def backlog(self, name: str) -> dict[str, Any]:
        """Read how much waits in a mapping's source: `waiting`, `inFlight`, or its `problem`."""
        path = f"/-/eventsourcemappings/{name}/backlog"
        answer: dict[str, Any] = self._client.request_json("GET", path)
        return answer

    def reset_mapping(self, name: str, position: str) -> dict[str, Any]:
        """Have a mapping's stream read anew; raises ApiError."""
        path = f"/-/eventsourcemappings/{name}/reset"
        answer: dict[str, Any] = self._client.request_json("POST", path, position=position)
        return answer

    def logs(self, name: str, **query: str | float | None) -> list[dict[str, Any]]:
        """Read log lines: `since` (epoch seconds), `request_id`, `after_id`, `limit`."""
        answer = self._client.request_json("GET", "/-/logs", function=name, **query)
        lines: list[dict[str, Any]] = answer["lines"]
        return lines

    def _version(self, resource: Resource) -> int | None:
        """Say which generation of a function is there before it is applied."""
        if not isinstance(resource, Function):
            return None
        try:
            return self.describe(resource.function_name).function.metadata.generation
        except ApiError as error:
            if error.status != MISSING:
                raise
            return None
