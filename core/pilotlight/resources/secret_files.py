"""Secrets that a function finds as files: what its pods mount, and the kubelet keeps up to date.

Variables are what a process was started with; files change with their Secret, without a restart.
`pilotlight_operator.manifests.secret_files` mounts them.
"""

from __future__ import annotations

from pydantic import Field

from .file_system import MOUNT_PATH
from .meta import Model

__all__ = ["MOST_SECRET_FILES", "SecretFiles"]

MOST_SECRET_FILES = 8


class SecretFiles(Model):
    """A Secret of the function's own namespace, each of its entries a file."""

    secret: str = Field(min_length=1, max_length=253, description="The Secret's name.")
    path: str = Field(
        pattern=MOUNT_PATH, max_length=160, description="The folder of its files, /mnt/…."
    )
