"""An image's manifest and configuration, read from bytes.

Source: OCI Image Format Specification 1.1 (image index, manifest, configuration) and Docker's
"Image Manifest Version 2, Schema 2", which differs in the names of its types only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pilotlight.resources.image import MOST_PARTS

__all__ = ["MANIFEST_TYPES", "ImageDescription", "InvalidImageError", "config_digest", "platform"]

_INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    *_INDEX_TYPES,
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""What a registry is asked for."""
MOST_BYTES = 1 << 16
"""Of all that an image says of how it is started: it goes into resources."""
_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
"""Lambda's names, and images'."""

Json = dict[str, Any]


class InvalidImageError(Exception):
    """What a registry has under the name is no image that could run."""


@dataclass(frozen=True, slots=True)
class ImageDescription:
    """What an image says of itself."""

    digest: str
    """Of what the reference means: an index, where the image is for several platforms."""
    entry_point: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, digest: str, body: bytes, architecture: str) -> ImageDescription:
        """Read a configuration; raises InvalidImageError, also where it is of another platform."""
        document = _document(body, "configuration")
        found, wanted = document.get("architecture"), _ARCHITECTURES[architecture]
        if found != wanted:
            raise InvalidImageError(f"it is for {found}, and the function's architecture {wanted}")
        config = document.get("config") or {}
        if not isinstance(config, dict):
            raise InvalidImageError("config of its configuration is no object")
        texts = [_texts(config, name) for name in ("Entrypoint", "Cmd", "Env")]
        _check_size(texts)
        entry_point, command, environment = texts
        pairs = (entry.partition("=") for entry in environment)
        return cls(digest, entry_point, command, {name: value for name, _, value in pairs})


def platform(body: bytes, architecture: str) -> str | None:
    """Return the digest of the manifest for a platform where `body` is an index, else None.

    Raises InvalidImageError.
    """
    document = _document(body, "manifest")
    if "manifests" not in document:
        return None
    wanted = {"os": "linux", "architecture": _ARCHITECTURES[architecture]}
    entries = document["manifests"]
    for entry in entries if isinstance(entries, list) else []:
        of = entry.get("platform") if isinstance(entry, dict) else None
        if isinstance(of, dict) and all(of.get(name) == value for name, value in wanted.items()):
            return str(entry.get("digest"))
    raise InvalidImageError(f"it is not for linux/{wanted['architecture']}")


def config_digest(body: bytes) -> str:
    """Return where a manifest's configuration is; raises InvalidImageError."""
    config = _document(body, "manifest").get("config")
    digest = config.get("digest") if isinstance(config, dict) else None
    if not isinstance(digest, str):
        raise InvalidImageError("its manifest names no configuration")
    return digest


def _check_size(texts: list[list[str]]) -> None:
    """Refuse what would not go into a resource, or what no process can be started with."""
    parts = [part for some in texts for part in some]
    size = sum(len(part.encode("utf-8", "surrogatepass")) for part in parts)
    if len(parts) > MOST_PARTS or size > MOST_BYTES:
        raise InvalidImageError(
            f"ENTRYPOINT, CMD and ENV have more than {MOST_PARTS} parts or {MOST_BYTES} bytes"
        )
    if any("\0" in part for part in parts):
        raise InvalidImageError("ENTRYPOINT, CMD or ENV holds a NUL")


def _document(body: bytes, what: str) -> Json:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidImageError(f"its {what} is no JSON") from error
    if not isinstance(document, dict):
        raise InvalidImageError(f"its {what} is no JSON object")
    return document


def _texts(config: Json, name: str) -> list[str]:
    values = config.get(name) or []
    if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        raise InvalidImageError(f"{name} of its configuration is no list of texts")
    return values
