"""Finds the file systems that a function asks for: claims of its namespace, by name or label.

A claim is mounted only where it is labelled as an access point: whoever may write functions could
otherwise read whatever volume lies in the namespace. Pods run as the claim's user, so that what
one function writes another reads. Local mode mounts nothing: folders must be there.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pilotlight.errors import PilotlightError
from pilotlight.names import ACCESS_POINT_LABEL, POSIX_USER_ANNOTATION
from pilotlight.resources import (
    CLAIMS_BY_ACCESS_POINT,
    Key,
    Mount,
    PersistentVolumeClaim,
    Secret,
)
from pilotlight.resources.file_system import ACCESS_POINT
from pilotlight_operator.manifests.users import uid_of

if TYPE_CHECKING:
    from pilotlight.cache import Cache
    from pilotlight.resources import FileSystem, Function

__all__ = ["ClaimedFileSystems", "FileSystemError", "FindsFileSystems", "MachineFolders"]

_POSIX_USER = re.compile(r"[1-9][0-9]{0,9}:[1-9][0-9]{0,9}")
HIGHEST_ID = 2**31 - 1
READ_ONLY_MODES = {"ReadOnlyMany"}


class FileSystemError(PilotlightError):
    """A file system cannot be had; `state_code` is Lambda's StateReasonCode."""

    code = "FileSystemUnusable"
    status = 400

    def __init__(self, message: str, state_code: str = "EFSMountFailure") -> None:
        super().__init__(f"fileSystems: {message}")
        self.state_code = state_code


class FindsFileSystems(Protocol):
    """Finds what functions mount."""

    def find(self, function: Function) -> tuple[Mount, ...]:
        """Return what a function mounts; raises FileSystemError."""
        ...

    def find_missing_secret(self, function: Function) -> str | None:
        """Say which of the Secrets that a function wants as files is not to be had."""
        ...


class ClaimedFileSystems:
    """Claims of the functions' namespaces."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def find(self, function: Function) -> tuple[Mount, ...]:
        """Return what a function mounts; raises FileSystemError."""
        namespace = function.metadata.namespace
        return tuple(self._mount(namespace, asked) for asked in function.spec.file_systems)

    def find_missing_secret(self, function: Function) -> str | None:
        """Say which of the Secrets that a function wants as files is not there."""
        for one in function.spec.secret_files:
            if self._cache.get(Secret, Key(function.metadata.namespace, one.secret)) is None:
                return f"secretFiles.secret {one.secret!r} is not there"
        return None

    def _mount(self, namespace: str, asked: FileSystem) -> Mount:
        claim = self._claim(namespace, asked)
        name, access_point = claim.metadata.name, claim.access_point or ""
        if re.fullmatch(ACCESS_POINT, access_point) is None:
            raise FileSystemError(
                f"PersistentVolumeClaim {name!r} is not for functions: its label "
                f"{ACCESS_POINT_LABEL} is {access_point!r}, fsap- and 17 hex digits are expected"
            )
        if claim.status.phase == "Lost":
            raise FileSystemError(f"PersistentVolumeClaim {name!r} lost its volume", "EFSIOError")
        if not asked.read_only and set(claim.spec.access_modes) == READ_ONLY_MODES:
            raise FileSystemError(
                f"PersistentVolumeClaim {name!r} is ReadOnlyMany: readOnly: true is expected"
            )
        user, group = _posix_user(claim)
        return Mount(
            claim=name, access_point=access_point, path=asked.path, read_only=asked.read_only,
            user=user, group=group,
        )  # fmt: skip

    def _claim(self, namespace: str, asked: FileSystem) -> PersistentVolumeClaim:
        if asked.claim is not None:
            found = self._cache.get(PersistentVolumeClaim, Key(namespace, asked.claim))
            if found is None:
                raise FileSystemError(f"PersistentVolumeClaim {asked.claim!r} is not there")
            return found
        labelled = self._cache.by(CLAIMS_BY_ACCESS_POINT, (namespace, asked.access_point))
        if len(labelled) != 1:
            names = ", ".join(sorted(one.metadata.name for one in labelled)) or "none is"
            raise FileSystemError(
                f"one PersistentVolumeClaim labelled {ACCESS_POINT_LABEL}={asked.access_point} is "
                f"expected: {names}"
            )
        return labelled[0]


class MachineFolders:
    """Folders of this machine, which its functions see as every process does: local mode."""

    def find(self, function: Function) -> tuple[Mount, ...]:
        """Return the folders that a function finds; raises FileSystemError."""
        namespace = function.metadata.namespace
        return tuple(_folder(namespace, asked) for asked in function.spec.file_systems)

    def find_missing_secret(self, function: Function) -> str | None:
        """Say which folder of Secrets is none of this machine."""
        for one in function.spec.secret_files:
            if not Path(one.path).is_dir():
                return (
                    f"secretFiles: {one.path} is no folder of this machine, and local mode mounts "
                    "nothing: make it there, or take a cluster"
                )
        return None


def _folder(namespace: str, asked: FileSystem) -> Mount:
    if not Path(asked.path).is_dir():
        raise FileSystemError(
            f"{asked.path} is no folder of this machine, and local mode mounts nothing: make it "
            "there, or take a cluster"
        )
    if asked.read_only and os.access(asked.path, os.W_OK):
        raise FileSystemError(
            f"readOnly: {asked.path} of this machine can be written to, and local mode mounts "
            "nothing: take write permission away there, or take a cluster"
        )
    digest = hashlib.sha256(f"{namespace}/{asked.claim}".encode()).hexdigest()
    access_point = asked.access_point or f"fsap-{digest[:17]}"
    return Mount(access_point=access_point, path=asked.path, read_only=asked.read_only)


def _posix_user(claim: PersistentVolumeClaim) -> tuple[int, int]:
    """Return whom pods that mount a claim run as: an id of the claim's own, or what it says."""
    given = claim.metadata.annotations.get(POSIX_USER_ANNOTATION)
    if given is None:
        own = uid_of(claim.metadata.namespace, f"claim/{claim.metadata.name}")
        return own, own
    ids = [int(part) for part in given.split(":")] if _POSIX_USER.fullmatch(given) else []
    if not ids or max(ids) > HIGHEST_ID:
        raise FileSystemError(
            f"PersistentVolumeClaim {claim.metadata.name!r}: its annotation "
            f"{POSIX_USER_ANNOTATION} is {given!r}, UID:GID above 0 is expected"
        )
    return ids[0], ids[1]
