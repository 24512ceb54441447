"""`AssumeRole`: short-lived credentials of the function that has a role, and of no other role.

A role here is what functions name as theirs (`spec.role`). Its credentials are a function's own
(decision 0014): they invoke, and nothing else. AWS STS API reference, "AssumeRole".
"""

from __future__ import annotations

import hashlib
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from pilotlight.function_credentials import issue
from pilotlight_gateway.access import Access
from pilotlight_gateway.errors import AccessDeniedError, NotSupportedError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["ACTION", "access_of_role", "assume_role", "read_seconds"]

ACTION = "AssumeRole"
SHORTEST, USUAL, LONGEST = 900, 3600, 43_200
"""Seconds that a session may last."""
_ROLE = re.compile(r"arn:aws[a-zA-Z-]*:iam::\d{12}:role/[a-zA-Z_0-9+=,.@\-_/]+")
_SESSION = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_KNOWN = {"Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds"}


def access_of_role(form: Mapping[str, str]) -> tuple[Access, ...]:
    """Say what the caller's own policy must allow."""
    return (Access(f"sts:{ACTION}", (_member(form, "RoleArn", _ROLE),)),)


def assume_role(services: Services, call: Call, form: Mapping[str, str]) -> str:
    """Return the result's XML; raises ApiError."""
    if unknown := sorted(form.keys() - _KNOWN):
        raise NotSupportedError(f"{unknown[0]} of {ACTION} is not supported by Pilotlight.")
    role = _member(form, "RoleArn", _ROLE)
    session = _member(form, "RoleSessionName", _SESSION)
    seconds = read_seconds(form.get("DurationSeconds", str(USUAL)))
    function = _function_of(services, call, role, session)
    issued = issue(
        services.settings.platform_key,
        namespace=call.caller.namespace,
        account=call.caller.account,
        function=function,
        seconds=seconds,
    )
    local = call.caller.account if services.settings.accounts_are_keys else None
    expiration = datetime.fromtimestamp(time.time() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    arn = f"arn:aws:sts::{call.caller.account}:assumed-role/function/{function}"
    role_id = f"AROA{hashlib.sha256(role.encode()).hexdigest()[:16].upper()}"
    return (
        f"<AssumedRoleUser><AssumedRoleId>{role_id}:{escape(session)}</AssumedRoleId>"
        f"<Arn>{arn}</Arn></AssumedRoleUser><Credentials>"
        f"<AccessKeyId>{local or issued.access_key}</AccessKeyId>"
        f"<SecretAccessKey>{issued.secret_key}</SecretAccessKey>"
        f"<SessionToken>{issued.session_token}</SessionToken>"
        f"<Expiration>{expiration}</Expiration></Credentials>"
    )


def _function_of(services: Services, call: Call, role: str, session: str) -> str:
    """Return the function that has a role; of several the one that the session is named by.

    On AWS the sessions of functions are named like them, too.
    """
    functions = services.catalogue.of(call.caller.namespace)
    having = sorted(name for name, one in functions.items() if one.spec.role == role)
    if len(having) == 1:
        return having[0]
    if session in having:
        return session
    why = "no function has this role"
    if having:
        why = f"{len(having)} functions have it, and RoleSessionName names none of them"
    raise AccessDeniedError(
        f"User: {call.caller.arn} is not authorized to perform: sts:{ACTION} on resource: {role}: "
        f"{why}"
    )


def _member(form: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str:
    value = form.get(name)
    if value is not None and pattern.fullmatch(value):
        return value
    shown, constraint = "null", "Member must not be null"
    if value is not None:
        shown = value[:200]
        constraint = f"Member must satisfy regular expression pattern: {pattern.pattern}"
    raise ValidationError(
        f"1 validation error detected: Value '{shown}' at '{name[:1].lower()}{name[1:]}' failed to "
        f"satisfy constraint: {constraint}"
    )


def read_seconds(text: str) -> int:
    """Read how long a session may last; raises ValidationError."""
    if re.fullmatch(r"\d{1,5}", text, re.ASCII) and SHORTEST <= int(text) <= LONGEST:
        return int(text)
    raise ValidationError(
        f"1 validation error detected: Value '{text[:20]}' at 'durationSeconds' failed to satisfy "
        f"constraint: Member must have value between {SHORTEST} and {LONGEST}"
    )
