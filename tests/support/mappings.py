"""Event source mappings as manifests say them, and the Secrets that they name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pilotlight.names import ENVIRONMENT_LABEL
from pilotlight.resources import ObjectMeta, Secret

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

__all__ = ["apply_mapping", "make_secret"]


def apply_mapping(harness: GatewayHarness, name: str, spec: dict[str, Any]) -> str:
    """Apply a mapping; returns its uid, which is its UUID."""
    manifest = {
        "apiVersion": "pilotlight.dev/v1alpha1", "kind": "EventSourceMapping",
        "metadata": {"name": name}, "spec": spec,
    }  # fmt: skip
    status, _, body = harness.post("/-/apply", json.dumps(manifest).encode())
    assert status == 200, body
    return str(json.loads(body)["metadata"]["uid"])


def make_secret(
    harness: GatewayHarness, name: str, *, labelled: bool = True, **values: str
) -> None:
    """Make a Secret of the account, for functions unless it is not labelled so."""
    labels = {ENVIRONMENT_LABEL: "true"} if labelled else {}
    metadata = ObjectMeta(name=name, namespace="default", labels=labels)
    harness.call(harness.resources.create(Secret(metadata=metadata, string_data=values)))
