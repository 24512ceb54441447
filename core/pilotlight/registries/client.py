"""Asks a registry what an image is: its digest, and how it wants to be started.

What tenants name is asked for by the platform, so each address is judged as its socket is made
(`pilotlight.public_addresses`), redirects to where blobs are kept included; an admin lists the
registries of private networks. Source: OCI Distribution Specification 1.1; Docker's "Token
Authentication Specification".
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import aiohttp

from pilotlight.errors import PilotlightError
from pilotlight.public_addresses import connector

from .image import MANIFEST_TYPES, ImageDescription, InvalidImageError, config_digest, platform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .reference import Reference

__all__ = ["Registries", "RegistryError", "RegistryUnreachableError"]

SECONDS = 10.0
"""For one answer."""
LARGEST_DOCUMENT = 4 << 20
"""Bytes: what registries take at most as a manifest."""
LARGEST_TOKEN = 1 << 16
"""Bytes of the answer that has a token."""
_OK, _UNAUTHORISED, _FORBIDDEN, _MISSING = 200, 401, 403, 404
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class RegistryError(PilotlightError):
    """A registry does not say what an image is; `state_code` is Lambda's StateReasonCode."""

    code = "ImageUnreadable"
    status = 400

    def __init__(self, message: str, state_code: str) -> None:
        super().__init__(message)
        self.state_code = state_code


class RegistryUnreachableError(RegistryError):
    """No registry answers, so that only nodes may know the image."""


class Registries:
    """All registries; `private` lists those in private networks, `http://…` those without TLS."""

    def __init__(self, private: Iterable[str] = ()) -> None:
        named = [entry.rpartition("://") for entry in private]
        self._private = {host: scheme or "https" for scheme, _, host in named}

    async def describe(
        self, reference: Reference, architecture: str, keys: str | None
    ) -> ImageDescription:
        """Ask what an image is, with `keys` as `Authorization`; raises RegistryError."""
        scheme = self._private.get(reference.host)
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        try:
            async with aiohttp.ClientSession(
                connector=connector(private=scheme is not None), timeout=timeout
            ) as session:
                asking = _Asking(session, f"{scheme or 'https'}://{reference.host}", keys)
                return await asking.describe(reference, architecture)
        except InvalidImageError as error:
            message = f"image {reference} cannot run: {error}"
            raise RegistryError(message, "InvalidImage") from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            where = "" if scheme else " on the public internet"
            message = f"registry {reference.host} of image {reference} cannot be reached{where}"
            raise RegistryUnreachableError(message, "ImageAccessDenied") from error


class _Asking:
    """One image's questions to its registry."""

    def __init__(self, session: aiohttp.ClientSession, url: str, keys: str | None) -> None:
        self._session = session
        self._url = url
        self._keys = {} if keys is None else {"Authorization": keys}
        self._headers = self._keys
        """What is sent with each question: keys, once a registry wants one a token instead."""
        self._has_token = False

    async def describe(self, reference: Reference, architecture: str) -> ImageDescription:
        body = await self._manifest(reference, reference.version)
        digest = _digest(body)
        if (own := platform(body, architecture)) is not None:
            body = await self._manifest(reference, own)
        blob = config_digest(body)
        config = await self._get(reference, f"blobs/{blob}")
        if _digest(config) != blob:
            raise InvalidImageError("its configuration is not what its manifest names")
        return ImageDescription.read(digest, config, architecture)

    async def _manifest(self, reference: Reference, version: str) -> bytes:
        body = await self._get(reference, f"manifests/{version}")
        if ":" in version and _digest(body) != version:
            raise InvalidImageError(f"its manifest is not {version}")
        return body

    async def _get(self, reference: Reference, rest: str) -> bytes:
        url = f"{self._url}/v2/{reference.repository}/{rest}"
        headers = {"Accept": ", ".join(MANIFEST_TYPES)}
        async with self._session.get(url, headers=headers | self._headers) as answer:
            if answer.status == _OK:
                return await _read(answer)
            challenge = answer.headers.get("WWW-Authenticate", "")
            status = answer.status
        if status == _UNAUTHORISED and challenge.startswith("Bearer ") and not self._has_token:
            await self._authenticate(dict(_CHALLENGE.findall(challenge)))
            return await self._get(reference, rest)
        raise _refused(reference, status)

    async def _authenticate(self, challenge: dict[str, str]) -> None:
        """Get a token where the registry says that it is to be had."""
        query = {name: value for name, value in challenge.items() if name in {"service", "scope"}}
        async with self._session.get(
            challenge.get("realm", ""), params=query, headers=self._keys
        ) as answer:
            said = await _read(answer, LARGEST_TOKEN) if answer.status == _OK else b"{}"
        self._headers = {"Authorization": f"Bearer {_token(said)}"}
        self._has_token = True


async def _read(answer: aiohttp.ClientResponse, most: int = LARGEST_DOCUMENT) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > most:
            raise InvalidImageError(f"its registry sends more than {most} bytes of it")
    return bytes(body)


def _token(body: bytes) -> str:
    try:
        document: Any = json.loads(body)
        token = document.get("token") or document.get("access_token") or ""
    except (ValueError, RecursionError, AttributeError):
        token = None
    if not isinstance(token, str):
        raise InvalidImageError("its registry's token is no text in a JSON object")
    return token


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _refused(reference: Reference, status: int) -> RegistryError:
    if status == _MISSING:
        message = f"Source image {reference} does not exist. Provide a valid source image."
        return RegistryError(message, "InvalidImage")
    if status in {_UNAUTHORISED, _FORBIDDEN}:
        message = f"the registry does not let image {reference} be read (status {status})"
        return RegistryError(message, "ImageAccessDenied")
    message = f"registry {reference.host} answers with status {status} for image {reference}"
    return RegistryError(message, "ImageAccessDenied")
