"""Condenses botocore's model of the Lambda API to the facts that the gateway drives itself by.

`python -m tests.support.lambda_model` writes them; tests/gateway/apis/lambda_/test_model.py holds
the file to what the installed botocore says.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.loaders

MODEL = Path(__file__).parents[2] / "gateway/pilotlight_gateway/apis/lambda_/model.json"
_CONSTRAINTS = ("type", "enum", "min", "max", "pattern", "required")
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


def render() -> str:
    """Return the file's text."""
    return json.dumps(condense(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    MODEL.write_text(render())
