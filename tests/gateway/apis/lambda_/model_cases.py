"""Inputs by the Lambda API's model: good ones, ones with one thing wrong, and what Lambda says.

What is expected of a broken input is read from the model here, in other words than the gateway's
own, so that a mistake of the one is not the other's too.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from pilotlight_gateway.apis.lambda_.model import Model, load_model
from pilotlight_gateway.apis.lambda_.table import LAMBDA

__all__ = ["Broken", "Cases", "Sent", "request_of"]

Shape = dict[str, Any]
Path = tuple[str | int, ...]
ACCOUNT, REGION = "000000000000", "us-east-1"
NOWHERE = "no-such-function"
"""Functions are named that are not there: what is good makes nothing."""
_LAMBDA = f"arn:aws:lambda:{REGION}:{ACCOUNT}"
_UUID = "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"
_GOOD: dict[str, Any] = {
    "Action": "lambda:InvokeFunction",
    "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue",
    "CapacityProviderArn": f"{_LAMBDA}:capacity-provider:some",
    "CodeSigningConfigArn": f"{_LAMBDA}:code-signing-config:csc-0123456789abcdefg",
    "EnvironmentVariableName": "NAME",
    "Topic": "topic",
    "DestinationArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue",
    "Endpoint": "broker.example.com:9092",
    "FileSystemArn": f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-{'0' * 17}",
    "FunctionArn": f"{_LAMBDA}:function:{NOWHERE}",
    "FunctionRuntimeArn": f"{_LAMBDA}:runtime/some",
    "KMSKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/some",
    "LayerVersionArn": f"{_LAMBDA}:layer:some:1",
    "LocalMountPath": "/mnt/some",
    "Method": "GET",
    "NameSpacedFunctionArn": f"{_LAMBDA}:function:{NOWHERE}",
    "OrganizationId": "o-0123456789",
    "PolicyResourceArn": f"{_LAMBDA}:function:{NOWHERE}",
    "PrincipalOrgID": "o-0123456789",
    "ResourceArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/some",
    "ResourcePolicyDocument": "{}",
    "RevisionId": _UUID,
    "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/some",
    "RuntimeVersionArn": f"{_LAMBDA}::runtime:some".replace(f":{ACCOUNT}:", "::").replace(
        ":::", "::"
    ),
    "SchemaRegistryUri": "https://registry.example.com",
    "SecurityGroupId": "sg-0",
    "SourceOwner": ACCOUNT,
    "SubnetId": "subnet-0",
    "TaggableResource": f"{_LAMBDA}:function:{NOWHERE}",
    "LayerPermissionAllowedPrincipal": ACCOUNT,
    "LayerPermissionAllowedAction": "lambda:GetLayerVersion",
    "LogGroup": "/some/group",
    "MasterRegion": REGION,
    "Version": "1",
    "VersionWithLatestPublished": "1",
    "PublishedFunctionQualifier": "1",
    "AdditionalVersion": "2",
    "TagsErrorCode": "some",
    "String": "some",
    "AccountId": ACCOUNT,
    "FunctionUrlQualifier": "live",
    "Blob": "e30=",
    "Runtime": "python3.13",
    "RuntimeArn": f"{_LAMBDA}:runtime/some",
}
"""Values of shapes whose pattern is more than letters, digits and dashes."""
ON_DEMAND = {"MemorySize": 10_240, "Timeout": 900}
"""Lambda's limits of functions on demand, where the model's are those of managed instances."""
SERVICE_CHECKED = {"Runtime"}
"""Shapes whose enum is the service's to check, with another error."""
UNREACHABLE = {("Invoke", "TenantId"), ("Invoke", "DurableExecutionName"),
               ("InvokeWithResponseStream", "TenantId")}  # fmt: skip
"""Headers that are refused for themselves, whatever they say."""


@dataclass(slots=True)
class Sent:
    """A request."""

    operation: str
    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True)
class Broken:
    """A request with something wrong, and what must be answered."""

    sent: Sent
    error: str
    said: list[str]
    """What the message holds, in any order."""
    count: int
    """How many validation errors it tells; 0 of another error."""


