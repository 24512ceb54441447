"""Condenses botocore's models to the facts that the gateway drives itself by.

`python -m tests.support.lambda_model` writes them; tests/gateway/apis/lambda_/test_model.py and
tests/gateway/apis/logs/test_service.py hold the files to what the installed botocore says.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.loaders

from pilotlight_gateway.apis.logs.table import LOGS

APIS = Path(__file__).parents[2] / "gateway/pilotlight_gateway/apis"
MODEL = APIS / "lambda_/model.json"
LOGS_MODEL = APIS / "logs/model.json"
_CONSTRAINTS = ("type", "enum", "min", "max", "pattern", "required", "sensitive")
_PLACES = ("location", "locationName")


def condense() -> dict[str, Any]:
    """Return operations with their HTTP form, and the shapes that their inputs use."""
    service = botocore.loaders.Loader().load_service_model("lambda", "service-2")
    shapes: dict[str, Any] = {}
    operations = {}
    for name, operation in sorted(service["operations"].items()):
        http = operation["http"]
        operations[name] = {
            "method": http["method"],
            "path": http["requestUri"],
            "status": http.get("responseCode", 200),
        }
        if "input" in operation:
            operations[name]["input"] = operation["input"]["shape"]
            _collect(service["shapes"], operation["input"]["shape"], shapes)
    return {"operations": operations, "shapes": dict(sorted(shapes.items()))}


def _collect(source: dict[str, Any], name: str, shapes: dict[str, Any]) -> None:
    if name in shapes:
        return
    shape = source[name]
    kept = shapes[name] = {key: shape[key] for key in _CONSTRAINTS if key in shape}
    if "payload" in shape:
        kept["payload"] = shape["payload"]
    for part in ("member", "key", "value"):
        if part in shape:
            kept[part] = shape[part]["shape"]
            _collect(source, kept[part], shapes)
    for member, target in shape.get("members", {}).items():
        places = {key: target[key] for key in _PLACES if key in target}
        kept.setdefault("members", {})[member] = {"shape": target["shape"]} | places
        _collect(source, target["shape"], shapes)


def condense_logs() -> dict[str, Any]:
    """Return CloudWatch Logs' operations with their inputs, and the shapes of those served."""
    service = botocore.loaders.Loader().load_service_model("logs", "service-2")
    shapes: dict[str, Any] = {}
    operations = {
        name: operation.get("input", {}).get("shape", "")
        for name, operation in sorted(service["operations"].items())
    }
    for name in LOGS:
        _collect(service["shapes"], operations[name], shapes)
    return {"operations": operations, "shapes": dict(sorted(shapes.items()))}


def render(facts: dict[str, Any] | None = None) -> str:
    """Return a file's text; Lambda's if nothing is said."""
    return json.dumps(facts or condense(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    MODEL.write_text(render())
    LOGS_MODEL.write_text(render(condense_logs()))
