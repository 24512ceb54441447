"""What the agent asks of a runtime family, and what those have in common that start by exec.

This file and the families' own import little: a pod's first process asks for `pod_program` only,
and is lost when it becomes that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from pilotlight_agent.places import TEMPORARY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pilotlight_agent.journal import Journal
    from pilotlight_agent.places import Places
    from pilotlight_agent.processes.memory import MemoryLimit
    from pilotlight_agent.processes.output import Output
    from pilotlight_agent.processes.spawner import Spawner
    from pilotlight_wire.specialisation import ImageProcess

    from .link import Link, Listener
    from .prepared import Expected
    from .runtime_api import RuntimeApi
    from .zygote import Born


@dataclass(frozen=True, slots=True)
class Setting:
    """What a runtime process is started with; `memory` and `storage` in MB."""

    family: Family
    memory: int
    variables: Mapping[str, str]
    places: Places
    memory_limit: MemoryLimit
    """What the process may use, or all may that share it."""
    temporary: Path = TEMPORARY
    """Its folder for temporary files."""
    storage: int = 512
    """How much may be in there."""
    image: ImageProcess | None = None
    """What is started where the pod was made of the function's image."""
    has_extensions: bool = True
    """Whether the programs of `/opt/extensions` start beside it."""


class Family(Protocol):
    """Runtimes that are started alike."""

    prefix: str
    """What their ids begin with."""
    managed: bool
    """Whether the runtime is ours, not the function's: only then AWS_EXECUTION_ENV names it."""
    process_per_call: bool
    """Whether an environment that takes several calls at once has a process for each."""
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
        self, expected: Expected, places: Places, plain: Spawner, journal: Journal,
        born: Born | None,
    ) -> Spawner:  # fmt: skip
        """Return what starts processes quickest; `born` is a zygote that is there already."""

    def start(
        self,
        setting: Setting,
        api: RuntimeApi,
        spawner: Spawner,
        output: Output,
        listener: Listener,
    ) -> tuple[Link, int]:
        """Start a runtime process that prints to `output`; NotStartableError in Lambda's words.

        Returns how it is spoken with, and its process id.
        """


@cache
def installed(package: str, name: str) -> str:
    """Return a file of a managed runtime; FileNotFoundError when it is not installed."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise FileNotFoundError(f"the managed runtime {package} is not installed")
    return str(Path(found.origin).with_name(name))


class Executed:
    """A family whose processes are started by exec, and for which no pod prepares anything."""

    process_per_call = False
    defaults: Mapping[str, str] = MappingProxyType({})

    def pod_program(self, places: Places) -> None:
        """Any interpreter runs the agent."""

    def load(self) -> None:
        """Nothing is needed that the agent has not."""

    def spawner(
        self,
        expected: Expected,  # noqa: ARG002 -- the family's signature
        places: Places,  # noqa: ARG002 -- the family's signature
        plain: Spawner,
        journal: Journal,  # noqa: ARG002 -- the family's signature
        born: Born | None,  # noqa: ARG002 -- the family's signature
    ) -> Spawner:
        """Start each by exec."""
        return plain
