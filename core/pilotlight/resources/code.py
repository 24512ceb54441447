"""Where a function's code is: in the manifest, in the artifact store, in a bucket or an image."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from .configuration import SHA256
from .image import IMAGE_REFERENCE
from .meta import Model, cel

__all__ = ["Code", "PinnedPackage", "S3Object"]

_SOURCES = ("inline", "zip", "s3", "image")


class S3Object(Model):
    """A deployment package in a bucket."""

    bucket: str = Field(min_length=3, description="The bucket's name.")
    key: str = Field(min_length=1, description="The object's key.")
    version: str | None = Field(default=None, description="The object's version.")


class PinnedPackage(Model):
    """What an object of a bucket was when it was fetched."""

    s3: S3Object = Field(description="What was fetched.")
    sha256: str = Field(pattern=SHA256, description="sha256 (hex) of the package.")


class Code(Model):
    """Where the function's code is: exactly one of the four."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                (
                    "[has(self.inline), has(self.zip), has(self.s3), has(self.image)]"
                    ".filter(given, given).size() == 1"
                ),
                "exactly one of inline, zip, s3 and image is expected",
            ),
            (
                "has(self.image) || !has(self.imageRefresh)",
                "imageRefresh is supported with image only",
            ),
        )
    )

    inline: str | None = Field(
        default=None,
        max_length=65_536,
        description="Source text of the handler's file, at most 64 KiB.",
    )
    zip: str | None = Field(
        default=None,
        pattern=SHA256,
        description="sha256 (hex) of a deployment package uploaded to /-/artifacts/<sha256>.",
    )
    s3: S3Object | None = Field(
        default=None,
        description="A deployment package in a bucket, fetched once: name a version, or another "
        "key, to have it fetched anew.",
    )
    image: str | None = Field(
        default=None,
        max_length=512,
        pattern=IMAGE_REFERENCE,
        description="A container image: registry/repository:tag, or @sha256:….",
    )
    image_refresh: str | None = Field(
        default=None,
        max_length=64,
        description="Anything; something else has the registry asked again what the tag means.",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if self.image_refresh is not None and self.image is None:
            raise ValueError("imageRefresh is supported with image only")
        given = [name for name in _SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                "exactly one of inline, zip, s3 and image is expected, "
                f"{' and '.join(given) or 'none'} came"
            )
        return self
