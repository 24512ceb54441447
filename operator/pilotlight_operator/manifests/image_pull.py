"""The pod that has a node pull a function's image: it starts the agent's interpreter and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import image
from .pod import SECURITY, owner, pod_security
from .users import uid_of

if TYPE_CHECKING:
    from pilotlight.resources import Function, RuntimeSpec

__all__ = ["LONGEST_PULL_SECONDS", "pull_manifest"]

Json = dict[str, Any]

LONGEST_PULL_SECONDS = 600
"""For an image of ten gigabytes."""
LABELS = {
    "app.kubernetes.io/managed-by": "pilotlight",
    "app.kubernetes.io/component": "image-pull",
}
"""Not those of pods that functions run in: nobody is to count it, or to send it calls."""


def pull_manifest(
    name: str, function: Function, reference: str, runtime: RuntimeSpec, pull_secret: str
) -> Json:
    """Return the manifest of a pod that ends well once the image is there and can be run."""
    namespace = function.metadata.namespace
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": LABELS,
            "ownerReferences": [owner("Function", function.metadata.name, function.metadata.uid)],
        },
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            # Whoever made it may be gone.
            "activeDeadlineSeconds": LONGEST_PULL_SECONDS,
            "terminationGracePeriodSeconds": 0,
            "securityContext": pod_security(uid_of(namespace, function.metadata.name)),
            "initContainers": [image.installer(runtime, SECURITY)],
            "containers": [_container(reference, runtime)],
            "volumes": image.volumes(),
            **({"imagePullSecrets": [{"name": pull_secret}]} if pull_secret else {}),
        },
    }


def _container(reference: str, runtime: RuntimeSpec) -> Json:
    installer = image.installer(runtime, SECURITY)
    return {
        "name": "pull",
        "image": reference,
        "imagePullPolicy": "IfNotPresent",
        "command": [*image.INTERPRETER, "-c", ""],
        "env": image.variables(),
        "resources": installer["resources"],
        "securityContext": SECURITY,
        "volumeMounts": image.mounts(),
    }
