"""The environment variables that a function finds.

Source: AWS Lambda Developer Guide, "Using Lambda environment variables", defined runtime
environment variables. Nothing of the agent's own environment is among them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from pilotlight_agent.options import PREFIX
from pilotlight_agent.places import TEMPORARY
from pilotlight_wire.protocol import LOADER_VARIABLES

from . import credentials_api

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pilotlight_agent.places import Places
    from pilotlight_wire.specialisation import FunctionFacts, ImageProcess, Specialisation

LOG_STREAM = "AWS_LAMBDA_LOG_STREAM_NAME"
MAX_CONCURRENCY = "AWS_LAMBDA_MAX_CONCURRENCY"
"""How many calls an environment takes at once, where that is more than one."""
RUNTIME_FOLDER = "/var/runtime"
_NOT_OF_IMAGE = (PREFIX, "KUBERNETES_")
_DAEMON_HOST, _DAEMON_PORT = "127.0.0.1", "2000"

_NO_PROFILES = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
"""A developer's own credentials, in files, go before a container's to AWS's SDKs."""


class Language(Protocol):
    """What a family says of its variables (`family.Family`)."""

    managed: bool
    defaults: Mapping[str, str]


def build(  # noqa: PLR0913 -- of the pod, of the revision and of the environment, two each
    specialisation: Specialisation,
    family: Language,
    places: Places,
    *,
    temporary: Path,
    log_stream: str,
    runtime_api: str,
    metadata_token: str,
    credentials_token: str = "",
) -> dict[str, str]:
    """Return the variables of one environment: defaults, then the function's, then reserved ones.

    `runtime_api` is HOST:PORT, where metadata and a role's credentials are, too, for who has their
    tokens; `temporary` is what the environment is to use for /tmp.
    """
    function, image = specialisation.function, specialisation.image
    return {
        **(inherited(image, temporary) if image else defaults(places, temporary)),
        **family.defaults,
        **(_NO_PROFILES if specialisation.role else {}),
        **specialisation.environment,
        **_credentials(specialisation, runtime_api, credentials_token),
        **_of_function(function),
        **({"AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}"} if family.managed else {}),
        LOG_STREAM: log_stream,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_LAMBDA_METADATA_API": runtime_api,
        "AWS_LAMBDA_METADATA_TOKEN": metadata_token,
        "LAMBDA_TASK_ROOT": str(places.task_root),
        "LAMBDA_RUNTIME_DIR": RUNTIME_FOLDER,
    }


def defaults(places: Places, temporary: Path) -> dict[str, str]:
    """Return what a function's own configuration may replace."""
    task, layers = places.task_root, places.layers_root
    libraries = (
        *("/lib64", "/usr/lib64", RUNTIME_FOLDER, f"{RUNTIME_FOLDER}/lib"),
        *(f"{task}", f"{task}/lib", f"{layers}/lib"),
    )
    return {
        **_everywhere(temporary),
        "LANG": "en_US.UTF-8",
        "PATH": f"{places.interpreter.parent}:/usr/local/bin:/usr/bin/:/bin:{layers}/bin",
        "LD_LIBRARY_PATH": ":".join(libraries),
    }


def inherited(
    image: ImageProcess, temporary: Path, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the same where the agent runs in a function's image: what that says.

    `environ` is the agent's own, which has them beside its options and what a kubelet adds; those
    that would change the agent, the pod keeps from it, and the platform knows.
    """
    of_image = {
        name: value
        for name, value in environ.items()
        if not name.startswith(_NOT_OF_IMAGE) and name not in LOADER_VARIABLES
    }
    return _everywhere(temporary) | of_image | image.environment


def _everywhere(temporary: Path) -> dict[str, str]:
    own = {} if temporary == TEMPORARY else {"TMPDIR": str(temporary)}
    return own | {
        "TZ": ":UTC",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": f"{_DAEMON_HOST}:{_DAEMON_PORT}",
        "_AWS_XRAY_DAEMON_ADDRESS": _DAEMON_HOST,
        "_AWS_XRAY_DAEMON_PORT": _DAEMON_PORT,
    }


def _credentials(specialisation: Specialisation, address: str, token: str) -> dict[str, str]:
    """Return the function's own keys for this platform, or, of its role, where to ask for them.

    SDKs take keys among variables first: where there is a role, the platform's have other names.
    """
    if specialisation.role is None:
        return specialisation.credentials
    own = {
        name.replace("AWS_", "PILOTLIGHT_", 1): value
        for name, value in specialisation.credentials.items()
    }
    return own | {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{address}{credentials_api.PATH}",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
    }


def _of_function(function: FunctionFacts) -> dict[str, str]:
    variables = {
        "_HANDLER": function.handler,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group or f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": function.initialization_type,
    }
    if function.calls_per_environment > 1:
        variables[MAX_CONCURRENCY] = str(function.calls_per_environment)
    if function.log_format.upper() == "JSON":
        variables["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        variables["AWS_LAMBDA_LOG_LEVEL"] = function.application_log_level or "INFO"
    return variables


def mark_of(variables: Mapping[str, str]) -> bytes:
    """Return what the kernel shows among the variables of an environment's processes."""
    return f"{LOG_STREAM}={variables[LOG_STREAM]}".encode()