class Cases:
    """Cases in an order that a seed decides."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.model: Model = load_model()

    def good(self, operation: str) -> dict[str, Any]:
        """Return an input of an operation that breaks no constraint."""
        shape = self.model.operations[operation].input
        return {} if shape is None else self._value(shape, ())

    def all(self) -> Iterator[Broken]:
        """Tell cases without end, each operation's in turn."""
        while True:
            order = sorted(self.model.operations)
            self._random.shuffle(order)
            for operation in order:
                case = self.one(operation)
                if case is not None:
                    yield case

    def one(self, operation: str) -> Broken | None:
        """Break one thing of an operation's input; None where there is nothing to break."""
        shape = self.model.operations[operation].input
        given = self.good(operation)
        ways = list(self._ways(shape, given, operation)) if shape else []
        if operation not in LAMBDA:
            return Broken(
                request_of(self.model, operation, given), "NotImplementedException", [], 0
            )
        if not ways:
            return None
        path, way = self._random.choice(ways)
        broken = way(given, path)
        return Broken(request_of(self.model, operation, given), *broken)

    def _value(self, name: str, above: tuple[str, ...]) -> Any:
        shape = self.model.shapes[name]
        if name in _GOOD:
            return _GOOD[name]
        match shape["type"]:
            case "structure":
                members = shape.get("members", {}).items()
                return {
                    member: self._value(target["shape"], (*above, name))
                    for member, target in members
                    if target["shape"] not in above
                }
            case "list":
                return [self._value(shape["member"], above)]
            case "map":
                return {self._value(shape["key"], above): self._value(shape["value"], above)}
            case "string" | "blob":
                return shape["enum"][0] if "enum" in shape else "a" * max(1, shape.get("min", 1))
            case "boolean":
                return True
            case "timestamp":
                return 1
            case _:
                return max(shape.get("min", 0), 0.5 if shape["type"] == "double" else 1)

    def _ways(self, root: str, given: dict[str, Any], operation: str) -> Iterator[tuple[Path, Way]]:
        """Tell what can be broken in an input, where, and how."""
        members = self.model.shapes[root].get("members", {})
        for member, target in members.items():
            place = target.get("location", "body")
            payload = self.model.shapes[root].get("payload") == member
            if payload or (operation, member) in UNREACHABLE or member not in given:
                continue
            yield from self._ways_of(target["shape"], given[member], (member,), place)
            if place != "uri" and member in self.model.shapes[root].get("required", ()):
                yield (member,), self._leave_out

    def _ways_of(self, name: str, value: Any, path: Path, place: str) -> Iterator[tuple[Path, Way]]:
        shape = self.model.shapes[name]
        if place == "body":
            yield path, lambda given, at: self._mistype(shape, given, at)
        for bad in self._bad_values(name, value, place):
            yield path, lambda given, at, bad=bad: self._put(name, given, at, bad)  # type: ignore[misc]
        match shape["type"]:
            case "structure":
                for member, target in shape.get("members", {}).items():
                    if member in value:
                        yield from self._ways_of(
                            target["shape"], value[member], (*path, member), place
                        )
                        if member in shape.get("required", ()):
                            yield (*path, member), self._leave_out
            case "list" if self.model.shapes[shape["member"]]["type"] == "structure":
                yield from self._ways_of(shape["member"], value[0], (*path, 0), place)

    def _bad_values(self, name: str, value: Any, place: str) -> Iterator[Any]:
        """Tell values that break a constraint of a shape, or of what is in its list or map."""
        shape = self.model.shapes[name]
        low, high = shape.get("min"), ON_DEMAND.get(name, shape.get("max"))
        match shape["type"]:
            case "string":
                yield from self._bad_texts(name, place)
            case "integer" | "long" | "double":
                if low is not None:
                    yield low - self._random.choice((1, 2, 1000))
                if high is not None:
                    yield high + self._random.choice((1, 2, 1000))
            case "list":
                if high is not None:
                    yield value * (high + self._random.choice((1, 5)))
                if low and place == "body":
                    yield []
                yield from ([*value, bad] for bad in self._bad_values(shape["member"], value[0], place)
                            if self.model.shapes[shape["member"]]["type"] != "structure")  # fmt: skip
            case "map":
                key, item = next(iter(value.items()))
                yield from ({bad: item} for bad in self._bad_texts(shape["key"], place))
                yield from ({key: bad} for bad in self._bad_values(shape["value"], item, place))
                if low:
                    yield {}

    def _bad_texts(self, name: str, place: str) -> Iterator[str]:
        shape = self.model.shapes[name]
        low, high = shape.get("min", 0), shape.get("max")
        if high is not None and high < 6_000:
            yield "a" * (high + self._random.choice((1, 2, 77)))
        if low and place != "uri":
            yield "a" * (low - 1)
        if "enum" in shape and name not in SERVICE_CHECKED:
            yield self._random.choice(("nothing", "a", shape["enum"][0] + "x"))
        if "pattern" in shape:
            tried = (
                "!",
                "a b",
                "é",
                "a!b",
                "*",
                "arn:aws:x",
                "٣",
                "a\nb" if place == "body" else "~",
            )
            yield from (text for text in tried if not re.fullmatch(_python(shape["pattern"]), text))

    def _put(self, name: str, given: dict[str, Any], path: Path, bad: Any) -> Verdict:
        _set(given, path, bad)
        failures = [
            f"Value{_quoted(self.model.shapes, name, bad)} at '{_named(path)}' "
            f"failed to satisfy constraint: {one}"
            for one in broken_constraints(self.model.shapes, name, bad)
        ]
        return "ValidationException", failures, len(failures)

    def _leave_out(self, given: dict[str, Any], path: Path) -> Verdict:
        _set(given, path, None)
        said = (
            f"Value null at '{_named(path)}' failed to satisfy constraint: Member must not be null"
        )
        return "ValidationException", [said], 1

    def _mistype(self, shape: Shape, given: dict[str, Any], path: Path) -> Verdict:
        wrong: dict[str, tuple[Any, ...]] = {
            "string": (5, True, [], {}), "blob": (5, [], {}), "boolean": ("true", 1, {}),
            "integer": ("5", True, 1.5, []), "long": ("5", []), "double": ("0.5", {}, True),
            "list": ("a", {}, 5), "map": ([], "a", 5), "structure": ([], "a", 5),
            "timestamp": ([], {}),
        }  # fmt: skip
        _set(given, path, self._random.choice(wrong[shape["type"]]))
        return "SerializationException", [_named(path)], 0


