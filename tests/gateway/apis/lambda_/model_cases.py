"""Inputs by the Lambda API's model: good ones, and ones with one thing wrong or a few.

`model_words` has what Lambda says of those.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from pilotlight_gateway.apis.lambda_.model import Model, load_model
from pilotlight_gateway.apis.lambda_.table import LAMBDA

from .model_words import (
    ON_DEMAND,
    SERVICE_CHECKED,
    broken_constraints,
    failure,
    is_match,
    named,
)

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
_ODD = ("!", "a b", "é", "a!b", "*", "arn:aws:x", "\u0663", "~")
_TYPES: tuple[Any, ...] = (5, True, 1.5, [], {}, "text")
"""A value of each JSON type."""
SHARE_OF_TWO = 0.15
LONGEST_TARGET = 6_000
"""Characters that a text in a path or query may have."""
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
        given = {} if shape is None else self._value(shape, ())
        return {name: given[name] for name in given if (operation, name) not in UNREACHABLE}

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
        """Break one thing of an operation's input, or two; None where nothing can be broken."""
        shape, given = self.model.operations[operation].input, self.good(operation)
        if operation not in LAMBDA:
            sent = request_of(self.model, operation, given)
            return Broken(sent, "NotImplementedException", [], 0)
        ways = list(self._ways(shape, given)) if shape else []
        if not ways:
            return None
        path, way = self._random.choice(ways)
        error, said, count = way(given, path)
        others = [one for one in ways if one[0][0] != path[0] and one[1] != self._mistype]
        if count and others and self._random.random() < SHARE_OF_TWO:
            path, way = self._random.choice(others)
            _, more, further = way(given, path)
            said, count = said + more, count + further
        return Broken(request_of(self.model, operation, given), error, said, count)

    def _value(self, name: str, above: tuple[str, ...]) -> Any:
        if name in _GOOD:
            return _GOOD[name]
        shape = self.model.shapes[name]
        good: Any = None
        match shape["type"]:
            case "structure":
                members = {key: one["shape"] for key, one in shape.get("members", {}).items()}
                inner = (*above, name)
                good = {
                    key: self._value(kind, inner)
                    for key, kind in members.items()
                    if kind not in above
                }
            case "list":
                good = [self._value(shape["member"], above)]
            case "map":
                good = {self._value(shape["key"], above): self._value(shape["value"], above)}
            case "string" | "blob":
                good = shape["enum"][0] if "enum" in shape else "a" * max(1, shape.get("min", 1))
            case "boolean":
                good = True
            case kind:
                good = max(shape.get("min", 0), 0.5 if kind == "double" else 1)
        return good

    def _ways(self, root: str, given: dict[str, Any]) -> Iterator[tuple[Path, Way]]:
        """Tell what can be broken in an input, where, and how."""
        shape = self.model.shapes[root]
        for member, target in shape.get("members", {}).items():
            place = target.get("location", "body")
            if shape.get("payload") == member or member not in given:
                continue
            yield from self._ways_of(target["shape"], given[member], (member,), place)
            if place != "uri" and member in shape.get("required", ()):
                yield (member,), self._leave_out

    def _ways_of(self, name: str, value: Any, path: Path, place: str) -> Iterator[tuple[Path, Way]]:
        shape = self.model.shapes[name]
        if place == "body":
            yield path, self._mistype
        for bad in self._bad_values(name, value, place):
            yield path, functools.partial(self._put, name, bad)
        if shape["type"] == "structure":
            for member in value:
                kind = shape["members"][member]["shape"]
                yield from self._ways_of(kind, value[member], (*path, member), place)
                if member in shape.get("required", ()):
                    yield (*path, member), self._leave_out
        elif shape["type"] == "list" and self._is_structure(shape["member"]):
            yield from self._ways_of(shape["member"], value[0], (*path, 0), place)

    def _is_structure(self, name: str) -> bool:
        return bool(self.model.shapes[name]["type"] == "structure")

    def _bad_values(self, name: str, value: Any, place: str) -> Iterator[Any]:
        """Tell values that break a constraint of a shape, or of what is in its list or map."""
        shape = self.model.shapes[name]
        low, high = shape.get("min"), ON_DEMAND.get(name, shape.get("max"))
        match shape["type"]:
            case "string":
                yield from self._bad_texts(name, place)
            case "integer" | "long" | "double":
                yield from [] if low is None else [low - self._random.choice((1, 2, 1000))]
                yield from [] if high is None else [high + self._random.choice((1, 2, 1000))]
            case "list":
                yield from [] if high is None else [value * (high + self._random.choice((1, 5)))]
                yield from [[]] if low and place == "body" else []
                if not self._is_structure(shape["member"]):
                    bad = self._bad_values(shape["member"], value[0], place)
                    yield from ([*value, one] for one in bad)
            case "map":
                [(key, item)] = value.items()
                yield from ({bad: item} for bad in self._bad_texts(shape["key"], place))
                yield from ({key: bad} for bad in self._bad_values(shape["value"], item, place))
                yield from [{}] if low else []

    def _bad_texts(self, name: str, place: str) -> Iterator[str]:
        shape = self.model.shapes[name]
        low, high = shape.get("min", 0), shape.get("max")
        if high is not None and high < LONGEST_TARGET:
            yield "a" * (high + self._random.choice((1, 2, 77)))
        if low and place != "uri":
            yield "a" * (low - 1)
        if "enum" in shape and name not in SERVICE_CHECKED:
            yield self._random.choice(("nothing", "a", shape["enum"][0] + "x"))
        if "pattern" in shape:
            tried = (*_ODD, "a\nb") if place == "body" else _ODD
            yield from (text for text in tried if not is_match(shape["pattern"], text))

    def _put(self, name: str, bad: Any, given: dict[str, Any], path: Path) -> Verdict:
        _set(given, path, bad)
        shapes, at = self.model.shapes, named(path)
        broken = broken_constraints(shapes, name, bad)
        said = [failure(shapes, name, bad, at, constraint) for constraint in broken]
        return "ValidationException", said, len(said)

    def _leave_out(self, given: dict[str, Any], path: Path) -> Verdict:
        _set(given, path, None)
        said = "failed to satisfy constraint: Member must not be null"
        return "ValidationException", [f"Value null at '{named(path)}' {said}"], 1

    def _mistype(self, given: dict[str, Any], path: Path) -> Verdict:
        now = _get(given, path)
        others = [one for one in _TYPES if not isinstance(one, type(now))]
        if isinstance(now, float):
            others = [one for one in others if not isinstance(one, int) or one is True]
        _set(given, path, self._random.choice(others))
        return "SerializationException", [named(path)], 0


Verdict = tuple[str, list[str], int]
Way = Callable[[dict[str, Any], Path], Verdict]


def _get(given: dict[str, Any], path: Path) -> Any:
    place: Any = given
    for step in path:
        place = place[step]
    return place


def _set(given: dict[str, Any], path: Path, value: Any) -> None:
    _get(given, path[:-1])[path[-1]] = value


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
