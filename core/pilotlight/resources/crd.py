"""Makes the CustomResourceDefinitions from the models: `python -m pilotlight.resources.crd`.

The API server then refuses what the models refuse, with defaults, limits and descriptions in one
place. Rules between fields are CEL beside their model's name below; a test holds the chart's copy
equal to what this writes, and end-to-end tests hold the rules equal to the validators.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from .function import LARGEST_ENVIRONMENT, RESERVED_VARIABLES, Function
from .meta import GROUP, VERSION, Resource
from .runtime import Runtime

__all__ = ["crds", "definition", "to_yaml"]

Json = dict[str, Any]

_FUNCTION_COLUMNS = (
    ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status"),
    ("Reason", "string", ".status.conditions[?(@.type=='Ready')].reason"),
    ("Runtime", "string", ".spec.runtime"),
    ("Memory", "integer", ".spec.memory"),
    ("State", "string", ".status.state"),
    ("Revision", "string", ".status.revision"),
    ("Age", "date", ".metadata.creationTimestamp"),
)
_RUNTIME_COLUMNS = (
    ("Image", "string", ".spec.image"),
    ("Overhead", "integer", ".spec.overhead"),
    ("Age", "date", ".metadata.creationTimestamp"),
)
_COLUMNS = {Function: _FUNCTION_COLUMNS, Runtime: _RUNTIME_COLUMNS}

_RULES: dict[str, tuple[tuple[str, str], ...]] = {
    "Function": (
        (
            "has(self.spec.functionName) || self.metadata.name.matches('^[a-zA-Z0-9-_]{1,64}$')",
            "metadata.name is no Lambda function name: give spec.functionName",
        ),
    ),
    "FunctionSpec": (
        (
            (
                "has(self.functionName) == has(oldSelf.functionName) && "
                "(!has(self.functionName) || self.functionName == oldSelf.functionName)"
            ),
            "functionName is immutable",
        ),
        (
            "has(self.code.image) || (has(self.runtime) && has(self.handler))",
            "runtime and handler are required unless code.image is given",
        ),
        (
            "!has(self.code.image) || (!has(self.runtime) && !has(self.handler))",
            "runtime and handler are not supported with code.image",
        ),
        (
            (
                "!has(self.runtime) || !has(self.handler) || !self.runtime.startsWith('python') || "
                "self.handler.contains('.')"
            ),
            "handler has no dot: file.function is expected, such as index.handler",
        ),
    ),
    "Code": (
        (
            (
                "[has(self.inline), has(self.zip), has(self.s3), has(self.image)]"
                ".filter(given, given).size() == 1"
            ),
            "exactly one of inline, zip, s3 and image is expected",
        ),
    ),
    "Logging": (
        (
            "self.format == 'JSON' || (!has(self.applicationLevel) && !has(self.systemLevel))",
            "log levels are only supported with format JSON",
        ),
    ),
}
_ENVIRONMENT_RULES = (
    (
        f"!self.exists(name, name in {sorted(RESERVED_VARIABLES)})",
        "reserved keys are not supported: Lambda sets them itself",
    ),
    (
        "self.all(name, name.matches('^[a-zA-Z][a-zA-Z0-9_]+$'))",
        "names of environment variables must match [a-zA-Z]([a-zA-Z0-9_])+",
    ),
    (
        (
            "self.map(name, bytes(name).size() + bytes(self[name]).size()).sum() "
            f"<= {LARGEST_ENVIRONMENT}"
        ),
        f"environment variables exceed the 4KB limit of {LARGEST_ENVIRONMENT} bytes in all",
    ),
)
_MOST_VARIABLES = LARGEST_ENVIRONMENT // 2
"""A name has two characters at least; the API server wants a bound to price its rules by."""
_MOST_TAGS = 50


def crds() -> list[Json]:
    """Give all CustomResourceDefinitions."""
    return [definition(Function), definition(Runtime)]


def definition(kind: type[Resource]) -> Json:
    """Give the CustomResourceDefinition of one kind."""
    singular = kind.kind_name.lower()
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Cluster" if kind.cluster_scoped else "Namespaced",
            "names": {
                "kind": kind.kind_name,
                "listKind": f"{kind.kind_name}List",
                "plural": kind.plural,
                "singular": singular,
                "shortNames": list(kind.short_names),
                "categories": ["serverless", "all-pilotlight"],
            },
            "versions": [_version(kind)],
        },
    }


def _version(kind: type[Resource]) -> Json:
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _schema(kind)},
        "additionalPrinterColumns": [
            {"name": name, "type": type_, "jsonPath": path} for name, type_, path in _COLUMNS[kind]
        ],
    }
    return version | ({"subresources": {"status": {}}} if "status" in kind.model_fields else {})


def _schema(kind: type[Resource]) -> Json:
    raw = kind.model_json_schema(by_alias=True)
    schema = _structural(raw, raw.get("$defs", {}))
    properties = schema["properties"]
    parts = {name: properties[name] for name in ("spec", "status") if name in properties}
    if kind is Function:
        _bound_maps(parts["spec"]["properties"])
    return {
        "type": "object",
        "description": schema["description"],
        "required": ["spec"],
        "properties": _HEAD | parts,
        **_validations(_RULES.get(kind.__name__, ())),
    }


_HEAD: Json = {
    "apiVersion": {"type": "string", "description": "Version of this representation."},
    "kind": {"type": "string", "description": "Kind of the resource."},
    "metadata": {"type": "object"},
}


def _bound_maps(properties: Json) -> None:
    """Give the maps of a function's spec their bounds, and the environment its rules."""
    environment, tags = properties["environment"], properties["tags"]
    environment["maxProperties"] = _MOST_VARIABLES
    environment["additionalProperties"]["maxLength"] = LARGEST_ENVIRONMENT
    environment.update(_validations(_ENVIRONMENT_RULES))
    tags["maxProperties"] = _MOST_TAGS


