"""Claims that functions mount: only those that are labelled for it, as their own user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.resources import Mount, ObjectMeta, PersistentVolumeClaim
from pilotlight_operator.services.file_systems import MachineFolders

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Platform

POINT = "fsap-0123456789abcdef0"


async def _claim(
    platform: Platform,
    name: str = "shared",
    *,
    point: str | None = POINT,
    phase: str = "Bound",
    modes: tuple[str, ...] = ("ReadWriteMany",),
    user: str | None = None,
) -> None:
    await platform.resources.create(
        PersistentVolumeClaim.model_validate(
            {
                "metadata": ObjectMeta(
                    name=name,
                    namespace="team",
                    labels={"pilotlight.dev/access-point": point} if point else {},
                    annotations={"pilotlight.dev/posix-user": user} if user else {},
                ),
                "spec": {"accessModes": modes, "volumeName": "whatever"},
                "status": {"phase": phase, "capacity": {"storage": "1Gi"}},
            }
        )
    )


async def _mounts(platform: Platform, **asked: Any) -> list[Mount]:
    await platform.apply(fileSystems=[{"path": "/mnt/data"} | asked])
    await platform.reconcile()
    function = await platform.function()
    assert function.status.state == "Active", function.status.state_reason
    assert function.status.configuration is not None
    return function.status.configuration.file_systems


async def _problem(platform: Platform, **asked: Any) -> tuple[str | None, str]:
    await platform.apply(fileSystems=[{"path": "/mnt/data"} | asked])
    await platform.reconcile()
    status = (await platform.function()).status
    assert status.state == "Failed"
    condition = status.condition("Ready")
    assert condition is not None
    assert condition.reason == "FileSystemUnusable"
    return status.state_reason_code, status.state_reason or ""


async def test_a_claim_is_found_by_name_or_access_point(platform: Platform) -> None:
    """Two functions that mount it run as one user, which no other claim has."""
    await _claim(platform)
    await _claim(platform, "another", point="fsap-" + "f" * 17)
    (by_name,) = await _mounts(platform, claim="shared")
    (by_point,) = await _mounts(platform, accessPoint=POINT)
    assert by_name == by_point
    assert (by_name.claim, by_name.access_point) == ("shared", POINT)
    (another,) = await _mounts(platform, claim="another", readOnly=True)
    assert another.read_only
    assert by_name.user == by_name.group != another.user
    assert (by_name.user or 0) >= 100_000


async def test_the_claim_says_whose_it_is(platform: Platform) -> None:
    await _claim(platform, user="1001:2002")
    (mount,) = await _mounts(platform, claim="shared")
    assert (mount.user, mount.group) == (1001, 2002)


@pytest.mark.parametrize("user", ["0:0", "1000", "a:b", "1:9999999999", "-1:5"])
async def test_a_claim_never_makes_a_pod_run_as_root(platform: Platform, user: str) -> None:
    await _claim(platform, user=user)
    code, said = await _problem(platform, claim="shared")
    assert code == "EFSMountFailure"
    assert "UID:GID above 0 is expected" in said


async def test_no_claim_is_mounted_that_is_not_labelled(platform: Platform) -> None:
    """Whoever writes functions would read the account's databases."""
    await _claim(platform, point=None)
    code, said = await _problem(platform, claim="shared")
    assert code == "EFSMountFailure"
    assert "is not for functions" in said


async def test_what_is_missing_comes_when_it_is_there(platform: Platform) -> None:
    code, said = await _problem(platform, claim="shared")
    assert (code, said) == (
        "EFSMountFailure", "fileSystems: PersistentVolumeClaim 'shared' is not there",
    )  # fmt: skip
    assert "none is" in (await _problem(platform, accessPoint=POINT))[1]
    await _claim(platform)
    assert await _mounts(platform, accessPoint=POINT)


async def test_two_claims_of_one_access_point_are_none(platform: Platform) -> None:
    await _claim(platform)
    await _claim(platform, "same")
    assert "same, shared" in (await _problem(platform, accessPoint=POINT))[1]


async def test_a_lost_volume_is_an_error_of_input_and_output(platform: Platform) -> None:
    await _claim(platform, phase="Lost")
    assert (await _problem(platform, claim="shared"))[0] == "EFSIOError"


async def test_what_waits_for_its_first_pod_is_no_problem(platform: Platform) -> None:
    """A class may bind when the first pod is scheduled."""
    await _claim(platform, phase="Pending")
    assert await _mounts(platform, claim="shared")


async def test_a_volume_that_is_only_read_is_not_promised_for_writing(platform: Platform) -> None:
    await _claim(platform, modes=("ReadOnlyMany",))
    assert "readOnly: true is expected" in (await _problem(platform, claim="shared"))[1]
    assert await _mounts(platform, claim="shared", readOnly=True)


@pytest.mark.parametrize(
    ("there", "read_only", "problem"),
    [(False, False, "is no folder of this machine"), (True, True, "can be written to")],
)
async def test_local_mode_mounts_nothing(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *,
    there: bool, read_only: bool, problem: str,
) -> None:  # fmt: skip
    """It has the folder of that path if the machine has one, and says so if not."""
    platform.service._facts._file_systems = MachineFolders()
    monkeypatch.setattr(
        "pilotlight_operator.services.file_systems.Path",
        lambda _: tmp_path if there else tmp_path / "not there",
    )
    monkeypatch.setattr("os.access", lambda *_: True)
    said = await _problem(platform, claim="shared", readOnly=read_only)
    assert problem in said[1]


async def test_local_mode_finds_the_machines_folder(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.service._facts._file_systems = MachineFolders()
    monkeypatch.setattr("pilotlight_operator.services.file_systems.Path", lambda _: tmp_path)
    (mount,) = await _mounts(platform, claim="shared")
    assert mount.claim is None
    assert mount.access_point.startswith("fsap-")