Verdict = tuple[str, list[str], int]
Way = Callable[[dict[str, Any], Path], Verdict]


def _set(given: dict[str, Any], path: Path, value: Any) -> None:
    place: Any = given
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value


def _named(path: Path) -> str:
    said = ""
    for step in path:
        said += f".{step + 1}.member" if isinstance(step, int) else f".{step[0].lower()}{step[1:]}"
    return said[1:]


def broken_constraints(shapes: dict[str, Shape], name: str, value: Any) -> list[str]:
    """Return what the model says against a value, a list or a map of simple ones, in Lambda's words."""
    shape = shapes[name]
    broken = [text for text, holds in _constraints(name, shape) if not holds(value)]
    if shape["type"] == "list" and shapes[shape["member"]]["type"] != "structure":
        if any(broken_constraints(shapes, shape["member"], item) for item in value):
            broken.append(f"Member must satisfy constraint: {_all(shapes, shape['member'])}")
    if shape["type"] == "map":
        if any(broken_constraints(shapes, shape["key"], key) for key in value):
            broken.append(f"Map keys must satisfy constraint: {_all(shapes, shape['key'])}")
        if any(broken_constraints(shapes, shape["value"], item) for item in value.values()):
            broken.append(f"Map value must satisfy constraint: {_all(shapes, shape['value'])}")
    return broken


def _all(shapes: dict[str, Shape], name: str) -> str:
    said = [text for text, _ in _constraints(name, shapes[name])]
    if shapes[name]["type"] == "list":
        said.append(f"Member must satisfy constraint: {_all(shapes, shapes[name]['member'])}")
    return f"[{', '.join([*said, 'Member must not be null'])}]"


