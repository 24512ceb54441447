"""What the agent asks of a runtime family. `python` and `bootstrap` answer.

This file and the families' own import little: a pod's first process asks for `pod_program` only,
and is lost when it becomes that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pilotlight_agent.journal import Journal
    from pilotlight_agent.places import Places
    from pilotlight_agent.processes.spawner import Spawner

    from .link import Link, Listener
    from .runtime_api import RuntimeApi
    from .zygote import Born


@dataclass(frozen=True, slots=True)
class Setting:
    """What a runtime process is started with; `memory` in MB."""

    family: Family
    memory: int
    variables: Mapping[str, str]
    places: Places


class Family(Protocol):
    """Runtimes that are started alike."""

    prefix: str
    """What their ids begin with."""
    managed: bool
    """Whether the runtime is ours, not the function's: only then AWS_EXECUTION_ENV names it."""
    defaults: Mapping[str, str]
    """Variables that its functions find beside what all do, unless they set them."""

    def pod_program(self, places: Places) -> tuple[Sequence[str], Mapping[str, str]] | None:
        """Return command and variables of the interpreter that a pod's agent is to run in.

        The folders of the agent's packages and its options follow the command. None: any does.
        Raises OSError.
        """

    def load(self) -> None:
        """Import what the other methods need, while what is imported will be shared by a fork."""

    def spawner(
        self, places: Places, plain: Spawner, journal: Journal, born: Born | None
    ) -> Spawner:
        """Return what starts processes quickest; `born` is a zygote that is there already."""

    def start(
        self, setting: Setting, api: RuntimeApi, spawner: Spawner, output: int, listener: Listener
    ) -> tuple[Link, int]:
        """Start a runtime process that prints to `output`; NotStartableError in Lambda's words.

        Returns how it is spoken with, and its process id.
        """
