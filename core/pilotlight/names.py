"""Names of two worlds: Lambda's functions and accounts, and Kubernetes' objects and namespaces.

Lambda's names may hold capitals and underscores and be 140 characters long; an object's may not.
The rules are the design's section 3, "Names"; the gateway names objects by them, the operator
looks functions up by the label that they give.
"""

from __future__ import annotations

import hashlib
import re

__all__ = [
    "ACCESS_KEY_LABEL",
    "ACCESS_POINT_LABEL",
    "ACCOUNT_LABEL",
    "ENCRYPTED_BY_ANNOTATION",
    "ENVIRONMENT_LABEL",
    "FUNCTION_LABEL",
    "LAST_VERSION_ANNOTATION",
    "MODIFIED_ANNOTATION",
    "NETWORK_LABEL",
    "POSIX_USER_ANNOTATION",
    "RECIPE_ANNOTATION",
    "REVISION_LABEL",
    "RUNTIME_LABEL",
    "SECURITY_GROUP_LABEL",
    "SUPERSEDED_ANNOTATION",
    "TENANT_ANNOTATION",
    "alias_object_name",
    "derive_account",
    "label_value",
    "object_name",
    "security_group_label",
    "version_object_name",
]

ACCESS_KEY_LABEL = "pilotlight.dev/access-key"
"""Of a Secret of the release's namespace that is an access key: `true`."""
ACCESS_POINT_LABEL = "pilotlight.dev/access-point"
"""Of a PersistentVolumeClaim that functions of its namespace may mount: `fsap-…`."""
ACCOUNT_LABEL = "pilotlight.dev/account-id"
"""Label of a namespace: the 12-digit account that it is."""
ENCRYPTED_BY_ANNOTATION = "pilotlight.dev/encrypted-by"
"""On Secrets with a function's variables: the KMSKeyArn whose key encrypted them."""
ENVIRONMENT_LABEL = "pilotlight.dev/environment"
"""Of a Secret whose values any function of its namespace may get: `true`."""
FUNCTION_LABEL = "pilotlight.dev/function"
"""Label of what belongs to a function: the function's object name."""
LAST_VERSION_ANNOTATION = "pilotlight.dev/last-version"
"""Annotation of a function: the highest version number that was ever given, deleted ones too."""
MODIFIED_ANNOTATION = "pilotlight.dev/modified"
"""Annotation of a function: when the API last changed code or configuration, RFC 3339 with
milliseconds; what kubectl changes, the operator dates when it sees it."""
NETWORK_LABEL = "pilotlight.dev/network"
"""Of pods with a network of their function's own, and of the policy that opens it: its digest. What
the chart opens for all functions is not for pods with this label."""
POSIX_USER_ANNOTATION = "pilotlight.dev/posix-user"
"""Of a claim with an access point: `UID:GID`, whom the pods that mount it run as."""
RECIPE_ANNOTATION = "pilotlight.dev/recipe"
"""Annotation of a pod: how its runtime said that pods are made when it was."""
RUNTIME_LABEL = "pilotlight.dev/runtime"
"""Label of a pod: the runtime that it can run."""
REVISION_LABEL = "pilotlight.dev/revision"
"""Label of a pod that was specialised: the revision it runs."""
SECURITY_GROUP_LABEL = "pilotlight.dev/security-group"
"""Of a NetworkPolicy that functions of its namespace may join: `sg-…`."""
SUPERSEDED_ANNOTATION = "pilotlight.dev/superseded"
"""Of a function's network policy: since when nothing that is served needs it."""
TENANT_ANNOTATION = "pilotlight.dev/tenant-id"
"""Annotation of a pod that was specialised for one tenant of its function: which one."""

_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LONGEST = 48
_LONGEST_LABEL = 63


def object_name(function_name: str) -> str:
    """Name the Kubernetes object for a Lambda function name.

    The name itself where it is a legal object name of at most 48 characters; otherwise
    lower-cased, cleaned and cut, with `-` and 8 hex digits of its sha256.
    """
    cut = re.sub(r"[^-a-z0-9]", "-", function_name.lower())[:_LONGEST]
    if cut == function_name and _OBJECT_NAME.fullmatch(cut):
        return cut
    digest = hashlib.sha256(function_name.encode()).hexdigest()[:8]
    return f"{cut.strip('-') or 'function'}-{digest}"


def version_object_name(function: str, number: int) -> str:
    """Name the object of a function's version; `function` is the function's own object name."""
    return f"{function}-v{number}"


def alias_object_name(function: str, alias: str) -> str:
    """Name the object of a function's alias."""
    return f"{function}-{object_name(alias)}"


def security_group_label(group: str) -> str:
    """Return the label of pods that are in a security group, whose value is `true`."""
    return f"security-group.pilotlight.dev/{group}"


def label_value(name: str) -> str:
    """Return an object's name as a label: itself, or cut with 8 hex digits of its sha256."""
    if len(name) <= _LONGEST_LABEL:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_LABEL - 9]}-{digest}"


def derive_account(namespace: str) -> str:
    """Derive the 12-digit account id of a namespace that carries no label.

    Deterministic, so that two operators agree; a collision is the caller's to refuse.
    """
    number = int.from_bytes(hashlib.sha256(namespace.encode()).digest()[:8], "big")
    return f"{number % 10**12:012d}"
