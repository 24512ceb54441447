"""Finds out what a function's image is, as `packages` does of a package, and has a node pull it.

A registry is asked once, and what a tag meant then is pinned: pods are made of that digest until
the function names another image. Where no registry answers, a node may have the image even so; it
then takes `imageConfig.entryPoint`, for only a registry says how an image is started. Both take
longer than a reconcile may: what is not known at once is `PULLING`, and asked for again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Literal, Protocol

from pilotlight.errors import PilotlightError, StartFailedError
from pilotlight.registries import RegistryError, RegistryUnreachableError
from pilotlight.resources import Image, ImageConfig, PinnedImage
from pilotlight_wire.protocol import LOADER_VARIABLES

if TYPE_CHECKING:
    from pilotlight.registries import ImageDescription
    from pilotlight.resources import Function, Key

__all__ = [
    "PULLING",
    "DescribesImages",
    "FindsImages",
    "FoundImage",
    "ImageError",
    "Images",
    "ImagesUnsupportedError",
    "NodePulls",
]

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


class ImagesUnsupportedError(ImageError):
    """Nothing here runs images."""

    code = "ImagesUnsupported"

    def __init__(self, message: str) -> None:
        super().__init__(message, "InvalidConfiguration")


FoundImage = Image | ImageError | Literal[_Pulling.PULLING]


class DescribesImages(Protocol):
    """Says what images are."""

    async def describe(self, function: Function, uri: str) -> ImageDescription:
        """Ask what a function's image is; raises RegistryError and ImageError."""
        ...


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

    def forget(self, function: Key) -> None:
        """Look for a function's image no more, nor tell what was found."""
        ...


@dataclass(frozen=True, slots=True)
class _Search:
    """What is being found out for a function."""

    wanted: tuple[str | None, str, str]
    """Of which function, by its uid, for which architecture, and the image as JSON."""
    task: asyncio.Task[Image]


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found for a function."""

    uid: str | None
    architecture: str
    pinned: PinnedImage | None


class Images:
    """The images of all functions; without `pulls` whoever describes an image has it here."""

    def __init__(self, registries: DescribesImages, pulls: NodePulls | None = None) -> None:
        self._registries = registries
        self._pulls = pulls
        self._looking: dict[Key, _Search] = {}
        self._found: dict[Key, _Found] = {}
        """For which architectures images were looked for; an entry a function."""
        self._ending: set[asyncio.Task[Image]] = set()
        """Searches that nobody waits for any more: a node's pod is still to be deleted."""

    async def find(self, function: Function) -> FoundImage | None:
        """Return a function's image, what is wrong with it, or None where it has none."""
        code = function.spec.code
        if code.image is None:
            self._stop(function.key)
            return None
        config = function.spec.image_config or ImageConfig()
        served = _served(function, config)
        if served is not None and self._is_for(function, served):
            self._stop(function.key)
            return served
        wanted = Image(uri=code.image, config=config, refresh=code.image_refresh)
        search = self._search(function, wanted)
        await asyncio.wait([search.task], timeout=WAIT_SECONDS)
        return self._result(function.key, search)

    def forget(self, function: Key) -> None:
        """Look for a function's image no more, nor tell what was found."""
        self._found.pop(function, None)
        self._stop(function)

    def _stop(self, function: Key) -> None:
        search = self._looking.pop(function, None)
        if search is not None:
            search.task.cancel()
            self._ending.add(search.task)
            search.task.add_done_callback(self._ended)

    def _is_for(self, function: Function, served: Image) -> bool:
        """Say whether what is served was looked for as the function's architecture is now.

        No status tells of which it was: what another process found counts as of this one.
        """
        now = _Found(function.metadata.uid, function.spec.architecture, served.pinned)
        known = self._found.get(function.key)
        if known is None or known.uid != now.uid:
            self._found[function.key] = now
            return True
        return known == now

    def _ended(self, task: asyncio.Task[Image]) -> None:
        self._ending.discard(task)
        if not task.cancelled():
            task.exception()  # which asyncio would tell of otherwise

    def _search(self, function: Function, wanted: Image) -> _Search:
        """Return the search for what is wanted; one for anything else ends."""
        # What was asked with another configuration may have failed for it.
        key = function.metadata.uid, function.spec.architecture, wanted.model_dump_json()
        search = self._looking.get(function.key)
        if search is None or search.wanted != key:
            self._stop(function.key)
            search = _Search(key, asyncio.create_task(self._look(function, wanted)))
            self._looking[function.key] = search
        return search

    def _result(self, function: Key, search: _Search) -> FoundImage:
        if not search.task.done() or search.task.cancelled():
            return PULLING
        if self._looking.get(function) is search:
            del self._looking[function]
        try:
            image = search.task.result()
        except ImageError as error:
            return error
        uid, architecture, _ = search.wanted
        self._found[function] = _Found(uid, architecture, image.pinned)
        return image

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
        if self._pulls is None:
            return None
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
        found = await self._registries.describe(function, uri)
        own = found.environment
        return PinnedImage(
            digest=found.digest,
            entry_point=found.entry_point,
            command=found.command,
            loader_variables={name: own[name] for name in LOADER_VARIABLES if name in own},
        )

    async def close(self) -> None:
        """Look for nothing any more."""
        for function in list(self._looking):
            self._stop(function)
        await asyncio.gather(*self._ending, return_exceptions=True)


def _served(function: Function, config: ImageConfig) -> Image | None:
    """Return the served image with another configuration, if it is what the function asks for.

    And if it is known still how it starts: for one that only a node has, the configuration said so.
    """
    configuration, code = function.status.configuration, function.spec.code
    served = configuration.image if configuration else None
    if served is None or served.uri != code.image:
        return None
    if function.status.image_refresh != code.image_refresh:
        return None
    image = served.model_copy(update={"config": config})
    return image if image.entry_point or image.command else None


def _pin(image: Image, pinned: PinnedImage | None) -> Image:
    """Return an image with what is known of it; a digest tells it from others well enough."""
    refresh = image.refresh if pinned is None else None
    return image.model_copy(update={"pinned": pinned, "refresh": refresh})
