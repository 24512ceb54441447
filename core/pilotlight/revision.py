"""A revision is the hash of what a function runs: the same code and configuration, the same hash.

The operator's function service computes it, pods are labelled with it, and gateways route by it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .resources import Configuration, FunctionSpec

__all__ = ["digest_environment", "digest_spec", "revision_of", "revision_of_version"]

_BESIDE = (
    "async", "codeSigningConfig", "policy", "publish", "recursiveLoop", "reservedConcurrency",
    "tags", "url",
)  # fmt: skip
"""Fields of a spec that are neither code nor configuration to Lambda, which sets them otherwise."""


_SAYS_NOTHING: dict[str, Any] = {
    "layers": [],
    "tracing": "PassThrough",
    "snapStart": "None",
    "callsPerEnvironment": 1,
    "fileSystems": [],
    "secretFiles": [],
}
"""Values of the fields that came later: a revision without them is what it always was."""


def revision_of(configuration: Configuration) -> str:
    """Return the revision of a configuration: 16 hex digits, the same on every machine."""
    return _digest(_said(configuration))[:16]


def revision_of_version(configuration: Configuration, number: int) -> str:
    """Return the revision of a version: an environment is told its version, so none is shared."""
    return _digest({"version": number, "configuration": _said(configuration)})[:16]


def _said(configuration: Configuration) -> dict[str, Any]:
    """Return what is hashed: nothing of fields that came later, where they say nothing."""
    said = configuration.to_json()
    return {key: value for key, value in said.items() if _SAYS_NOTHING.get(key, ...) != value}


def digest_environment(variables: Mapping[str, str]) -> str:
    """Digest a Secret's variables, so that a change of them makes a new revision.

    Only this digest stands in a status; the values do not.
    """
    return _digest(dict(variables))[:16]


def digest_spec(spec: FunctionSpec) -> str:
    """Digest a function's code and configuration, whose changes Lambda calls updates.

    Its `LastModified` and `LastUpdateStatus` tell of those, and of nothing else.
    """
    said = spec.to_json()
    return _digest({name: said[name] for name in said if name not in _BESIDE})[:16]


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
