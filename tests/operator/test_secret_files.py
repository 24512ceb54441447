"""Secrets that functions find as files: waited for, and no reason for a revision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.resources import FunctionSpec, Key, ObjectMeta, Secret
from pilotlight_operator.services.file_systems import MachineFolders

if TYPE_CHECKING:
    from .conftest import Platform

FILES = {"secret": "db", "path": "/mnt/db"}


async def _secret(platform: Platform, name: str, **values: str) -> None:
    metadata = ObjectMeta(name=name, namespace="team")
    await platform.resources.create(Secret(metadata=metadata, string_data=values))


async def _reconciled(platform: Platform, *files: dict[str, Any]) -> Any:
    await platform.apply(secretFiles=list(files))
    await platform.reconcile()
    return (await platform.function()).status


async def test_a_secret_is_waited_for(platform: Platform) -> None:
    """Whatever it holds; which is told as for variables."""
    status = await _reconciled(platform, FILES)
    assert status.state == "Failed"
    assert status.condition("Ready").reason == "SecretMissing"
    assert status.state_reason_code == "InvalidConfiguration"
    assert status.state_reason == "secretFiles.secret 'db' is not there"
    await _secret(platform, "db", password="p")
    affected = platform.service.affected_by(await platform.resources.get(Secret, Key("team", "db")))
    assert [one.metadata.name for one in affected] == [(await platform.function()).metadata.name]
    status = await _reconciled(platform, FILES)
    assert status.state == "Active"
    assert [one.secret for one in status.configuration.secret_files] == ["db"]


async def test_what_it_holds_makes_no_revision(platform: Platform) -> None:
    """The kubelet brings files up to date; another path, or another Secret, is a new revision."""
    await _secret(platform, "db", password="p")
    await _secret(platform, "other")
    revisions = [
        (await _reconciled(platform, files)).revision
        for files in (FILES, FILES | {"path": "/mnt/x"}, FILES | {"secret": "other"}, FILES)
    ]
    assert len(set(revisions)) == 3
    assert revisions[0] == revisions[3]


async def test_local_mode_mounts_nothing(platform: Platform) -> None:
    platform.service._facts._file_systems = MachineFolders()
    status = await _reconciled(platform, FILES)
    assert "/mnt/db is no folder of this machine, and local mode mounts nothing" in (
        status.state_reason
    )


@pytest.mark.parametrize(
    "spec",
    [
        {"secretFiles": [FILES, FILES]},
        {"secretFiles": [FILES], "fileSystems": [{"claim": "c", "path": "/mnt/db"}]},
        {"secretFiles": [{"secret": "db", "path": "/etc"}]},
        {"secretFiles": [{"secret": "db", "path": "/mnt/.."}]},
        {"secretFiles": [{"secret": str(n), "path": f"/mnt/{n}"} for n in range(9)]},
    ],
)
def test_what_cannot_be_mounted_is_refused(spec: dict[str, Any]) -> None:
    common = {"runtime": "python3.13", "handler": "index.handler", "code": {"inline": "x = 1"}}
    with pytest.raises(ValueError, match=r"path|at most 8|pattern"):
        FunctionSpec.model_validate(common | spec)
