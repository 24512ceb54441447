"""What an invocation took: the `Pilotlight-Report` header, written and read on the warm path.

Hence no general reader and writer as of other documents, which would take ten times as long.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple, Self

ENCODED = (
    rb'\{"durationMs":([\d.]+),"billedMs":(\d+),"memorySizeMb":(\d+),"maxMemoryUsedMb":(\d+),'
    rb'(?:"initDurationMs":([\d.]+),)?"status":"(\w+)"\}'
)
"""What `encode` writes, as a pattern of six groups; `decode` takes all that means the same."""
_decode = json.JSONDecoder().raw_decode


class Report(NamedTuple):
    """The account of one invocation, as it is billed."""

    duration_ms: float
    billed_ms: int
    memory_size_mb: int
    max_memory_used_mb: int
    init_duration_ms: float | None = None
    """Only of an environment's first invocation."""
    status: str = "success"

    def encode(self) -> str:
        """Return the header's value, one JSON object."""
        init = self.init_duration_ms
        first = "" if init is None else f'"initDurationMs":{init:.2f},'
        return (
            f'{{"durationMs":{self.duration_ms:.2f},"billedMs":{self.billed_ms},'
            f'"memorySizeMb":{self.memory_size_mb},"maxMemoryUsedMb":{self.max_memory_used_mb},'
            f'{first}"status":"{self.status}"}}'
        )

    @classmethod
    def of_match(cls, groups: Sequence[bytes | None]) -> Self:
        """Return what the groups of `ENCODED` say."""
        duration, billed, size, used, init, status = groups
        return cls(
            float(duration or 0),
            int(billed or 0),
            int(size or 0),
            int(used or 0),
            float(init) if init else None,
            (status or b"").decode(),
        )

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read a header's value; raises ValueError and KeyError."""
        document, _ = _decode(text)
        return cls(
            document["durationMs"],
            document["billedMs"],
            document["memorySizeMb"],
            document["maxMemoryUsedMb"],
            document.get("initDurationMs"),
            document["status"],
        )
