"""Claims over a wire: the messages of the one long-lived connection from a gateway to the leader.

A WebSocket carries one JSON message a frame. `pilotlight_gateway.invocation.claims_client` speaks
it on one side, `pilotlight_autoscaler.claims.server` on the other. The gateway begins with `Hello`,
so that a new leader learns what is held before it grants anything.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter

from .claims import Lease, ReleaseReason, ToldRevision  # noqa: TC001  pydantic reads them at run time

__all__ = [
    "CLAIMS_PATH",
    "WITHDRAWS",
    "Acknowledge",
    "Claim",
    "FromGateway",
    "Granted",
    "Hello",
    "Known",
    "Recall",
    "Recalled",
    "Refused",
    "Release",
    "Shed",
    "Shedding",
    "ToGateway",
    "Withdraw",
    "claims_token",
    "from_gateway",
    "to_gateway",
]

CLAIMS_PATH = "/v1/claims"
WITHDRAWS = "pilotlight.claims.withdraw"
"""The WebSocket subprotocol of those who know `Withdraw`: who does not would end the connection."""


def claims_token(platform_key: bytes) -> str:
    """Return the token that a gateway shows to the leader."""
    return hmac.new(platform_key, b"claims", hashlib.sha256).hexdigest()


class Known(BaseModel):
    """What a gateway routes a function to."""

    namespace: str
    function: str
    revision: str


class Hello(BaseModel):
    """The first message: who is there, what it holds and what it knows."""

    type: Literal["hello"] = "hello"
    gateway: str
    leases: list[Lease]
    known: list[Known]


class Claim(BaseModel):
    """An environment is wanted; `id` comes back with the answer."""

    type: Literal["claim"] = "claim"
    id: int
    revision: ToldRevision
    seconds: float


class Withdraw(BaseModel):
    """Nobody waits any more for what was claimed; refused, if nothing has begun for it yet."""

    type: Literal["withdraw"] = "withdraw"
    id: int


class Release(BaseModel):
    """An environment is given back."""

    type: Literal["release"] = "release"
    lease: str
    reason: ReleaseReason


class Acknowledge(BaseModel):
    """The gateway routes a function to that revision from now on."""

    type: Literal["acknowledge"] = "acknowledge"
    known: Known


class Granted(BaseModel):
    """A claim was granted."""

    type: Literal["granted"] = "granted"
    id: int
    lease: Lease


class Refused(BaseModel):
    """A claim was refused: the core error's code, and what else it carries."""

    type: Literal["refused"] = "refused"
    id: int
    code: str
    message: str
    reason: str = ""
    retry_after: int = 1
    of_room: bool = False
    """Of a throttle; who does not know the word takes it for a limit's."""


class Recall(BaseModel):
    """One idle environment of these is wanted back, at once."""

    type: Literal["recall"] = "recall"
    id: int
    leases: list[str]
    rested: bool = False
    """Only one that is not just between two calls; who does not know the word gives any."""


class Recalled(BaseModel):
    """The answer to a recall: the lease that was given up, or None where all run."""

    type: Literal["recalled"] = "recalled"
    id: int
    lease: str | None


class Shed(BaseModel):
    """That many of these are wanted back, idle ones first, running ones once they end."""

    type: Literal["shed"] = "shed"
    id: int
    leases: list[str]
    count: int


class Shedding(BaseModel):
    """The answer: how many will be released."""

    type: Literal["shedding"] = "shedding"
    id: int
    count: int


FromGateway = Annotated[
    Hello | Claim | Withdraw | Release | Acknowledge | Recalled | Shedding,
    Field(discriminator="type"),
]
ToGateway = Annotated[Granted | Refused | Recall | Shed, Field(discriminator="type")]

from_gateway: TypeAdapter[FromGateway] = TypeAdapter(FromGateway)
to_gateway: TypeAdapter[ToGateway] = TypeAdapter(ToGateway)
