"""What is different in the pod of a function that is a container image.

The image's own files are there, and beside them an agent that needs none of them: an init container
copies it from the `Runtime`'s image, and it is started by its own loader, in place of the image's
entry point, which it then starts itself (docs/decisions/0019-the-agent-runs-in-the-image.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pilotlight_wire.protocol import LOADER_VARIABLES

if TYPE_CHECKING:
    from pilotlight.compute import PodRequest
    from pilotlight.resources import RuntimeSpec

__all__ = ["FOLDER", "INTERPRETER", "container", "installer", "mounts", "variables", "volumes"]

Json = dict[str, Any]

AGENT_MEGABYTES = 64
"""What the agent may take on disk."""
VOLUME = "pilotlight"
FOLDER = "/.pilotlight"
"""Of the image only an odd one has something there."""
INTERPRETER = [
    f"{FOLDER}/lib/loader", "--inhibit-cache", "--library-path", f"{FOLDER}/lib",
    f"{FOLDER}/bin/python3", "-I", "-S", "-X", "utf8",
]  # fmt: skip


def installer(runtime: RuntimeSpec, security: Json) -> Json:
    """Return the init container that copies the agent."""
    return {
        "name": "install-agent",
        "image": runtime.image,
        "imagePullPolicy": runtime.image_pull_policy,
        "resources": {
            "limits": {"cpu": "500m", "memory": f"{runtime.overhead}Mi"},
            "requests": {"cpu": "10m", "memory": "16Mi"},
        },
        "securityContext": security,
        "volumeMounts": [{"name": VOLUME, "mountPath": f"/{VOLUME}"}],
    }


def container(request: PodRequest) -> Json:
    """Return what a container has instead of what others have."""
    return {
        "image": request.image,
        # One that is named by its digest is never another; a tag may be on the node alone.
        "imagePullPolicy": "IfNotPresent",
        "command": [*INTERPRETER, "-m", "pilotlight_agent"],
    }


def mounts() -> list[Json]:
    """Return where the agent is in the image, and nothing in place of what would change it."""
    preload = {"mountPath": "/etc/ld.so.preload", "subPath": "nothing"}
    return [{"name": VOLUME, "readOnly": True, **each} for each in ({"mountPath": FOLDER}, preload)]


def volumes() -> list[Json]:
    """Return where the agent is copied to."""
    return [{"name": VOLUME, "emptyDir": {"sizeLimit": f"{AGENT_MEGABYTES}Mi"}}]


def variables() -> list[Json]:
    """Return what keeps an image out of the agent; the process gets its own back.

    Options are said even where they are the default: an image may have variables of these names.
    """
    options = {
        "PILOTLIGHT_AGENT_TASK_ROOT": "/var/task",
        "PILOTLIGHT_AGENT_TEMPORARY": "/tmp",  # noqa: S108  Lambda's own path
        "PILOTLIGHT_AGENT_LAYERS_ROOT": "/opt",
        "PILOTLIGHT_AGENT_INTERPRETER": f"{FOLDER}/bin/python3",
        "PILOTLIGHT_AGENT_PARENT_STDIN": "0",
    }
    given = LOADER_VARIABLES | options
    return [{"name": name, "value": value} for name, value in given.items()]
