"""Asks registries what functions' images are, with the keys that their namespaces have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.errors import NotFoundError
from pilotlight.registries import Reference, RegistryError
from pilotlight.registries.keys import DOCKER_CONFIG, find_keys
from pilotlight.resources import Key, Secret

if TYPE_CHECKING:
    from pilotlight.cache import Cache
    from pilotlight.registries import ImageDescription, Registries
    from pilotlight.resources import Function

__all__ = ["ImageRegistries"]


class ImageRegistries:
    """The registries of images; `pull_secret` names the Secret of each namespace with keys."""

    def __init__(self, cache: Cache, registries: Registries, pull_secret: str = "") -> None:
        self._cache = cache
        self._registries = registries
        self._pull_secret = pull_secret

    async def describe(self, function: Function, uri: str) -> ImageDescription:
        """Ask what an image is; raises RegistryError."""
        reference = Reference.parse(uri)
        keys = await self._keys(function.metadata.namespace, reference)
        return await self._registries.describe(reference, function.spec.architecture, keys)

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
