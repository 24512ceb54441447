"""The pod in which a function's environments run, as Kubernetes is told to make it.

It passes Pod Security `restricted`, and holds neither code nor secrets: the agent in it is
specialised later, with a token of which only the sha256 stands here. No field of a function's spec
goes into it but memory, /tmp, a container image (`image`), what it mounts (`file_systems`,
`secret_files`) and its own walls' labels (`network`). `storage.pods` creates it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pilotlight.names import (
    FUNCTION_LABEL,
    RECIPE_ANNOTATION,
    REVISION_LABEL,
    RUNTIME_LABEL,
    TENANT_ANNOTATION,
    label_value,
)
from pilotlight.resources import GROUP, VERSION
from pilotlight.walls import Walls
from pilotlight_wire.protocol import AGENT_PORT

from . import file_systems, image, network, secret_files
from .users import uid_of

if TYPE_CHECKING:
    from pilotlight.compute import PodRequest
    from pilotlight.resources import Runtime, RuntimeSpec

__all__ = [
    "MANAGED_BY",
    "SECURITY",
    "PodSettings",
    "assignment",
    "manifest",
    "owner",
    "pod_security",
]

Json = dict[str, Any]

MANAGED_BY = {"app.kubernetes.io/managed-by": "pilotlight", "app.kubernetes.io/component": "pod"}
"""Labels of every pod that runs functions; the chart's NetworkPolicies select by them."""
CONTAINER = "agent"

MEGABYTES_PER_CPU = 1769
"""AWS Lambda Developer Guide, "Configure Lambda function memory"."""
CODE_MEGABYTES = 320
"""An unpacked package (250 MB) and the archive it comes from (50 MB)."""
LOG_MEGABYTES = 64
LATE_MEGABYTES = 512
"""What /tmp may take above its size until the agent has seen it: a node would end the pod, and say
nothing to who called the function."""
GRACE_SECONDS = 930
"""Lambda's longest timeout and the time a kill takes: a running invocation ends first."""
ZONE = "topology.kubernetes.io/zone"
SPREAD_OVER = (ZONE, "kubernetes.io/hostname")
SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


@dataclass(frozen=True, slots=True)
class PodSettings:
    """What the chart says about pods."""

    least_cpu: float = 0.5
    """CPUs a pod may use even where its memory stands for less: starting is all CPU."""
    cpu_request: float = 0.02
    """Part of the CPU limit that is requested."""
    pull_secret: str | None = None
    walls: Walls = field(default_factory=Walls)
    """Where the zones of subnets stand."""


def manifest(
    name: str, token_sha256: str, request: PodRequest, runtime: Runtime, settings: PodSettings
) -> Json:
    """Return the manifest of a pod; `token_sha256` is what its agent knows of its token.

    A generic pod is the `Runtime`'s until `assignment` makes it a function's.
    """
    namespace = request.namespace
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {**MANAGED_BY, **network.labels(request.network), **_labels(request)},
            "annotations": {
                "cluster-autoscaler.kubernetes.io/safe-to-evict": "true",
                RECIPE_ANNOTATION: runtime.spec.recipe,
                **_annotations(request),
            },
            "ownerReferences": [_owner_of(request, runtime)],
        },
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            # Where extensions listen for telemetry; what they bind must be a name that there is.
            "hostAliases": [{"ip": "127.0.0.1", "hostnames": ["sandbox.localdomain", "sandbox"]}],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "securityContext": pod_security(uid_of(namespace, _whose(name, request)))
            | file_systems.security(request.file_systems),
            **network.affinity(request.network, settings.walls),
            "topologySpreadConstraints": _spread(request),
            **_init_containers(request, runtime.spec),
            "containers": [_container(token_sha256, request, runtime.spec, settings)],
            "volumes": _volumes(request),
            **(
                {"imagePullSecrets": [{"name": settings.pull_secret}]}
                if settings.pull_secret
                else {}
            ),
        },
    }


def assignment(request: PodRequest) -> Json:
    """Return the patch that makes a generic pod a function's; lists are replaced whole."""
    return {
        "metadata": {
            "labels": _labels(request),
            "annotations": _annotations(request),
            "ownerReferences": [_function(request)],
        }
    }


def narrowing(request: PodRequest, runtime: Runtime, settings: PodSettings) -> Json:
    """Return the patch of `resize` that makes a generic pod as small as its function."""
    resources = _resources(request, runtime.spec, settings)
    # Only these two can be changed while a pod runs; what a patch does not name stays.
    resized = {kind: {name: values[name] for name in ("cpu", "memory")}
               for kind, values in resources.items()}  # fmt: skip
    return {"spec": {"containers": [{"name": CONTAINER, "resources": resized}]}}


def _whose(name: str, request: PodRequest) -> str:
    """Name whose processes those of a pod are: a function's, one of its tenants', its own."""
    if request.revision is None:
        return name
    tenant = request.revision.tenant
    return f"{request.revision.function}/{tenant}" if tenant else request.revision.function


