"""Makes the CustomResourceDefinitions from the models: `python -m pilotlight.resources.crd`.

The API server then refuses what the models refuse, with defaults, limits and descriptions in one
place. Rules between fields are CEL in the models themselves (`meta.cel`); a test holds the chart's
copy equal to what this writes, and end-to-end tests hold the rules equal to the validators.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from .meta import GROUP, VERSION, Resource
from .registry import CUSTOM_KINDS

__all__ = ["crds", "definition", "to_yaml"]

Json = dict[str, Any]

_RULES = "x-kubernetes-validations"


def crds() -> list[Json]:
    """Return all CustomResourceDefinitions."""
    return [definition(kind) for kind in CUSTOM_KINDS.values()]


def definition(kind: type[Resource]) -> Json:
    """Return the CustomResourceDefinition of one kind."""
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
            {"name": column.name, "type": column.type, "jsonPath": column.path}
            for column in kind.columns
        ],
    }
    return version | ({"subresources": {"status": {}}} if "status" in kind.model_fields else {})


def _schema(kind: type[Resource]) -> Json:
    raw = kind.model_json_schema(by_alias=True)
    schema = _structural(raw, raw.get("$defs", {}))
    properties = schema["properties"]
    parts = {name: properties[name] for name in ("spec", "status") if name in properties}
    return {
        "type": "object",
        "description": schema["description"],
        "required": ["spec"],
        "properties": _HEAD | parts,
        **{name: schema[name] for name in (_RULES,) if name in schema},
    }


_HEAD: Json = {
    "apiVersion": {"type": "string", "description": "Version of this representation."},
    "kind": {"type": "string", "description": "Kind of the resource."},
    "metadata": {"type": "object"},
}


def _structural(node: Json, models: Json) -> Json:
    """Make a structural schema of pydantic's: references resolved, nothing nullable, no titles."""
    reference = node.get("$ref")
    if reference is not None:
        name = reference.rpartition("/")[2]
        own = {key: value for key, value in node.items() if key != "$ref"}
        return _structural(models[name], models) | own
    if "anyOf" in node:
        (given,) = [choice for choice in node["anyOf"] if choice.get("type") != "null"]
        beside = {key: node[key] for key in _BESIDE if key in node}
        return _structural(given | beside, models)
    # Models forbid what they do not know; Kubernetes prunes it, or refuses it in strict mode.
    kept = {key: node[key] for key in node if key in _KEPT and node[key] is not False}
    if "const" in node:
        kept["enum"] = [node["const"]]
    return {key: _child(key, value, models) for key, value in kept.items()}


_BESIDE = ("description", "maxProperties", _RULES)
"""What is said of a field that may be absent, beside what it is."""
_KEPT = frozenset({
    "type", "description", "default", "enum", "pattern", "format", "items", "properties",
    "required", "additionalProperties", "minimum", "maximum", "minLength", "maxLength",
    "minItems", "maxItems", "maxProperties", _RULES,
})  # fmt: skip


def _child(key: str, value: Any, models: Json) -> Any:
    if key == "properties":
        return {name: _property(node, models) for name, node in value.items()}
    if key in {"items", "additionalProperties"} and isinstance(value, dict):
        return _structural(value, models)
    return value


def _property(node: Json, models: Json) -> Json:
    schema = _structural(node, models)
    if schema.get("type") == "array" and "type" in schema["items"].get("properties", {}):
        schema |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return schema


def to_yaml() -> str:
    """Return all CustomResourceDefinitions as YAML documents."""
    import yaml  # noqa: PLC0415  only who writes the chart needs it, core does not depend on it

    plain = json.loads(json.dumps(crds()))  # nothing shared, so that no YAML anchor appears
    text: str = yaml.safe_dump_all(plain, sort_keys=False, width=100, allow_unicode=True)
    return text


def main() -> None:
    """Write the chart's copy to standard output."""
    sys.stdout.write(to_yaml())


if __name__ == "__main__":
    main()
