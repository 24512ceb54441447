"""Custom runtimes: the function, or a layer of it, brings a bootstrap that asks for events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .family import Family, Handler, Sources

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NEWEST", "Bootstrap"]

_FILE = "bootstrap"
NEWEST = "provided.al2023"
FIRST = """#!/bin/sh
# A first function: it answers with its event, by the Lambda Runtime API.
set -eu
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
head="$(mktemp)"
while true; do
    event="$(curl -sS -D "$head" "$api/next")"
    id="$(tr -d '\\r' < "$head" | sed -n 's/^lambda-runtime-aws-request-id: //Ip')"
    printf '{"event": %s}' "$event" | curl -sS -o /dev/null --data-binary @- "$api/$id/response"
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap(Family):
    """The family of `provided.al2023`."""

    prefix: str = "provided"
    supported: frozenset[str] = frozenset({"provided.al2", NEWEST})
    deprecated: frozenset[str] = frozenset({"provided"})
    needs_image: bool = False

    def source_file(self, handler: str) -> str:  # noqa: ARG002  a bootstrap reads it itself
        """Return the one name that is started; the source is a script."""
        return _FILE

    def find_handler(self, sources: Sources) -> Handler | None:
        """Find a bootstrap."""
        return Handler(NEWEST, _FILE) if _FILE in sources.files else None

    def first_files(self) -> Mapping[str, str]:
        """Return a bootstrap in shell, which needs curl."""
        return {_FILE: FIRST}

    def looks_for(self, only: str | None) -> str:  # noqa: ARG002  it has one name only
        """Name it."""
        return _FILE