def _annotations(request: PodRequest) -> dict[str, str]:
    if request.revision is None or not request.revision.tenant:
        return {}
    return {TENANT_ANNOTATION: request.revision.tenant}


def _labels(request: PodRequest) -> dict[str, str]:
    labels = {RUNTIME_LABEL: label_value(request.runtime)}
    if request.revision is not None:
        labels[FUNCTION_LABEL] = label_value(request.revision.function)
        labels[REVISION_LABEL] = request.revision.revision
    return labels


def _owner_of(request: PodRequest, runtime: Runtime) -> Json:
    if request.revision is not None:
        return _function(request)
    return owner("Runtime", runtime.metadata.name, runtime.metadata.uid)


def _function(request: PodRequest) -> Json:
    name = request.revision.function if request.revision else ""
    return owner("Function", name, request.function_uid)


def owner(kind: str, name: str, uid: str) -> Json:
    """Return a reference to what a pod goes with."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def pod_security(uid: int) -> Json:
    """Return whom all processes of a pod run as."""
    return {
        "runAsNonRoot": True,
        "runAsUser": uid,
        "runAsGroup": uid,
        "fsGroup": uid,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _spread(request: PodRequest) -> list[Json]:
    """Spread a pool, or a function's pods, over zones and nodes as far as there is room."""
    if request.revision is None:
        selector: Json = {
            "matchLabels": MANAGED_BY | _labels(request),
            "matchExpressions": [{"key": FUNCTION_LABEL, "operator": "DoesNotExist"}],
        }
    else:
        selector = {"matchLabels": {FUNCTION_LABEL: label_value(request.revision.function)}}
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": selector,
        }
        for key in SPREAD_OVER
    ]


def _init_containers(request: PodRequest, runtime: RuntimeSpec) -> Json:
    return {"initContainers": [image.installer(runtime, SECURITY)]} if request.image else {}


def _volumes(request: PodRequest) -> list[Json]:
    code = [_volume("code", CODE_MEGABYTES), _volume("layers", CODE_MEGABYTES)]
    temporary = _volume("temporary", request.ephemeral_storage + LATE_MEGABYTES)
    own = image.volumes() if request.image else code
    return [
        *own,
        temporary,
        *file_systems.volumes(request.file_systems),
        *secret_files.volumes(request.secret_files),
    ]


def _volume(name: str, megabytes: int) -> Json:
    return {"name": name, "emptyDir": {"sizeLimit": f"{megabytes}Mi"}}


def _container(
    token_sha256: str, request: PodRequest, runtime: RuntimeSpec, settings: PodSettings
) -> Json:
    return {
        "name": CONTAINER,
        "image": runtime.image,
        "imagePullPolicy": runtime.image_pull_policy,
        "env": [
            {"name": "PILOTLIGHT_AGENT_LISTEN", "value": f"0.0.0.0:{AGENT_PORT}"},
            {"name": "PILOTLIGHT_AGENT_TOKEN_SHA256", "value": token_sha256},
            # Only a pod that waits for its function has the time to prepare for it.
            {
                "name": "PILOTLIGHT_AGENT_RUNTIME",
                "value": "" if request.revision else request.runtime,
            },
            {"name": "PILOTLIGHT_AGENT_MEMORY", "value": str(request.expected_memory)},
            # The node's label, which Kubernetes lays on pods that it binds; else it is empty.
            {
                "name": "PILOTLIGHT_AGENT_ZONE",
                "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{ZONE}']"}},
            },
            *(image.variables() if request.image else []),
        ],
        "ports": [{"name": "agent", "containerPort": AGENT_PORT}],
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": "agent"},
            "periodSeconds": 2,
            "failureThreshold": 3,
        },
        "resources": _resources(request, runtime, settings),
        "securityContext": SECURITY,
        **(image.container(request) if request.image else {}),
        "volumeMounts": _mounts(request),
    }


def _mounts(request: PodRequest) -> list[Json]:
    code = [{"name": "code", "mountPath": "/var/task"}, {"name": "layers", "mountPath": "/opt"}]
    return [
        *(image.mounts() if request.image else code),
        {"name": "temporary", "mountPath": "/tmp"},  # noqa: S108  Lambda's own path
        *file_systems.mounts(request.file_systems),
        *secret_files.mounts(request.secret_files),
    ]


def _resources(request: PodRequest, runtime: RuntimeSpec, settings: PodSettings) -> Json:
    cpu = max(settings.least_cpu, request.memory / MEGABYTES_PER_CPU)
    disk = CODE_MEGABYTES + request.ephemeral_storage + LATE_MEGABYTES + LOG_MEGABYTES
    return {
        "limits": {
            "cpu": f"{cpu * 1000:.0f}m",
            "memory": f"{request.memory + runtime.overhead}Mi",
            "ephemeral-storage": f"{disk}Mi",
        },
        "requests": {
            "cpu": f"{max(cpu * settings.cpu_request * 1000, 1):.0f}m",
            "memory": f"{runtime.overhead}Mi",
            "ephemeral-storage": f"{LOG_MEGABYTES}Mi",
        },
    }