def _constraints(name: str, shape: Shape) -> list[tuple[str, Callable[[Any], bool]]]:
    high, low = ON_DEMAND.get(name, shape.get("max")), shape.get("min")
    found: list[tuple[str, Callable[[Any], bool]]] = []
    if shape["type"] in {"string", "list", "map"}:
        if high is not None:
            found.append(
                (f"Member must have length less than or equal to {high}", lambda v: len(v) <= high)
            )
        if low is not None:
            found.append(
                (f"Member must have length greater than or equal to {low}", lambda v: len(v) >= low)
            )
    elif shape["type"] in {"integer", "long", "double"}:
        kind = float if shape["type"] == "double" else int
        if high is not None:
            found.append(
                (f"Member must have value less than or equal to {kind(high)}", lambda v: v <= high)
            )
        if low is not None:
            found.append(
                (f"Member must have value greater than or equal to {kind(low)}", lambda v: v >= low)
            )
    if "pattern" in shape:
        text = f"Member must satisfy regular expression pattern: {shape['pattern']}"
        pattern = _python(shape["pattern"])
        found.append((text, lambda v: re.fullmatch(pattern, v) is not None))
    if "enum" in shape and name not in SERVICE_CHECKED:
        text = f"Member must satisfy enum value set: [{', '.join(shape['enum'])}]"
        found.append((text, lambda v: v in shape["enum"]))
    return found


def _python(pattern: str) -> str:
    """Write a pattern of Java's for Python: digits are ASCII's, `\\p` is any letter, number, space."""
    pattern = pattern.replace(r"\p{L}\p{Z}\p{N}", r"\w \u00a0\u2028")
    return pattern.replace(r"\d", "[0-9]")


def _quoted(shapes: dict[str, Shape], name: str, value: Any) -> str:
    return "" if shapes[name].get("sensitive") else f" '{_java(shapes, name, value)}'"


def _java(shapes: dict[str, Shape], name: str, value: Any) -> str:
    """Print a value as Java's toString does."""
    shape = shapes[name]
    if isinstance(value, list):
        return "[" + ", ".join(_java(shapes, shape["member"], item) for item in value) + "]"
    if isinstance(value, dict):
        is_map = shape["type"] == "map"
        pairs = [
            f"{key}={_java(shapes, shape['value'], item)}"
            if is_map
            else f"{_named((key,))}={_java(shapes, shape['members'][key]['shape'], item)}"
            for key, item in value.items()
        ]
        return f"{{{', '.join(pairs)}}}" if is_map else f"{name}({', '.join(pairs)})"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(float(value)) if shape["type"] == "double" else str(value)


def request_of(model: Model, operation: str, given: dict[str, Any]) -> Sent:
    """Write an input as its operation's request, as SDKs do."""
    facts = model.operations[operation]
    path, query, headers = facts.path, list(facts.query.items()), {}
    members = model.shapes[facts.input].get("members", {}) if facts.input else {}
    document, payload = deepcopy(given), None
    for name, target in members.items():
        if name not in document or "location" not in target:
            continue
        value, sent_as = document.pop(name), target.get("locationName", name)
        match target["location"]:
            case _ if value is None:
                continue
            case "uri":
                path = path.replace(f"{{{sent_as}}}", quote(str(value), safe=""))
            case "querystring":
                values = value if isinstance(value, list) else [value]
                query += [
                    (sent_as, str(one).lower() if one is True else str(one)) for one in values
                ]
            case _:
                headers[sent_as] = str(value)
    if facts.input and (named := model.shapes[facts.input].get("payload")) is not None:
        payload = b"{}" if model.shapes[members[named]["shape"]]["type"] == "blob" else None
    body = payload if payload is not None else json.dumps(
        {members[name].get("locationName", name): value for name, value in document.items()}
    ).encode() if document else b""  # fmt: skip
    target_ = path + (f"?{urlencode(query)}" if query else "")
    return Sent(operation, facts.method, target_, headers, body)
