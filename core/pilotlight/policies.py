"""IAM's policy language, as far as Lambda's policies use it: documents, and what they decide.

Pure. A statement fits a request where its principals, actions and conditions do; one that denies
goes before all that allow, and what no statement allows is not allowed (IAM User Guide, "Policy
evaluation logic"). The gateway's step of authorisation, function URLs and layers ask `decide`;
what an access key may do is `identity_policies`.
"""

from __future__ import annotations

import fnmatch
import functools
import ipaddress
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .errors import InvalidResourceError
from .manifest import parse_model
from .resources.policy import PolicyStatement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "PolicyRequest",
    "Verdict",
    "decide",
    "fits_action",
    "hold",
    "is_like",
    "listed",
    "parse_conditions",
    "parse_document",
    "read_document",
    "render_document",
    "render_statement",
]

VERSIONS = ("2012-10-17", "2008-10-17")
Verdict = Literal["Allow", "Deny"] | None
"""None where no statement fits."""
if TYPE_CHECKING:
    Conditions = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """What somebody wants to do."""

    action: str
    account: str = ""
    """The caller's; empty for one without credentials."""
    arn: str = ""
    """The caller's."""
    context: Mapping[str, str] = field(default_factory=dict)
    """Values of condition keys, which are in lower case; a key that is missing is not there."""
    service: str = ""
    """The principal of a service that asks, such as scheduler.amazonaws.com; it has no account."""


def decide(statements: Iterable[PolicyStatement], request: PolicyRequest) -> Verdict:
    """Say what statements decide together."""
    effects = {one.effect for one in statements if _fits(one, request)}
    return "Deny" if "Deny" in effects else "Allow" if effects else None


def _fits(statement: PolicyStatement, request: PolicyRequest) -> bool:
    return (
        fits_action(statement.actions, request.action)
        and _is_of_principals(statement, request)
        and hold(statement.conditions, request.context)
    )


def fits_action(patterns: Iterable[str], action: str) -> bool:
    """Whether an action is one of those that patterns name, in any case."""
    return any(is_like(action.lower(), one.lower()) for one in patterns)


def hold(conditions: Conditions, context: Mapping[str, str]) -> bool:
    """Whether all conditions hold of the values of their keys."""
    return all(
        _holds(operator, context.get(key.lower()), values)
        for operator, keys in conditions.items()
        for key, values in keys.items()
    )


def _is_of_principals(statement: PolicyStatement, request: PolicyRequest) -> bool:
    callers = statement.principals.get("AWS", ())
    if request.service:
        return "*" in callers or request.service in statement.principals.get("Service", ())
    return any(_is_principal(one, request) for one in callers)


def _is_principal(wanted: str, request: PolicyRequest) -> bool:
    if wanted == "*":
        return True
    of_account = {request.account, f"arn:aws:iam::{request.account}:root", request.arn}
    return bool(request.account) and wanted in of_account


def _holds(operator: str, value: str | None, wanted: Sequence[str]) -> bool:
    name = operator.removesuffix("IfExists")
    if name == "Null":
        return str(value is None).lower() in {one.lower() for one in wanted}
    negative = "Not" in name
    if value is None:
        return operator != name or negative
    found = any(_compare(name.replace("Not", ""), value, one) for one in wanted)
    return found != negative


def _compare(operator: str, value: str, wanted: str) -> bool:
    match operator:
        case "StringEquals":
            return value == wanted
        case "StringLike":
            return is_like(value, wanted)
        case "ArnEquals" | "ArnLike":
            return _is_like_arn(value, wanted)
        case "Bool":
            return value.lower() == wanted.lower()
        case _:
            return _is_in_network(value, wanted)


def _is_like_arn(value: str, wanted: str) -> bool:
    """Compare part by part: a * does not reach over a colon, but in the last part."""
    parts, patterns = value.split(":", 5), wanted.split(":", 5)
    return len(parts) == len(patterns) and all(map(is_like, parts, patterns))


def _is_in_network(value: str, wanted: str) -> bool:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped  # of a socket for both
    return address in ipaddress.ip_network(wanted, strict=False)


def is_like(value: str, pattern: str) -> bool:
    """Whether a value is of a pattern's form, in which * stands for anything and ? for a letter."""
    return _compiled(pattern).match(value) is not None


