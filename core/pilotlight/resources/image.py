"""A function that is a container image: what is asked for, and what is run of it.

`ImageConfig` is Lambda's (API reference, ImageConfig); a registry knows the rest, and
`pilotlight_operator.services.images` asks it.
"""

from __future__ import annotations

from pydantic import Field

from .meta import Model

__all__ = [
    "IMAGE_REFERENCE",
    "IMAGE_RUNTIME",
    "MOST_PARTS",
    "Image",
    "ImageConfig",
    "PinnedImage",
    "split_reference",
]

IMAGE_RUNTIME = "container-image"
"""Name of the `Runtime` whose agent runs beside what images bring; no function may name it."""
MOST_PARTS = 1_500
_PART = "[a-z0-9]+([._-]+[a-z0-9]+)*"
IMAGE_REFERENCE = (
    rf"^([a-zA-Z0-9.-]+(:[0-9]+)?/)?{_PART}(/{_PART})*"
    r"(:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$"
)
"""github.com/distribution/reference, without what only tools of containers allow."""
DIGEST = r"^sha256:[0-9a-f]{64}$"


class ImageConfig(Model):
    """What a function sets in place of its image's own configuration."""

    entry_point: list[str] | None = Field(
        default=None, max_length=MOST_PARTS, description="Instead of the image's ENTRYPOINT."
    )
    command: list[str] | None = Field(
        default=None, max_length=MOST_PARTS, description="Instead of the image's CMD."
    )
    working_directory: str | None = Field(
        default=None, max_length=1_000, description="Instead of the image's WORKDIR."
    )


class PinnedImage(Model):
    """What a registry said of an image when it was asked."""

    digest: str = Field(pattern=DIGEST, description="The manifest that the tag meant.")
    entry_point: list[str] = Field(default_factory=list, description="The image's ENTRYPOINT.")
    command: list[str] = Field(default_factory=list, description="The image's CMD.")
    loader_variables: dict[str, str] = Field(
        default_factory=dict,
        description="Variables of the image that the pod keeps from its agent.",
    )


class Image(Model):
    """The image that a revision runs."""

    uri: str = Field(description="As it was asked for.")
    config: ImageConfig = Field(
        default_factory=ImageConfig, description="What the function sets itself."
    )
    pinned: PinnedImage | None = Field(
        default=None, description="What a registry said; absent where none did."
    )
    refresh: str | None = Field(
        default=None, description="Tells one that nobody pinned from what had its name before."
    )

    @property
    def reference(self) -> str:
        """What a pod is made of: the same bytes for ever, where a registry has named them."""
        if self.pinned is None:
            return self.uri
        name, _, _ = split_reference(self.uri)
        return f"{name}@{self.pinned.digest}"

    @property
    def sha256(self) -> str:
        """The digest in hex; empty where nobody knows it."""
        return self.pinned.digest.partition(":")[2] if self.pinned else ""

    @property
    def entry_point(self) -> list[str]:
        """What is started."""
        own = self.pinned.entry_point if self.pinned else []
        return own if self.config.entry_point is None else self.config.entry_point

    @property
    def command(self) -> list[str]:
        """Its arguments."""
        own = self.pinned.command if self.pinned else []
        return own if self.config.command is None else self.config.command


def split_reference(uri: str) -> tuple[str, str, str]:
    """Return an image's name, its tag and its digest; a colon before a slash is a port's."""
    name, _, digest = uri.partition("@")
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return head + slash + last, tag, digest