def _structural(node: Json, models: Json) -> Json:
    """Make a structural schema of pydantic's: references resolved, nothing nullable, no titles."""
    reference = node.get("$ref")
    if reference is not None:
        name = reference.rpartition("/")[2]
        own = {key: value for key, value in node.items() if key != "$ref"}
        return _structural(models[name], models) | own | _validations(_RULES.get(name, ()))
    if "anyOf" in node:
        (given,) = [choice for choice in node["anyOf"] if choice.get("type") != "null"]
        described = {"description": node["description"]} if "description" in node else {}
        return _structural(given | described, models)
    # Models forbid what they do not know; Kubernetes prunes it, or refuses it in strict mode.
    kept = {key: node[key] for key in node if key in _KEPT and node[key] is not False}
    return {key: _child(key, value, models) for key, value in kept.items()}


_KEPT = frozenset({
    "type", "description", "default", "enum", "pattern", "format", "items", "properties",
    "required", "additionalProperties", "minimum", "maximum", "minLength", "maxLength",
})  # fmt: skip


def _child(key: str, value: Any, models: Json) -> Any:
    if key == "properties":
        return {name: _property(node, models) for name, node in value.items()}
    if key in {"items", "additionalProperties"} and isinstance(value, dict):
        return _structural(value, models)
    return value


def _property(node: Json, models: Json) -> Json:
    schema = _structural(node, models)
    if schema.get("type") == "array":
        schema |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return schema


def _validations(rules: tuple[tuple[str, str], ...]) -> Json:
    if not rules:
        return {}
    said = [{"rule": rule, "message": message} for rule, message in rules]
    return {"x-kubernetes-validations": said}


def to_yaml() -> str:
    """Give all CustomResourceDefinitions as YAML documents."""
    import yaml  # noqa: PLC0415  only who writes the chart needs it, core does not depend on it

    plain = json.loads(json.dumps(crds()))  # nothing shared, so that no YAML anchor appears
    text: str = yaml.safe_dump_all(plain, sort_keys=False, width=100, allow_unicode=True)
    return text


def main() -> None:
    """Write the chart's copy to standard output."""
    sys.stdout.write(to_yaml())


if __name__ == "__main__":
    main()
