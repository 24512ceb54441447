"""FileSystemConfigs: access points, which are PersistentVolumeClaims with a label.

The operator finds the claim and mounts it (`pilotlight_operator.services.file_systems`); here the
ARN is read, and said of what was found.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pilotlight.resources import PersistentVolumeClaim
from pilotlight_gateway.errors import InvalidParameterValueError, NotSupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight.resources import Function
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = [
    "UNSUPPORTED_OF_FILE_SYSTEMS",
    "check_file_systems",
    "file_system_configs",
    "file_systems",
]

UNSUPPORTED_OF_FILE_SYSTEMS = {
    "S3FilesConfig": "An access point of Amazon EFS is expected, which a claim stands for; "
    "access points of S3 Files are refused, too."
}
"""Members of FileSystemConfigs that are not supported, with the reason."""

_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:elasticfilesystem:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):"
    r"access-point/(?P<id>fsap-[0-9a-f]{17})"
)


def file_systems(given: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what a spec says of FileSystemConfigs; raises NotSupportedError for S3 Files."""
    return [_file_system(config) for config in given]


def _file_system(config: Mapping[str, Any]) -> dict[str, Any]:
    found = _ARN.fullmatch(config["Arn"])
    if found is None or any(config.get(name) for name in UNSUPPORTED_OF_FILE_SYSTEMS):
        (why,) = UNSUPPORTED_OF_FILE_SYSTEMS.values()
        raise NotSupportedError(f"S3 Files (S3FilesConfig) are not supported. {why}")
    return {"accessPoint": found["id"], "path": config["LocalMountPath"]}


async def check_file_systems(services: Services, call: Call) -> None:
    """Raise InvalidParameterValueError for an access point that the account does not have."""
    for config in call.input.get("FileSystemConfigs") or ():
        found = _ARN.fullmatch(config["Arn"])
        if found is None:
            continue  # refused by name, where the spec is made
        own = found["region"] == services.settings.region and found["account"] == call.account
        if not own or not await _is_there(services, call.namespace, found["id"]):
            raise InvalidParameterValueError(
                f"The access point {config['Arn']} does not exist. A PersistentVolumeClaim of the "
                f"namespace {call.namespace} labelled pilotlight.dev/access-point={found['id']} "
                "is expected."
            )


async def _is_there(services: Services, namespace: str, access_point: str) -> bool:
    if services.settings.walls is None:
        return True  # one machine has no claims, but a folder, which the operator looks for
    claims = await services.resources.list(PersistentVolumeClaim, namespace)
    return any(claim.access_point == access_point for claim in claims)


def file_system_configs(function: Function, region: str, account: str) -> dict[str, Any]:
    """Return what an answer says of a function's file systems; nothing where it has none.

    Of a claim that a manifest names the access point is known once the operator has found it.
    """
    served = function.status.configuration
    known = {mount.path: mount.access_point for mount in (served.file_systems if served else ())}
    said = [
        {
            "Arn": f"arn:aws:elasticfilesystem:{region}:{account}:access-point/{access_point}",
            "LocalMountPath": one.path,
        }
        for one in function.spec.file_systems
        if (access_point := one.access_point or known.get(one.path))
    ]
    return {"FileSystemConfigs": said} if said else {}
