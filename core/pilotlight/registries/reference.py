"""Names of images, as containers' tools read them.

Source: github.com/distribution/reference: what stands before the first slash is a registry's host
where it has a dot or a port, or is `localhost`; else the registry is Docker's.
"""

from __future__ import annotations

from dataclasses import dataclass

from pilotlight.resources.image import split_reference

__all__ = ["Reference"]

DOCKER = "docker.io"
DOCKERS_HOST = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Reference:
    """An image in a registry."""

    registry: str
    """As it is named, and as keys for it are kept."""
    repository: str
    version: str
    """A tag, or a digest."""

    @classmethod
    def parse(cls, uri: str) -> Reference:
        """Read REGISTRY/REPOSITORY:TAG@DIGEST; a digest goes before a tag."""
        name, tag, digest = split_reference(uri)
        registry, repository = _split(name)
        return cls(registry, repository, digest or tag or "latest")

    @property
    def host(self) -> str:
        """Where the registry answers."""
        return DOCKERS_HOST if self.registry == DOCKER else self.registry

    def __str__(self) -> str:
        separator = "@" if ":" in self.version else ":"
        return f"{self.registry}/{self.repository}{separator}{self.version}"


def _split(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return first, f"library/{rest}" if first == DOCKER and "/" not in rest else rest
    return DOCKER, name if slash else f"library/{name}"
