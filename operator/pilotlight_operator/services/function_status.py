"""Decides a function's status from facts: pure, so that every case is a row of a test's table.

State, LastUpdateStatus and their reason codes are Lambda's (AWS Lambda Developer Guide, "Lambda
function states"); conditions are Kubernetes'. A failed change keeps what served before it.
`functions.FunctionService` reads the facts and writes the result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight.arn import function_arn
from pilotlight.conditions import Said, condition
from pilotlight.errors import PilotlightError
from pilotlight.names import MODIFIED_ANNOTATION
from pilotlight.resources import (
    IMAGE_RUNTIME,
    Configuration,
    FunctionStatus,
    Image,
    PinnedPackage,
)
from pilotlight.revision import digest_environment, digest_spec, revision_of

from .file_systems import FileSystemError
from .function_problems import find_problem
from .images import PULLING

if TYPE_CHECKING:
    from pilotlight.resources import Function, Layer, Mount

    from .function_facts import Facts
    from .function_problems import Problem
    from .packages import Package

__all__ = ["decide"]

CREATING = "The function is being created."


def decide(facts: Facts, *, acknowledged: bool, at: str) -> FunctionStatus:
    """Return the status that a function should have.

    `acknowledged` says that every connected gateway routes to the wanted revision; `at` is this
    moment in RFC 3339.
    """
    problem = find_problem(facts)
    if problem is not None:
        return _failed(facts, problem, at)
    if facts.image is PULLING:
        return _pulling(facts, at)
    return _serving(facts, acknowledged=acknowledged, at=at)


def _failed(facts: Facts, problem: Problem, at: str) -> FunctionStatus:
    previous = facts.function.status
    served = previous.state == "Active"
    message = problem.message
    if served:
        message += f"; revision {previous.revision} goes on serving"
    status = _observed(facts, at).model_copy(
        update=_update_failed(problem) if served else _state("Failed", problem)
    )
    code: Said = ("False", problem.reason, problem.message)
    return _with_conditions(
        status,
        at,
        Ready=("False", problem.reason, message),
        CodeAvailable=code if problem.about_code else _code_found(facts),
        Progressing=("False", problem.reason, problem.message),
    )


def _pulling(facts: Facts, at: str) -> FunctionStatus:
    """Tell that an image is being pulled; of one that failed before nothing new is known."""
    status, uri = _observed(facts, at), facts.function.spec.code.image
    previous = facts.function.status
    has_failed = "Failed" in {previous.state, previous.last_update_status}
    if has_failed and previous.observed_digest == status.observed_digest:
        return previous
    served = previous.state == "Active"
    update = _update_status("InProgress") if served else _state("Pending")
    waiting: Said = ("Unknown", "ImagePulling", f"image {uri} is being pulled")
    ready: Said = ("True", "Serving", f"revision {previous.revision} is served")
    return _with_conditions(
        status.model_copy(update=update),
        at,
        Ready=ready if served else waiting,
        CodeAvailable=waiting,
        Progressing=("True", *waiting[1:]),
    )


def _serving(facts: Facts, *, acknowledged: bool, at: str) -> FunctionStatus:
    configuration = _configuration(facts)
    previous = facts.function.status
    revision = revision_of(configuration)
    settled = acknowledged or (previous.revision == revision and _is_settled(previous))
    created = previous.state == "Active"
    update = {
        "revision": revision,
        "configuration": configuration,
        "image_refresh": facts.function.spec.code.image_refresh,
        "code_size": 0 if configuration.image else _package(facts).size,
        **(_state("Active") if settled or created else _state("Pending")),
        **_update_status("Successful" if settled else "InProgress" if created else None),
    }
    status = _observed(facts, at).model_copy(update=update)
    if previous.revision not in {None, revision} and status.last_modified == previous.last_modified:
        status = status.model_copy(update={"last_modified": at})  # a Secret says something else
    return _with_conditions(status, at, **_progress(facts, revision, settled=settled))


def _is_settled(status: FunctionStatus) -> bool:
    return status.state == "Active" and status.last_update_status == "Successful"


def _progress(facts: Facts, revision: str, *, settled: bool) -> dict[str, Said]:
    if settled:
        serving = f"revision {revision} is served"
        ready: Said = ("True", "Serving", serving)
        progressing: Said = ("False", "Settled", serving)
    else:
        waiting = f"gateways have yet to route to revision {revision}"
        ready = ("Unknown", "RollingOut", waiting)
        progressing = ("True", "RollingOut", waiting)
    return {"Ready": ready, "CodeAvailable": _code_found(facts), "Progressing": progressing}


def _code_found(facts: Facts) -> Said:
    if facts.function.spec.code.image:
        return _image_found(facts)
    package = facts.package
    if package is None or isinstance(package, PilotlightError):
        return "Unknown", "NotLooked", ""
    return "True", "Stored", f"package {package.sha256} of {package.size} bytes is stored"


def _image_found(facts: Facts) -> Said:
    image = facts.image
    if not isinstance(image, Image):
        return "Unknown", "NotLooked", ""
    if image.pinned is None:
        said = f"no registry told the digest of {image.uri}: pods run what a node has by that name"
        return "True", "NotPinned", said
    return "True", "Pinned", f"pods run {image.reference}"


def _configuration(facts: Facts) -> Configuration:
    spec, secret = facts.function.spec, facts.secret
    image = facts.image if isinstance(facts.image, Image) else None
    return Configuration(
        runtime=IMAGE_RUNTIME if image else spec.runtime or "",
        handler=spec.handler or "",
        code_sha256=image.sha256 if image else _package(facts).sha256,
        image=image,
        memory=spec.memory,
        timeout=spec.timeout,
        ephemeral_storage=spec.ephemeral_storage,
        environment=spec.environment,
        environment_secret=secret.metadata.name if secret else None,
        environment_digest=digest_environment(secret.string_data) if secret else None,
        kms_key_arn=spec.kms_key_arn,
        environments_per_pod=spec.environments_per_pod,
        calls_per_environment=spec.calls_per_environment,
        role=spec.role,
        logging=spec.logging,
        layers=list(_layers(facts)),
        tracing=spec.tracing,
        tenant_isolation_mode=spec.tenant_isolation_mode,
        snap_start=spec.snap_start,
        file_systems=list(_mounts(facts)),
        secret_files=spec.secret_files,
        network=spec.network,
    )


def _layers(facts: Facts) -> tuple[Layer, ...]:
    if isinstance(facts.layers, PilotlightError):
        raise AssertionError("decided without layers")  # noqa: TRY004  `_check_layers` looked before
    return facts.layers


def _mounts(facts: Facts) -> tuple[Mount, ...]:
    if isinstance(facts.file_systems, FileSystemError):
        raise AssertionError("decided without file systems")  # noqa: TRY004  looked before
    return facts.file_systems


def _package(facts: Facts) -> Package:
    package = facts.package
    if package is None or isinstance(package, PilotlightError):
        raise AssertionError("decided without a package")  # `_check_code` looked before
    return package


def _observed(facts: Facts, at: str) -> FunctionStatus:
    """Carry the last status over, with what is true whether the spec can be served or not."""
    function, previous = facts.function, facts.function.status
    digest = digest_spec(function.spec)
    arn = previous.arn
    if isinstance(facts.account, str):
        arn = function_arn(facts.region, facts.account, function.function_name)
    return previous.model_copy(
        update={
            "observed_generation": function.metadata.generation,
            "observed_digest": digest,
            "last_modified": _modified(function, digest, at),
            "arn": arn,
            "pinned": _pinned(facts),
        }
    )


def _pinned(facts: Facts) -> PinnedPackage | None:
    """Note what a bucket's object was; what was noted of another stays until this one is read."""
    source, package = facts.function.spec.code.s3, facts.package
    if source is None or package is None or isinstance(package, PilotlightError):
        return facts.function.status.pinned if source else None
    return PinnedPackage(s3=source, sha256=package.sha256)


