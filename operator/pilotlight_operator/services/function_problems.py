"""Finds why a function's spec cannot be served: one check a function, the first problem counts.

Reasons are CamelCase for conditions, codes are Lambda's StateReasonCode, and the message says what
came and what was expected. `function_status.decide` makes a status of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pilotlight.aws.buckets import BucketError
from pilotlight.errors import PilotlightError
from pilotlight.resources import IMAGE_RUNTIME
from pilotlight.resources.environment import check_environment
from pilotlight.runtimes import DEPRECATED_RUNTIMES, RUNTIMES
from pilotlight.snap_start import find_snap_start_problem
from pilotlight.variable_encryption import encryption_of

from .file_systems import FileSystemError
from .images import ImageError

if TYPE_CHECKING:
    from .function_facts import Facts

__all__ = ["Problem", "find_problem"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a function's spec cannot be served."""

    reason: str
    """CamelCase, for conditions."""
    message: str
    """What came and what was expected."""
    code: str
    """Lambda's StateReasonCode."""
    about_code: bool = False


def find_problem(facts: Facts) -> Problem | None:
    """Return the first thing that is wrong with a function, or None."""
    checks = (
        _check_account,
        _check_name,
        _check_image,
        _check_runtime,
        _check_snap_start,
        _check_package,
        _check_layers,
        _check_environment,
        _check_file_systems,
        _check_secret_files,
        _check_network,
    )
    return next((problem for check in checks if (problem := check(facts))), None)


def _check_account(facts: Facts) -> Problem | None:
    if isinstance(facts.account, PilotlightError):
        return Problem("AccountInvalid", str(facts.account), "InvalidConfiguration")
    return None


def _check_name(facts: Facts) -> Problem | None:
    function = facts.function
    if facts.holder == function.metadata.name:
        return None
    message = (
        f"functionName {function.function_name!r} is taken by the older Function {facts.holder!r} "
        "of this namespace: another name is expected"
    )
    return Problem("NameTaken", message, "InvalidConfiguration")


def _check_image(facts: Facts) -> Problem | None:
    if facts.function.spec.code.image is None:
        return None
    if IMAGE_RUNTIME not in facts.runnable:
        message = (
            "code.image: nothing here runs container images; a Runtime named "
            f"{IMAGE_RUNTIME!r} is expected"
        )
        return Problem("ImagesUnsupported", message, "InvalidConfiguration", about_code=True)
    if isinstance(facts.image, ImageError):
        image = facts.image
        return Problem(image.code, str(image), image.state_code, about_code=True)
    return None


def _check_runtime(facts: Facts) -> Problem | None:
    if facts.function.spec.code.image:
        return None
    runtime = facts.function.spec.runtime or ""
    if runtime not in RUNTIMES:
        message = f"runtime {runtime!r} is unknown: one of Lambda's runtime ids is expected"
        return Problem("RuntimeUnknown", message, "InvalidRuntime")
    if runtime in DEPRECATED_RUNTIMES:
        message = f"runtime {runtime!r} is no longer supported by Lambda: a current one is expected"
        return Problem("RuntimeDeprecated", message, "InvalidRuntime")
    if runtime not in facts.runnable:
        there = ", ".join(sorted({*facts.runnable} - {IMAGE_RUNTIME})) or "no Runtime is there"
        message = f"nothing here runs runtime {runtime!r}; what runs here: {there}"
        return Problem("RuntimeUnavailable", message, "InvalidRuntime")
    return None


def _check_snap_start(facts: Facts) -> Problem | None:
    message = find_snap_start_problem(facts.function.spec)
    if message is None:
        return None
    return Problem("SnapStartUnsupported", message, "InvalidConfiguration")


def _check_package(facts: Facts) -> Problem | None:
    package = facts.package
    if facts.function.spec.code.image:
        return None
    if isinstance(package, BucketError):
        return Problem("CodeUnreadable", str(package), "InvalidConfiguration", about_code=True)
    if isinstance(package, PilotlightError):
        return Problem("CodeInvalid", str(package), "InvalidConfiguration", about_code=True)
    if package is None:
        message = (
            f"code.zip {facts.function.spec.code.zip} is not in the artifact store: "
            "upload the package with PUT /-/artifacts/<sha256>"
        )
        return Problem("CodeMissing", message, "InvalidZipFileException", about_code=True)
    return None


def _check_layers(facts: Facts) -> Problem | None:
    if isinstance(facts.layers, PilotlightError):
        return Problem("LayerMissing", str(facts.layers), "InvalidConfiguration")
    return None


def _check_environment(facts: Facts) -> Problem | None:
    spec = facts.function.spec
    if spec.environment_from and facts.secret is None:
        message = f"environmentFrom.secret {spec.environment_from.secret!r} is not there"
        return Problem("SecretMissing", message, "InvalidConfiguration")
    if facts.secret is None:
        return None
    values = facts.secret.string_data
    if encryption_of(facts.secret):  # the values the API has checked, and are longer here
        values = dict.fromkeys(values, "")
    try:
        check_environment(values | spec.environment)
    except ValueError as error:
        message = f"environmentFrom.secret {facts.secret.metadata.name!r}: {error}"
        return Problem("EnvironmentInvalid", message, "InvalidConfiguration")
    return None


def _check_file_systems(facts: Facts) -> Problem | None:
    if not isinstance(facts.file_systems, FileSystemError):
        return None
    return Problem("FileSystemUnusable", str(facts.file_systems), facts.file_systems.state_code)


def _check_secret_files(facts: Facts) -> Problem | None:
    if facts.missing_secret is None:
        return None
    return Problem("SecretMissing", facts.missing_secret, "InvalidConfiguration")


def _check_network(facts: Facts) -> Problem | None:
    if facts.network is None:
        return None
    return Problem(facts.network.reason, str(facts.network), facts.network.state_code)