@functools.lru_cache(maxsize=1000)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile * and ?, as `fnmatch` does, which takes long for no pattern."""
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))


def parse_document(text: str, resource: str) -> list[PolicyStatement]:
    """Read IAM's JSON about a resource; raises InvalidResourceError."""
    parsed = [_parse(one, number, resource) for number, one in enumerate(read_document(text), 1)]
    if len({one.sid for one in parsed}) < len(parsed):
        raise InvalidResourceError("Statement IDs (SID) in a single policy must be unique.")
    return parsed


def read_document(text: str) -> list[Any]:
    """Return the statements of IAM's JSON, as they are; raises InvalidResourceError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidResourceError(f"The policy is no JSON: {error}") from error
    if not isinstance(document, dict) or document.get("Version", VERSIONS[0]) not in VERSIONS:
        raise InvalidResourceError(f"The policy must be an object of Version {VERSIONS[0]}.")
    unknown = document.keys() - {"Version", "Id", "Statement"}
    if unknown:
        raise InvalidResourceError(f"The policy has members that no policy has: {sorted(unknown)}")
    statements = listed(document.get("Statement"))
    if not statements:
        raise InvalidResourceError("The policy has no Statement.")
    return statements


def _parse(given: Any, number: int, resource: str) -> PolicyStatement:
    if not isinstance(given, dict):
        raise InvalidResourceError(f"Statement {number} is no object.")
    unknown = given.keys() - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    if unknown:
        raise InvalidResourceError(f"Statement {number}: {sorted(unknown)} are not supported.")
    for one in listed(given.get("Resource", resource)):
        if one != resource:
            raise InvalidResourceError(
                f"Statement {number}: the Resource {resource} is expected, {one!r} came."
            )
    principals = given.get("Principal")
    if principals == "*":
        principals = {"AWS": "*"}
    if not isinstance(principals, dict):
        raise InvalidResourceError(f"Statement {number} has no Principal.")
    return parse_model(
        PolicyStatement,
        {
            "sid": given.get("Sid") or f"statement-{number}",
            "effect": given.get("Effect"),
            "principals": {kind: listed(some) for kind, some in principals.items()},
            "actions": listed(given.get("Action")),
            "conditions": parse_conditions(given.get("Condition", {})),
        },
    )


def parse_conditions(given: Any) -> Any:
    """Return a Condition with lists throughout; raises InvalidResourceError."""
    if not isinstance(given, dict) or not all(isinstance(one, dict) for one in given.values()):
        raise InvalidResourceError("A Condition is an object of objects.")
    return {
        operator: {key: [_text(value) for value in listed(some)] for key, some in keys.items()}
        for operator, keys in given.items()
    }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def listed(value: Any) -> list[Any]:
    """Return a list, which a single value may stand for."""
    return list(value) if isinstance(value, list) else [] if value is None else [value]


def render_document(statements: Iterable[PolicyStatement], resource: str) -> str:
    """Write IAM's JSON."""
    document = {
        "Version": VERSIONS[0],
        "Id": "default",
        "Statement": [render_statement(one, resource) for one in statements],
    }
    return json.dumps(document, separators=(",", ":"))


def render_statement(statement: PolicyStatement, resource: str) -> dict[str, Any]:
    """Write one statement as IAM does: a single value stands without a list."""
    principals = {kind: _single(some) for kind, some in statement.principals.items()}
    document: dict[str, Any] = {
        "Sid": statement.sid,
        "Effect": statement.effect,
        "Principal": "*" if principals == {"AWS": "*"} else _with_roots(principals),
        "Action": _single(statement.actions),
        "Resource": resource,
    }
    if statement.conditions:
        document["Condition"] = {
            operator: {key: _single(values) for key, values in keys.items()}
            for operator, keys in statement.conditions.items()
        }
    return document


def _with_roots(principals: dict[Any, Any]) -> dict[Any, Any]:
    """Write an account as IAM does, by its root."""
    account = principals.get("AWS")
    if isinstance(account, str) and re.fullmatch(r"\d{12}", account):
        return principals | {"AWS": f"arn:aws:iam::{account}:root"}
    return principals


def _single(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
