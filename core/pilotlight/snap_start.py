"""SnapStart here: what may ask for it, and whose environments are really started ahead.

Nothing is snapshotted. What the platform has is a warm interpreter in a pod that waits, from which
environments are forked, and `OptimizationStatus` says On only where that is how a version starts.
AWS Lambda Developer Guide, "Improving startup performance with Lambda SnapStart".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pilotlight_wire.specialisation import READ_AT_START

from .compute import GENERIC_MEMORY, GENERIC_STORAGE
from .runtimes import family_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .resources import Configuration, FunctionSpec

__all__ = ["find_snap_start_problem", "starts_ahead"]

_SNAPSHOTTED = re.compile(r"java(?!8)\d+.*|python3\.(1[2-9]|[2-9]\d)|dotnet(8|\d\d)")
"""The runtimes that AWS takes it of: Java from 11, Python from 3.12, .NET from 8."""
_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
"""Starts the runtime its own way."""


def find_snap_start_problem(spec: FunctionSpec) -> str | None:
    """Say what Lambda does not combine with SnapStart, of a spec that asks for it."""
    if spec.snap_start == "None":
        return None
    if not _SNAPSHOTTED.fullmatch(spec.runtime or ""):
        return (
            f"{spec.runtime or 'ContainerImage'} is not supported for SnapStart enabled functions."
        )
    if spec.ephemeral_storage > GENERIC_STORAGE:
        return (
            f"EphemeralStorage above {GENERIC_STORAGE} MB is not supported for SnapStart enabled "
            "functions."
        )
    if spec.file_systems:
        return "FileSystemConfigs is not supported for SnapStart enabled functions."
    if spec.tenant_isolation_mode is not None:
        return "TenancyConfig is not supported for SnapStart enabled functions."
    return None


def starts_ahead(configuration: Configuration, variables: Iterable[str]) -> bool:
    """Whether environments are forked from an interpreter that waits, where pods of it do.

    Not those that need more than such pods have, nor those with `variables` (their names) that
    only a new process reads.
    """
    return (
        family_of(configuration.runtime).forks
        and configuration.memory * configuration.environments_per_pod <= GENERIC_MEMORY
        and configuration.ephemeral_storage == GENERIC_STORAGE
        and not configuration.file_systems
        and not configuration.secret_files
        and configuration.network is None
        and not any(name == _WRAPPER or READ_AT_START.match(name) for name in variables)
    )
