"""Condenses botocore's models to one fact a service: the protocol that its clients speak.

`python -m tests.support.aws_protocols` writes them; tests/gateway/apis/test_unserved.py holds the
file to what the installed botocore says.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.loaders

PROTOCOLS = Path(__file__).parents[2] / "gateway/pilotlight_gateway/apis/protocols.json"
_MAIN = {"dynamodb": "dynamodb", "s3": "s3", "rds": "rds"}
"""Of services that share a name in signatures, the one whose protocol counts."""


def condense() -> dict[str, str]:
    """Return the protocol by the name in signatures' scopes."""
    loader = botocore.loaders.Loader()
    found: dict[str, str] = {}
    for service in loader.list_available_services("service-2"):
        metadata = loader.load_service_model(service, "service-2")["metadata"]
        name = metadata.get("signingName") or metadata["endpointPrefix"]
        if name not in found or _MAIN.get(name) == service:
            found[name] = _protocol(name, metadata)
    return dict(sorted(found.items()))


def _protocol(name: str, metadata: dict[str, Any]) -> str:
    protocol = str(metadata["protocol"])
    if protocol == "json":
        return f"json-{metadata.get('jsonVersion', '1.0')}"
    if protocol == "smithy-rpc-v2-cbor":
        return "rpc-v2-cbor"
    # S3 alone wraps its errors in nothing (Smithy, "noErrorWrapping").
    return "s3" if (name, protocol) == ("s3", "rest-xml") else protocol


def render() -> str:
    """Return the file's text."""
    return json.dumps(condense(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    PROTOCOLS.write_text(render())
