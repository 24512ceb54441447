"""Lambda's own API as the command line uses it: create, update, invoke and list.

AWS Lambda API Reference, "Actions". Commands speak it where a client of AWS would, so that they
work against any endpoint that does.
"""

from __future__ import annotations

import base64
import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pilotlight.suggestion import did_you_mean

from .client import MISSING, ApiError
from .event_stream import read_events
from .failures import TIMED_OUT, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .client import Client

__all__ = ["Answer", "Functions"]

FUNCTIONS = "/2015-03-31/functions"
LONGEST_INVOCATION = 900.0
GRACE = 60.0
"""Seconds that a cold start and the way may take beside the longest timeout."""
POLL_SECONDS = (0.02, 0.5)
"""Between two looks at a function that is being updated: at first, and at most."""

Configuration = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an invocation gave."""

    payload: bytes
    function_error: str | None
    request_id: str
    executed_version: str
    log_tail: str | None


class Functions:
    """Lambda functions behind an endpoint."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def find(self, name: str) -> Configuration | None:
        """Read a function's configuration; None where there is no such function."""
        try:
            return self._configuration(name)
        except ApiError as error:
            if error.status != MISSING:
                raise
            return None

    @contextmanager
    def suggesting(self, name: str) -> Iterator[None]:
        """Let a failure that there is no such function end with the name that was meant."""
        try:
            yield
        except ApiError as error:
            if error.status != MISSING:
                raise
            near = did_you_mean(
                name.partition(":")[0], [one["FunctionName"] for one in self.list()]
            )
            raise Failure(error.message + near, error.exit_code) from error

    def list(self) -> list[Configuration]:
        """Read all functions' configurations."""
        found: list[Configuration] = []
        marker: str | None = None
        while True:
            page = self._client.request_json("GET", f"{FUNCTIONS}/", Marker=marker)
            found += page["Functions"]
            marker = page.get("NextMarker")
            if not marker:
                return found

    def create(self, package: bytes, configuration: Configuration) -> Configuration:
        """Make a function; give its configuration once it is active."""
        document = {**configuration, "Code": {"ZipFile": base64.b64encode(package).decode()}}
        made = self._client.request_json("POST", FUNCTIONS, document)
        return self._settle(made["FunctionName"])

    def update_code(
        self, name: str, package: bytes, architectures: Sequence[str] | None = None
    ) -> Configuration:
        """Replace a function's code; give its configuration once that is what is called."""
        document: dict[str, Any] = {"ZipFile": base64.b64encode(package).decode()}
        if architectures:
            document["Architectures"] = architectures
        self._client.request_json("PUT", f"{FUNCTIONS}/{name}/code", document)
        return self._settle(name)

    def update_configuration(self, name: str, changes: Configuration) -> Configuration:
        """Change a function's configuration; give it once that is what is called."""
        self._client.request_json("PUT", f"{FUNCTIONS}/{name}/configuration", changes)
        return self._settle(name)

    def invoke(  # noqa: PLR0913  what is called, then how, by name
        self,
        name: str,
        payload: bytes,
        *,
        qualifier: str | None = None,
        kind: str = "RequestResponse",
        tenant: str | None = None,
        tail: bool = False,
    ) -> Answer:
        """Call a function and wait for its answer, which may be an error of its own.

        `kind` is Lambda's InvocationType; what is not a RequestResponse has an empty answer.
        """
        response = self._client.request(
            "POST",
            f"{FUNCTIONS}/{name}/invocations",
            query={"Qualifier": qualifier},
            body=payload,
            headers=_headers(kind, tenant, tail=tail),
            seconds=LONGEST_INVOCATION + GRACE,
        )
        log = response.headers.get("X-Amz-Log-Result")
        return Answer(
            payload=response.body,
            function_error=response.headers.get("X-Amz-Function-Error"),
            request_id=response.headers.get("x-amzn-RequestId", ""),
            executed_version=response.headers.get("X-Amz-Executed-Version", "$LATEST"),
            log_tail=_log_tail(log),
        )

    def invoke_streaming(  # noqa: PLR0913  as of `invoke`
        self,
        name: str,
        payload: bytes,
        write: Callable[[bytes], None],
        *,
        qualifier: str | None = None,
        tenant: str | None = None,
        tail: bool = False,
    ) -> Answer:
        """Call a function and have its answer written as it comes; what is returned has none.

        AWS Lambda API reference, "InvokeWithResponseStream". Raises as `invoke`, and a Failure
        where the answer breaks off.
        """
        with self._client.stream(
            f"/2021-11-15/functions/{name}/response-streaming-invocations",
            query={"Qualifier": qualifier},
            body=payload,
            headers=_headers("RequestResponse", tenant, tail=tail),
            seconds=LONGEST_INVOCATION + GRACE,
        ) as answer:
            complete = None
            for event in read_events(answer.pieces):
                if event.headers.get(":event-type") == "PayloadChunk":
                    write(event.payload)
                elif event.headers.get(":event-type") == "InvokeComplete":
                    complete = json.loads(event.payload)
        if complete is None:
            raise Failure("the answer broke off: its end did not come")
        return Answer(
            payload=complete.get("ErrorDetails", "").encode(),
            function_error=complete.get("ErrorCode"),
            request_id=answer.headers.get("x-amzn-RequestId", ""),
            executed_version=answer.headers.get("X-Amz-Executed-Version", "$LATEST"),
            log_tail=_log_tail(complete.get("LogResult")),
        )

    def _configuration(self, name: str) -> Configuration:
        found: Configuration = self._client.request_json("GET", f"{FUNCTIONS}/{name}/configuration")
        return found

    def _settle(self, name: str, *, seconds: float = GRACE) -> Configuration:
        """Wait as Lambda's waiters do; raises Failure with the reason of a failed update."""
        deadline = time.monotonic() + seconds
        pause, longest = POLL_SECONDS
        while time.monotonic() < deadline:
            found = self._configuration(name)
            if found.get("State") == "Failed":
                raise Failure(f"{name} failed: {found.get('StateReason')}")
            if found.get("LastUpdateStatus") == "Failed":
                raise Failure(f"{name} was not updated: {found.get('LastUpdateStatusReason')}")
            if found.get("State") == "Active" and found.get("LastUpdateStatus") == "Successful":
                return found
            time.sleep(pause)
            pause = min(2 * pause, longest)
        raise Failure(f"{name} was not active in {seconds:g} s: {json.dumps(found)}", TIMED_OUT)


def _headers(kind: str, tenant: str | None, *, tail: bool) -> dict[str, str]:
    tenancy = {} if tenant is None else {"X-Amz-Tenant-Id": tenant}
    return {
        "Content-Type": "application/json",
        "X-Amz-Invocation-Type": kind,
        "X-Amz-Log-Type": "Tail" if tail else "None",
        **tenancy,
    }


def _log_tail(encoded: str | None) -> str | None:
    return base64.b64decode(encoded).decode(errors="replace") if encoded else None
