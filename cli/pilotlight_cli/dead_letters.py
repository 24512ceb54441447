"""Dead letters over the gateway's `/-/dead-letters`, for `pilotlight dlq`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import Client

__all__ = ["DeadLetters"]

PAGE = 1000


class DeadLetters:
    """Events that failed for good; every method raises ApiError."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self, function: str, limit: int) -> dict[str, Any]:
        """Return up to `limit` dead letters by id, and how many there are in all."""
        letters: list[dict[str, Any]] = []
        after: str | None = ""
        page: dict[str, Any] = {"total": 0}
        while after is not None and len(letters) < limit:
            page = self._client.request_json(
                "GET",
                "/-/dead-letters",
                function=function,
                after=after,
                limit=min(PAGE, limit - len(letters)),
            )
            letters += page["deadLetters"]
            after = page.get("next")
        return {"deadLetters": letters, "total": page["total"]}

    def show(self, request_id: str) -> dict[str, Any]:
        """Return one dead letter; its event is in Base64."""
        letter: dict[str, Any] = self._client.request_json("GET", f"/-/dead-letters/{request_id}")
        return letter

    def redrive(self, function: str, request_id: str | None) -> int:
        """Try them again; gives how many."""
        answer = self._client.request_json(
            "POST", "/-/dead-letters/redrive", function=function, id=request_id
        )
        return int(answer["redriven"])

    def purge(self, function: str, request_id: str | None) -> int:
        """Throw them away; gives how many."""
        answer = self._client.request_json(
            "DELETE", "/-/dead-letters", function=function, id=request_id
        )
        return int(answer["purged"])
