"""Makes the CustomResourceDefinitions from the models: `python -m pilotlight.resources.crd`.

The API server then refuses what the models refuse, with defaults, limits and descriptions in one
place. Rules between fields are CEL beside their model's name below; a test holds the chart's copy
equal to what this writes, and end-to-end tests hold the rules equal to the validators.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from .alias import FunctionAlias
from .function import LARGEST_ENVIRONMENT, RESERVED_VARIABLES, Function
from .meta import GROUP, VERSION, Resource
from .route import Route
from .runtime import Runtime
from .schedule import Schedule
from .version import FunctionVersion

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
_VERSION_COLUMNS = (
    ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status"),
    ("Function", "string", ".spec.functionName"),
    ("Version", "integer", ".spec.version"),
    ("Provisioned", "integer", ".spec.provisionedConcurrency"),
    ("Available", "integer", ".status.provisioned.available"),
    ("Age", "date", ".metadata.creationTimestamp"),
)
_ALIAS_COLUMNS = (
    ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status"),
    ("Function", "string", ".spec.function"),
    ("Alias", "string", ".spec.alias"),
    ("Version", "string", ".spec.version"),
    ("Provisioned", "integer", ".spec.provisionedConcurrency"),
    ("Available", "integer", ".status.provisioned.available"),
    ("Age", "date", ".metadata.creationTimestamp"),
)
_ROUTE_COLUMNS = (
    ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status"),
    ("Reason", "string", ".status.conditions[?(@.type=='Ready')].reason"),
    ("Host", "string", ".spec.host"),
    ("Path", "string", ".spec.path"),
    ("Function", "string", ".spec.function"),
    ("Age", "date", ".metadata.creationTimestamp"),
)
_SCHEDULE_COLUMNS = (
    ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status"),
    ("Reason", "string", ".status.conditions[?(@.type=='Ready')].reason"),
    ("Expression", "string", ".spec.expression"),
    ("Function", "string", ".spec.function"),
    ("Last", "string", ".status.lastTime"),
    ("Next", "string", ".status.nextTime"),
    ("Age", "date", ".metadata.creationTimestamp"),
)
_RUNTIME_COLUMNS = (
    ("Image", "string", ".spec.image"),
    ("Overhead", "integer", ".spec.overhead"),
    ("Age", "date", ".metadata.creationTimestamp"),
)
_COLUMNS = {
    Function: _FUNCTION_COLUMNS,
    FunctionVersion: _VERSION_COLUMNS,
    FunctionAlias: _ALIAS_COLUMNS,
    Route: _ROUTE_COLUMNS,
    Runtime: _RUNTIME_COLUMNS,
    Schedule: _SCHEDULE_COLUMNS,
}

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
    "FunctionVersionSpec": (
        (
            (
                "self.__function__ == oldSelf.__function__ && "
                "self.functionName == oldSelf.functionName && "
                "self.version == oldSelf.version && self.revision == oldSelf.revision && "
                "self.configuration == oldSelf.configuration"
            ),
            "a version's code and configuration never change",
        ),
    ),
    "FunctionAliasSpec": (
        (
            "self.__function__ == oldSelf.__function__ && self.alias == oldSelf.alias",
            "function and alias are immutable",
        ),
        (
            "!self.alias.matches('^[0-9]+$')",
            "alias is a number: an alias' name holds another character, too",
        ),
        (
            (
                "self.version != '$LATEST' || "
                "(!has(self.provisionedConcurrency) && "
                "(!has(self.weights) || size(self.weights) == 0))"
            ),
            "$LATEST has neither weights nor provisioned concurrency",
        ),
        (
            (
                "!has(self.weights) || "
                "self.weights.all(name, self.weights[name] >= 0.0 && self.weights[name] <= 1.0)"
            ),
            "a weight is a number from 0.0 to 1.0",
        ),
    ),
    "Cors": (
        (
            (
                "!has(self.allowCredentials) || !self.allowCredentials || "
                "!has(self.allowOrigins) || !self.allowOrigins.exists(origin, origin == '*')"
            ),
            "allowCredentials needs origins that are named",
        ),
    ),
    "RouteSpec": (
        (
            (
                "!self.host.endsWith('.svc') && !self.host.endsWith('.cluster.local') && "
                "!self.host.contains('.lambda-url.')"
            ),
            "host is an address of the platform's own",
        ),
        (
            (
                r"self.path.matches('^(/([A-Za-z0-9._~%!$&()*+,;=:@-]+|[{][A-Za-z_][A-Za-z0-9_]*[}]))*"
                r"/([A-Za-z0-9._~%!$&()*+,;=:@-]*|[{][A-Za-z_][A-Za-z0-9_]*[+]?[}])$')"
            ),
            "path is made of plain segments, parameters like {id} and, at its end, {proxy+}",
        ),
    ),
    "RouteAuth": (
        ("(self.type == 'jwt') == has(self.jwt)", "jwt is given if and only if type is jwt"),
        (
            "(self.type == 'authorizer') == has(self.authorizer)",
            "authorizer is given if and only if type is authorizer",
        ),
    ),
    "JwtAuth": (
        (
            (
                "self.issuer.startsWith('https://') || "
                "self.issuer.startsWith('http://127.0.0.1') || "
                "self.issuer.startsWith('http://localhost')"
            ),
            "issuer is an https:// address",
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
    return [
        definition(Function),
        definition(FunctionVersion),
        definition(FunctionAlias),
        definition(Route),
        definition(Schedule),
        definition(Runtime),
    ]


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
    elif kind is FunctionVersion:
        _bound_environment(parts["spec"]["properties"]["configuration"]["properties"])
    elif kind is FunctionAlias:
        parts["spec"]["properties"]["weights"]["maxProperties"] = 1
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
    _bound_environment(properties)
    properties["environment"].update(_validations(_ENVIRONMENT_RULES))
    properties["tags"]["maxProperties"] = _MOST_TAGS


def _bound_environment(properties: Json) -> None:
    environment = properties["environment"]
    environment["maxProperties"] = _MOST_VARIABLES
    environment["additionalProperties"]["maxLength"] = LARGEST_ENVIRONMENT


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
    if "const" in node:
        kept["enum"] = [node["const"]]
    return {key: _child(key, value, models) for key, value in kept.items()}


_KEPT = frozenset({
    "type", "description", "default", "enum", "pattern", "format", "items", "properties",
    "required", "additionalProperties", "minimum", "maximum", "minLength", "maxLength",
    "minItems", "maxItems",
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
