"""How a function is invoked asynchronously: the field `async` of functions, versions and aliases.

Names, defaults and limits are Lambda's (API reference, PutFunctionEventInvokeConfig); the
gateway's `pilotlight_gateway.events` acts on it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from ..arn import parse_function_reference
from .meta import Model

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ADDRESSES",
    "DEFAULT_EVENT_AGE",
    "DEFAULT_RETRIES",
    "AsyncConfig",
    "check_not_itself",
    "destination_kind",
    "own_destination",
]

DEFAULT_RETRIES = 2
DEFAULT_EVENT_AGE = 21_600
"""Seconds: six hours."""

_ACCOUNT = r"arn:aws[a-zA-Z-]*:%s:[a-z0-9-]+:[0-9]{12}:"
ADDRESSES = {
    "sqs": re.compile(_ACCOUNT % "sqs" + r"[A-Za-z0-9_-]{1,80}"),
    "sns": re.compile(_ACCOUNT % "sns" + r"[A-Za-z0-9_-]{1,256}"),
    "events": re.compile(_ACCOUNT % "events" + r"event-bus/[A-Za-z0-9._/-]{1,256}"),
    "s3": re.compile(r"arn:aws[a-zA-Z-]*:s3:::[a-z0-9.-]{3,63}"),
    "lambda": re.compile(
        _ACCOUNT % "lambda" + r"function:[A-Za-z0-9_-]{1,64}(?::(?:\$LATEST|[A-Za-z0-9_-]{1,128}))?"
    ),
    "http": re.compile(r"https?://[^\s/?#@]+(?:[/?][^\s#]*)?"),
}
"""The form of an address by the kind of destination; who brings records there is the gateway's."""


def destination_kind(text: str) -> str | None:
    """Say what an ARN or a URL is the address of; None where nothing can be delivered there."""
    return next((kind for kind, form in ADDRESSES.items() if form.fullmatch(text)), None)


def _check_destination(text: str) -> str:
    if destination_kind(text) is None:
        raise ValueError(
            f"{text!r}: the ARN of an SQS queue, an SNS topic, an EventBridge bus, an S3 bucket or "
            "a function is expected, or an http or https URL"
        )
    return text


def _check_success(text: str) -> str:
    if destination_kind(_check_destination(text)) == "s3":
        raise ValueError(f"{text!r}: an S3 bucket can be a destination on failure only")
    return text


class AsyncConfig(Model):
    """What happens to events of asynchronous invocations."""

    maximum_retry_attempts: int | None = Field(
        default=None,
        ge=0,
        le=2,
        description="How often an event is tried again after a function error; 2 if absent.",
    )
    maximum_event_age_in_seconds: int | None = Field(
        default=None,
        ge=60,
        le=21_600,
        description="Seconds after which an event is not tried any more; 21600 if absent.",
    )
    on_success: Annotated[str, AfterValidator(_check_success)] | None = Field(
        default=None, description="Where results go: an ARN, or a URL that takes CloudEvents."
    )
    on_failure: Annotated[str, AfterValidator(_check_destination)] | None = Field(
        default=None, description="Where failures go: an ARN, or a URL that takes CloudEvents."
    )

    @property
    def retries(self) -> int:
        """How often a function error is tried again."""
        given = self.maximum_retry_attempts
        return DEFAULT_RETRIES if given is None else given

    @property
    def event_age(self) -> int:
        """Seconds after which an event is not tried any more."""
        return self.maximum_event_age_in_seconds or DEFAULT_EVENT_AGE


def own_destination(config: AsyncConfig | None, is_itself: Callable[[str], bool]) -> str | None:
    """Say that a function, told by its name, is a destination of its own; None where it is not."""
    for address in (config.on_success, config.on_failure) if config else ():
        if address is None or destination_kind(address) != "lambda":
            continue
        named = parse_function_reference(address)
        if named is not None and is_itself(named.name):
            return f"async: {address}: You can't specify the function as a destination for itself."
    return None


def check_not_itself(config: AsyncConfig | None, is_itself: Callable[[str], bool]) -> None:
    """Refuse a function, told by its name, as a destination of its own; raises ValueError."""
    problem = own_destination(config, is_itself)
    if problem is not None:
        raise ValueError(problem)
