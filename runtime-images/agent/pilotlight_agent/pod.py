"""The pod: generic until it is specialised, once in its life, to one revision.

It owns the environments and knows their table; what happens inside one is `environment`'s affair,
and `gateway_api` is how gateways reach all this.
"""

import asyncio
import secrets
import time
from pathlib import Path

from pilotlight_agent import package, variables
from pilotlight_agent.environment import Environment, State
from pilotlight_agent.journal import Journal
from pilotlight_agent.package import Installation
from pilotlight_agent.process import Spawner
from pilotlight_agent.runtime_api import RuntimeApi
from pilotlight_agent.runtime_process import Setting
from pilotlight_agent.specification import Specification
from pilotlight_agent.variables import Places


class AlreadySpecialisedError(Exception):
    """A pod is specialised once, whatever came of it."""


class NotSpecialisedError(Exception):
    """The pod has no revision to serve."""


class DrainingError(Exception):
    """The pod takes nothing new."""


class Pod:
    """Environments by id, all of one revision."""

    def __init__(self, places: Places, spawner: Spawner, journal: Journal) -> None:
        self.environments: dict[str, Environment] = {}
        self.journal = journal
        self.draining = False
        self.specialised = False
        """Whether it has its code and its environments."""
        self.finished = asyncio.Event()
        """Set when it has drained; the agent then ends."""
        self._places = places
        self._spawner = spawner
        self._burnt = False
        self._specification: Specification | None = None

    @property
    def ready(self) -> bool:
        """Whether it may be given something to do."""
        return self._spawner.ready and not self.draining

    @property
    def revision(self) -> str:
        """The revision it serves or tried to, empty for a generic pod."""
        return "" if self._specification is None else self._specification.revision

    async def specialise(self, specification: Specification) -> Installation:
        """Fetch and unpack the code, start the first environments; a failure burns the pod.

        Raises what `package.install` raises, AlreadySpecialisedError and DrainingError.
        """
        if self._burnt:
            raise AlreadySpecialisedError
        if self.draining:
            raise DrainingError
        self._burnt = True
        self._specification = specification
        installation = await asyncio.to_thread(
            package.install, specification.code, self._places.task_root
        )
        self.specialised = True
        await self.start_environments(specification.environments)
        return installation

    async def start_environments(self, count: int) -> list[Environment]:
        """Start `count` more environments of the revision."""
        specification = self._specification
        if specification is None or not self.specialised:
            raise NotSpecialisedError
        if self.draining:
            raise DrainingError
        shares = len(self.environments) + count > 1
        started = [await self._create(specification, shares=shares) for _ in range(count)]
        for environment in started:
            environment.start()
        return started

    async def settle(self) -> None:
        """Wait until no environment is in its first init phase."""
        for environment in list(self.environments.values()):
            await environment.settled.wait()

    async def drain(self) -> None:
        """Take nothing new, let what runs finish, end everything."""
        self.draining = True
        await asyncio.gather(*(each.quiet() for each in self.environments.values()))
        self.end()

    def end(self) -> None:
        """Kill everything at once."""
        self.draining = True
        for environment in self.environments.values():
            environment.end()
        self.journal.flush()

    async def _create(self, specification: Specification, *, shares: bool) -> Environment:
        api = RuntimeApi()
        await api.listen()
        identity = secrets.token_hex(16)
        day = time.strftime("%Y/%m/%d", time.gmtime())
        log_stream = f"{day}/[{specification.function.version}]{identity}"
        temporary = self._temporary(identity, shares=shares)
        setting = Setting(
            runtime=specification.function.runtime,
            memory=specification.function.memory,
            places=self._places,
            variables=variables.build(
                specification, self._places, temporary, log_stream, api.address
            ),
        )
        environment = Environment(
            identity,
            log_stream,
            specification.function,
            setting,
            api=api,
            spawner=self._spawner,
            journal=self.journal,
            others=self._pids_beside,
        )
        self.environments[identity] = environment
        return environment

    def _temporary(self, identity: str, *, shares: bool) -> Path:
        """Give an environment that has company a folder of its own for temporary files."""
        temporary = self._places.temporary / identity if shares else self._places.temporary
        temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        return temporary

    def _pids_beside(self, environment: Environment) -> list[int]:
        others = (each for each in self.environments.values() if each is not environment)
        pids = [each.pid for each in others if each.pid is not None and each.state != State.ENDED]
        return pids + list(self._spawner.helpers)
