"""File systems that a function finds below /mnt: what is asked for, and what was found of it.

A PersistentVolumeClaim stands in EFS's place, and its label says which access point it is.
`pilotlight_operator.services.file_systems` finds it; pods mount it (`manifests.file_systems`).
"""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from .meta import Model, cel

__all__ = ["ACCESS_POINT", "MOST_FILE_SYSTEMS", "MOUNT_PATH", "FileSystem", "Mount"]

MOST_FILE_SYSTEMS = 1
"""As on Lambda."""
ACCESS_POINT = r"^fsap-[0-9a-f]{17,40}$"
MOUNT_PATH = r"^/mnt/[a-zA-Z0-9_.-]*[a-zA-Z0-9_-][a-zA-Z0-9_.-]*$"
"""Lambda's, without the two names of which no folder can be made."""


class FileSystem(Model):
    """A file system that a function asks for."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "has(self.claim) != has(self.accessPoint)",
                "either claim or accessPoint is expected",
            ),
        )
    )

    claim: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="A PersistentVolumeClaim of the namespace, labelled as an access point.",
    )
    access_point: str | None = Field(
        default=None,
        pattern=ACCESS_POINT,
        description="The claim by its label pilotlight.dev/access-point.",
    )
    path: str = Field(pattern=MOUNT_PATH, max_length=160, description="Where it is, /mnt/….")
    read_only: bool = Field(default=False, description="Whether it may not be written to.")

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if (self.claim is None) == (self.access_point is None):
            raise ValueError("either claim or accessPoint is expected")
        return self


class Mount(Model):
    """A file system that a revision has."""

    claim: str | None = Field(default=None, description="The claim; absent in local mode.")
    access_point: str = Field(description="The access point that it is.")
    path: str = Field(description="Where it is.")
    read_only: bool = Field(default=False, description="Whether it may not be written to.")
    user: int | None = Field(default=None, description="The user that the pods run as.")
    group: int | None = Field(default=None, description="The user's group.")
