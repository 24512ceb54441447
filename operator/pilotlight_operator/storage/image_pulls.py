"""Has a node pull a function's image before anybody calls it, as Lambda does while it is Pending.

A pod of the function starts the agent in the image, which ends at once: so what a kubelet says of
the image is known when the function changes, it lies on a node, and a digest may come of it where
no registry told one. `services.images` asks for it.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from pilotlight.errors import NotFoundError, PilotlightError, PodLostError, StartFailedError
from pilotlight.registries import Reference
from pilotlight.resources import IMAGE_RUNTIME, Key, Runtime

from ..manifests.image_pull import LONGEST_PULL_SECONDS, pull_manifest
from .pod_state import failure, no_room, why_waiting

if TYPE_CHECKING:
    from pilotlight.resources import Function
    from pilotlight.storage import ResourceStore
    from pilotlight.storage.kubernetes.api import Json, KubernetesApi

__all__ = ["ImagePulls"]

PULL_SECONDS = LONGEST_PULL_SECONDS - 10.0
"""Before the pod's own deadline, which would say nothing of what the pod waits for."""
LOOK_SECONDS = 0.5


class ImagePulls:
    """Pods that pull images."""

    def __init__(self, api: KubernetesApi, resources: ResourceStore, pull_secret: str = "") -> None:
        self._api = api
        self._resources = resources
        self._pull_secret = pull_secret

    async def pull(self, function: Function, image: str) -> str | None:
        """Pull an image; returns its digest, where its node knows one.

        Raises StartFailedError with Lambda's reason, NotFoundError where nothing here runs images,
        and what the API server says to a pod: UnavailableError, QuotaExceededError and their kin.
        """
        runtime = await self._resources.get(Runtime, Key("", IMAGE_RUNTIME))
        name = f"{function.metadata.name[:48].rstrip('-.')}-pull-{secrets.token_hex(5)}"
        body = pull_manifest(name, function, image, runtime.spec, self._pull_secret)
        pods = f"/api/v1/namespaces/{function.metadata.namespace}/pods"
        path = f"{pods}/{name}"
        try:
            # In here, for it may be there though no answer came.
            await self._api.request("POST", pods, body=body)
            return _digest(image, await self._identity(image, path))
        finally:
            with suppress(PilotlightError):  # it goes with the function, if not now
                await self._api.request("DELETE", path, query={"gracePeriodSeconds": "0"})

    async def _identity(self, image: str, path: str) -> str:
        """Wait for a pod's end; returns its container's imageID. Raises StartFailedError."""
        clock = asyncio.get_running_loop()
        until = clock.time() + PULL_SECONDS
        while True:
            pod = await self._pod(path)
            for status in pod.get("status", {}).get("containerStatuses", []):
                # Its container's end is told before its own.
                if status.get("state", {}).get("terminated", {}).get("exitCode") == 0:
                    return str(status.get("imageID", ""))
            if (error := failure(pod)) is not None:
                raise error
            if clock.time() >= until:
                raise _late(image, pod)
            await asyncio.sleep(LOOK_SECONDS)

    async def _pod(self, path: str) -> Json:
        try:
            return await self._api.request("GET", path)
        except NotFoundError as error:
            said = "the pod that was to pull the image is gone; it is tried again"
            raise PodLostError(said, reason="InternalError") from error


def _late(image: str, pod: Json) -> StartFailedError:
    """Return what a pod still waits for; that no node has room says nothing of its image."""
    waits = f"image {image} was not pulled within {PULL_SECONDS:.0f} s: {why_waiting(pod)}"
    reason = "ImageAccessDenied" if no_room(pod) is None else "InternalError"
    return StartFailedError(waits, reason=reason)


def _digest(image: str, identity: str) -> str | None:
    """Return the digest that an image was pulled by; one that was loaded onto a node has none.

    A node that has the same image by two names may tell the other one's, where it is no digest of
    this one's repository.
    """
    wanted, found = Reference.parse(image), Reference.parse(identity)
    same = (wanted.registry, wanted.repository) == (found.registry, found.repository)
    return found.version if same and "@" in identity else None
