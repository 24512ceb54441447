"""Says what functions' images are, as registries do on a cluster: a tool of this machine knows.

What it has goes before what a registry has; nothing here asks one. `services.images` pins it.
"""

from __future__ import annotations

import json
import platform
import re
from typing import TYPE_CHECKING

from pilotlight.errors import StartFailedError
from pilotlight.registries import ImageDescription, RegistryError
from pilotlight.registries.image import InvalidImageError
from pilotlight_operator.services.images import ImageError, ImagesUnsupportedError

from .engine import EngineError, ImageMissingError
from .engines import NoEngineError

if TYPE_CHECKING:
    from pilotlight.resources import Function

    from .agent_bundle import AgentBundle
    from .engines import Engines, Held

__all__ = ["LocalImages"]

_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
"""Machines', and Lambda's names of them."""
_MISSING = re.compile("manifest unknown|not found|name unknown|did not resolve", re.IGNORECASE)
_REFUSED = re.compile("denied|unauthorized|forbidden|login", re.IGNORECASE)


class LocalImages:
    """The images that tools of this machine have, or can fetch; `bundle` is what runs in them."""

    def __init__(self, engines: Engines, bundle: AgentBundle) -> None:
        self._engines = engines
        self._bundle = bundle

    async def describe(self, function: Function, uri: str) -> ImageDescription:
        """Say what an image is, once it is here; raises RegistryError and ImageError."""
        try:
            _check_architecture(function.spec.architecture)
            held = await self._engines.find(uri) or await self._pull(uri)
            # Before somebody calls, and waits.
            await self._bundle.find()
            return _description(held, function.spec.architecture)
        except NoEngineError as error:
            raise ImagesUnsupportedError(f"code.image: {error}") from error
        except InvalidImageError as error:
            raise RegistryError(f"image {uri} cannot run: {error}", "InvalidImage") from error
        except (EngineError, StartFailedError) as error:
            raise ImageError(f"image {uri}: {error}", "InternalError") from error

    async def _pull(self, uri: str) -> Held:
        try:
            return await self._engines.pull(uri)
        except EngineError as error:
            raise _refusal(uri, error) from error


def _check_architecture(wanted: str) -> None:
    """Refuse what this machine's processor does not run: the agent in the image is its own."""
    own = _ARCHITECTURES.get(platform.machine(), platform.machine())
    if wanted != own:
        raise InvalidImageError(f"the function's architecture is {wanted}, this machine's {own}")


def _description(held: Held, architecture: str) -> ImageDescription:
    body = json.dumps(dict(held.image.document)).encode()
    return ImageDescription.read(held.image.digest, body, architecture)


def _refusal(uri: str, error: EngineError) -> RegistryError:
    """Tell an image that is nowhere from one that cannot be had, by what a tool said of it."""
    said = str(error)
    missing = _MISSING.search(said) and not _REFUSED.search(said)
    if missing or isinstance(error, ImageMissingError):
        message = f"Source image {uri} does not exist. Provide a valid source image. ({said})"
        return RegistryError(message, "InvalidImage")
    return RegistryError(f"image {uri} cannot be pulled: {said}", "ImageAccessDenied")
