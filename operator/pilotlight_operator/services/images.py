"""Finds out what a function's image is, as `packages` does of a package, and has a node pull it.

A registry is asked once, and what a tag meant then is pinned: pods are made of that digest until
the function names another image. Where no registry answers, a node may have the image even so; it
then takes `imageConfig.entryPoint`, for only a registry says how an image is started. Both take
longer than a reconcile may: what is not known at once is `PULLING`, and asked for again.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import TYPE_CHECKING, Literal, Protocol

from pilotlight.errors import NotFoundError, PilotlightError, StartFailedError
from pilotlight.registries import Reference, RegistryError, RegistryUnreachableError
from pilotlight.registries.keys import DOCKER_CONFIG, find_keys
from pilotlight.resources import Image, ImageConfig, Key, PinnedImage, Secret
from pilotlight_wire.protocol import LOADER_VARIABLES

if TYPE_CHECKING:
    from pilotlight.cache import Cache
    from pilotlight.registries import Registries
    from pilotlight.resources import Function

__all__ = ["PULLING", "FindsImages", "FoundImage", "ImageError", "Images", "NodePulls"]

WAIT_SECONDS = 5.0
"""How long one reconcile waits for an image before it lets others have their turn."""


class _Pulling(Enum):
    PULLING = auto()


PULLING = _Pulling.PULLING
"""An image of which nothing is known yet."""


class ImageError(PilotlightError):
    """An image cannot be run; `state_code` is Lambda's StateReasonCode."""

    code = "ImageUnusable"
    status = 400

    def __init__(self, message: str, state_code: str) -> None:
        super().__init__(message)
        self.state_code = state_code


FoundImage = Image | ImageError | Literal[_Pulling.PULLING]


class NodePulls(Protocol):
    """Has a node pull an image."""

    async def pull(self, function: Function, image: str) -> str | None:
        """Return the image's digest where the node knows one; raises PilotlightError."""
        ...


class FindsImages(Protocol):
    """Finds out what functions' images are."""

    async def find(self, function: Function) -> FoundImage | None:
        """Return a function's image, what is wrong with it, or None where it has none."""
        ...


class Images:
    """The images of all functions; `pull_secret` names the Secret of each namespace with keys."""

    def __init__(
        self, cache: Cache, registries: Registries, pulls: NodePulls, pull_secret: str = ""
    ) -> None:
        self._cache = cache
        self._registries = registries
        self._pulls = pulls
        self._pull_secret = pull_secret
        self._looking: dict[tuple[Key, str], asyncio.Task[Image]] = {}

    async def find(self, function: Function) -> FoundImage | None:
        """Return a function's image, what is wrong with it, or None where it has none."""
        code = function.spec.code
        if code.image is None:
            return None
        config = function.spec.image_config or ImageConfig()
        served, is_asked = function.status.configuration, _is_asked(function)
        if is_asked and served and served.image and served.image.uri == code.image:
            return served.image.model_copy(update={"config": config})
        wanted = Image(uri=code.image, config=config, refresh=code.image_refresh)
        # What was asked with another configuration may have failed for it.
        key = function.key, wanted.model_dump_json()
        if key not in self._looking:
            self._looking[key] = asyncio.create_task(self._look(function, wanted))
        await asyncio.wait([self._looking[key]], timeout=WAIT_SECONDS)
        return self._result(key)

    def _result(self, key: tuple[Key, str]) -> FoundImage:
        if not self._looking[key].done():
            return PULLING
        try:
            return self._looking.pop(key).result()
        except ImageError as error:
            return error

    async def _look(self, function: Function, wanted: Image) -> Image:
        pinned = await self._ask_or_trust(function, wanted)
        image = _pin(wanted, pinned)
        if not (image.entry_point or image.command):
            expected = "imageConfig.entryPoint is expected"
            said = f"image {image.uri} has neither ENTRYPOINT nor CMD: {expected}"
            raise ImageError(said, "InvalidImage")
        digest = await self._pull(function, image.reference)
        if pinned is None and digest is not None:
            return _pin(image, PinnedImage(digest=digest))
        return image

    async def _pull(self, function: Function, reference: str) -> str | None:
        """Have a node pull an image; whatever is in the way is told as the function's state."""
        try:
            return await self._pulls.pull(function, reference)
        except StartFailedError as error:
            raise ImageError(str(error), error.reason) from error
        except PilotlightError as error:
            raise ImageError(str(error), "InternalError") from error

    async def _ask_or_trust(self, function: Function, wanted: Image) -> PinnedImage | None:
        """Ask a registry; None where none answers, and the function says how the image starts."""
        try:
            return await self._ask(function, wanted.uri)
        except RegistryUnreachableError as error:
            if wanted.entry_point or wanted.command:
                return None
            said = f"{error}; where nodes have it, imageConfig.entryPoint says how it starts"
            raise ImageError(said, error.state_code) from error
        except RegistryError as error:
            raise ImageError(str(error), error.state_code) from error

    async def _ask(self, function: Function, uri: str) -> PinnedImage:
        reference = Reference.parse(uri)
        keys = await self._keys(function.metadata.namespace, reference)
        found = await self._registries.describe(reference, function.spec.architecture, keys)
        own = found.environment
        return PinnedImage(
            digest=found.digest,
            entry_point=found.entry_point,
            command=found.command,
            loader_variables={name: own[name] for name in LOADER_VARIABLES if name in own},
        )

    async def _keys(self, namespace: str, reference: Reference) -> str | None:
        if not self._pull_secret:
            return None
        try:
            secret = await self._cache.resources.get(Secret, Key(namespace, self._pull_secret))
            return find_keys(secret.string_data.get(DOCKER_CONFIG, "{}"), reference)
        except NotFoundError:
            return None
        except (ValueError, AttributeError, TypeError) as error:
            message = f"Secret {self._pull_secret!r} is no docker configuration: {error}"
            raise RegistryError(message, "ImageAccessDenied") from error

    async def close(self) -> None:
        """Look for nothing any more."""
        for task in self._looking.values():
            task.cancel()
        await asyncio.gather(*self._looking.values(), return_exceptions=True)


def _is_asked(function: Function) -> bool:
    """Whether what is served was asked for as the function wants it now."""
    return function.status.image_refresh == function.spec.code.image_refresh


def _pin(image: Image, pinned: PinnedImage | None) -> Image:
    """Return an image with what is known of it; a digest tells it from others well enough."""
    refresh = image.refresh if pinned is None else None
    return image.model_copy(update={"pinned": pinned, "refresh": refresh})
