"""Condenses botocore's models to one fact a service: the protocol that its clients speak.

`python -m tests.support.aws_protocols` writes them; tests/gateway/apis/test_unserved.py holds the
file to what the installed botocore says.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.loaders
import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOCOLS = Path(__file__).parents[2] / "gateway/pilotlight_gateway/apis/protocols.json"
_MAIN = {"dynamodb": "dynamodb", "s3": "s3", "rds": "rds"}
"""Of services that share a name in signatures, the one whose protocol counts."""
_ENDINGS: dict[str, Callable[[bytes], bytes]] = {".json": bytes, ".json.gz": gzip.decompress}


class _Files:
    """Reads models as botocore's loader of files does, a hundred megabytes in seconds.

    That one, with json and ordered dictionaries, takes ten times as long.
    """

    def exists(self, file_path: str) -> bool:
        """Say whether there is a file of that name, whatever its ending."""
        return any(Path(file_path + ending).is_file() for ending in _ENDINGS)

    def load_file(self, file_path: str) -> Any:
        """Return what a file of that name holds; None where there is none."""
        for ending, unpack in _ENDINGS.items():
            if (file := Path(file_path + ending)).is_file():
                return orjson.loads(unpack(file.read_bytes()))
        return None


def condense() -> dict[str, str]:
    """Return the protocol by the name in signatures' scopes."""
    loader = botocore.loaders.Loader(file_loader=_Files())
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