def _modified(function: Function, digest: str, at: str) -> str:
    """Say when an update was made: as the API noted it, if it was the API that made this one."""
    noted, before = function.metadata.annotations.get(MODIFIED_ANNOTATION, ""), function.status
    if noted.removesuffix("Z") > (before.last_modified or "").removesuffix("Z"):
        return noted
    is_same = before.observed_digest in {None, digest}  # None: observed before there were any
    if before.last_modified is not None and is_same:
        return before.last_modified
    return at


def _state(state: str, problem: Problem | None = None) -> dict[str, str | None]:
    creating = state == "Pending"
    return {
        "state": state,
        "state_reason": CREATING if creating else problem.message if problem else None,
        "state_reason_code": "Creating" if creating else problem.code if problem else None,
    }


def _update_status(status: str | None) -> dict[str, str | None]:
    return {
        "last_update_status": status,
        "last_update_status_reason": None,
        "last_update_status_reason_code": None,
    }


def _update_failed(problem: Problem) -> dict[str, str | None]:
    return {
        "last_update_status": "Failed",
        "last_update_status_reason": problem.message,
        "last_update_status_reason_code": problem.code,
    }


def _with_conditions(status: FunctionStatus, at: str, **wanted: Said) -> FunctionStatus:
    generation = status.observed_generation
    conditions = [
        condition(status.condition(kind), kind, said, generation=generation, at=at)
        for kind, said in wanted.items()
    ]
    return status.model_copy(update={"conditions": conditions})
