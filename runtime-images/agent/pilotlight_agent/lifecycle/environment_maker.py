"""Makes a pod's environments: what they are started with, and what they share.

An environment that takes one call at a time shares the pod alone. Of one that takes several, either
each call has a slot of the one process, or, where the family has a process for each call, the
processes share memory, /tmp and extensions.
"""

import asyncio
import secrets
import time
from pathlib import Path
from typing import NamedTuple

from pilotlight_agent.journal import Clock, Journal
from pilotlight_agent.places import TEMPORARY, Places
from pilotlight_agent.processes.memory import MemoryLimit
from pilotlight_agent.processes.spawner import Spawner
from pilotlight_agent.runtimes import family_of, variables
from pilotlight_agent.runtimes.credentials_api import CredentialsApi
from pilotlight_agent.runtimes.extensions_api import ExtensionsApi
from pilotlight_agent.runtimes.family import Setting
from pilotlight_agent.runtimes.metadata_api import MetadataApi
from pilotlight_agent.runtimes.runtime_api import RuntimeApi
from pilotlight_agent.runtimes.shared_runtime_api import SharedRuntimeApi
from pilotlight_agent.runtimes.telemetry import Telemetry
from pilotlight_wire.protocol import State
from pilotlight_wire.specialisation import Specialisation

from .environment import Environment
from .environment_log import EnvironmentLog
from .leased import Leased
from .shared_environment import SharedEnvironment
from .slot import Slot


class _Common(NamedTuple):
    """What the processes of one environment have in common."""

    temporary: Path
    memory: MemoryLimit
    telemetry: Telemetry


class _Stand(NamedTuple):
    """What a runtime process stands on."""

    setting: Setting
    api: RuntimeApi
    log_stream: str
    telemetry: Telemetry
    """What is told of its calls."""


class EnvironmentMaker:
    """Makes all that a pod leases, of one revision."""

    def __init__(
        self, places: Places, spawner: Spawner, journal: Journal, specialisation: Specialisation,
        *, zone: str,
    ) -> None:  # fmt: skip
        self._places = places
        self._spawner = spawner
        self._journal = journal
        self._specialisation = specialisation
        self._function = specialisation.function
        self._family = family_of(specialisation.function.runtime)
        self._zone = zone
        self._processes: list[Environment | SharedEnvironment] = []
        self._opening = asyncio.Lock()
        self._common: _Common | None = None
        self._shared: tuple[SharedEnvironment, _Stand] | None = None

    async def make(self, *, shares: bool) -> Leased:
        """Make one more; `shares`: others may be in the pod."""
        identity = secrets.token_hex(16)
        if self._function.calls_per_environment == 1:
            common = self._fresh(self._temporary(identity, shared=shares))
            return self._environment(identity, await self._stand(identity, RuntimeApi, common))
        async with self._opening:
            make = self._add_process if self._family.process_per_call else self._add_slot
            return await make(identity)

    async def _add_process(self, identity: str) -> Environment:
        """Make one more process of the environment; beside the first one extensions start."""
        first = all(map(_has_ended, self._processes))
        if first or self._common is None:
            self._common = self._fresh(self._temporary(identity))
        stand = await self._stand(identity, RuntimeApi, self._common, has_extensions=first)
        return self._environment(identity, stand)

    async def _add_slot(self, identity: str) -> Slot:
        """Make one more place for a call in the environment, and that before the first one."""
        if self._shared is None or self._shared[0].ended:
            common = self._fresh(self._temporary(identity))
            stand = await self._stand(identity, SharedRuntimeApi, common)
            environment = SharedEnvironment(
                self._function, stand.setting,
                api=stand.api, spawner=self._spawner, others=self._beside,
            )  # fmt: skip
            self._processes.append(environment)
            self._shared = environment, stand
        environment, stand = self._shared
        return Slot(identity, self._function, environment, self._log(identity, stand))

    def _environment(self, identity: str, stand: _Stand) -> Environment:
        environment = Environment(
            identity, self._function, stand.setting,
            api=stand.api, spawner=self._spawner,
            log=self._log(identity, stand), others=self._beside,
        )  # fmt: skip
        self._processes.append(environment)
        return environment

    def _fresh(self, temporary: Path) -> _Common:
        json_lines = self._function.log_format.upper() == "JSON"
        telemetry = Telemetry(Clock().stamp, json_lines=json_lines)
        return _Common(temporary, MemoryLimit(self._function.memory), telemetry)

    async def _stand(
        self,
        identity: str,
        kind: type[RuntimeApi],
        common: _Common,
        *,
        has_extensions: bool = True,
    ) -> _Stand:
        """Make what a runtime process is started with, and open what it speaks to."""
        metadata = MetadataApi(self._zone)
        credentials = CredentialsApi(self._specialisation.role)
        # One that extensions do not stand beside has none to tell, nor to wait for.
        own = common.telemetry if has_extensions else self._fresh(common.temporary).telemetry
        api = kind(ExtensionsApi(self._function, own), metadata, credentials)
        await api.listen()
        day = time.strftime("%Y/%m/%d", time.gmtime())
        log_stream = f"{day}/[{self._function.version}]{identity}"
        setting = Setting(
            family=self._family,
            memory=self._function.memory,
            memory_limit=common.memory,
            places=self._places,
            temporary=common.temporary,
            storage=self._function.ephemeral_storage,
            image=self._specialisation.image,
            has_extensions=has_extensions,
            variables=variables.build(
                self._specialisation,
                self._family,
                self._places,
                temporary=common.temporary,
                log_stream=log_stream,
                runtime_api=api.address,
                metadata_token=metadata.token,
                credentials_token=credentials.token,
            ),
        )
        return _Stand(setting, api, log_stream, common.telemetry)

    def _log(self, identity: str, stand: _Stand) -> EnvironmentLog:
        return EnvironmentLog(
            self._journal, identity, stand.log_stream, self._function, stand.telemetry
        )

    def _temporary(self, identity: str, *, shared: bool = False) -> Path:
        """Make the folder for temporary files: /tmp itself only for who is alone in it.

        In local mode others may come to whoever is alone now, and nobody expects to have /tmp.
        """
        own = shared or self._places.temporary != TEMPORARY
        temporary = self._places.temporary / identity if own else self._places.temporary
        temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        return temporary

    def _beside(self, environment: Environment | SharedEnvironment) -> dict[int, bytes]:
        """Return the runtimes of the others, and their marks."""
        marks = {
            each.pid: variables.mark_of(each.setting.variables)
            for each in self._processes
            if each is not environment and each.pid is not None  # one that ends may have a while
        }
        return marks | dict.fromkeys(self._spawner.helpers, b"")


def _has_ended(each: Environment | SharedEnvironment) -> bool:
    return each.ended if isinstance(each, SharedEnvironment) else each.state is State.ENDED
