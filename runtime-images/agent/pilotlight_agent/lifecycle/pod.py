"""The pod: generic until it is specialised, once in its life, to one revision.

It owns the environments and knows their table; what happens inside one is `environment`'s affair,
and `gateway_api` is how gateways reach all this.
"""

import asyncio
import secrets
import time
from pathlib import Path

from pilotlight_agent.errors import (
    AlreadySpecialisedError,
    DrainingError,
    NotSpecialisedError,
)
from pilotlight_agent.journal import Clock, Journal
from pilotlight_agent.places import TEMPORARY, Places
from pilotlight_agent.processes.spawner import Spawner
from pilotlight_agent.runtimes import family_of, variables
from pilotlight_agent.runtimes.extensions_api import ExtensionsApi
from pilotlight_agent.runtimes.family import Setting
from pilotlight_agent.runtimes.metadata_api import MetadataApi
from pilotlight_agent.runtimes.runtime_api import RuntimeApi
from pilotlight_agent.runtimes.telemetry import Telemetry
from pilotlight_wire.protocol import State
from pilotlight_wire.specialisation import Specialisation

from . import package
from .environment import Environment
from .environment_log import EnvironmentLog
from .layers import check_size, install_layers
from .package import Installation


def _install(specialisation: Specialisation, places: Places) -> Installation:
    """Bring code and layers to their places."""
    if specialisation.code is None:  # it was there when the pod was made of an image
        return Installation(fetch=0.0, unpack=0.0)
    code = package.install(specialisation.code, places.task_root)
    if not specialisation.layers:
        return code
    layers = install_layers(specialisation.layers, places.layers_root)
    check_size(places.task_root, places.layers_root)
    return Installation(code.fetch + layers.fetch, code.unpack + layers.unpack)


class Pod:
    """Environments by id, all of one revision."""

    def __init__(
        self, places: Places, spawner: Spawner, journal: Journal, *, zone: str = ""
    ) -> None:
        """`zone` is where its node is, as far as that is known."""
        self.environments: dict[str, Environment] = {}
        self.journal = journal
        self.draining = False
        self.specialised = False
        """Whether it has its code and its environments."""
        self.tenant = b""
        """The only one whose invocations it takes; empty where the function isolates none."""
        self.finished = asyncio.Event()
        """Set when it has drained; the agent then ends."""
        self._places = places
        self._zone = zone
        self._spawner = spawner
        self._burnt = False
        self._specialisation: Specialisation | None = None

    @property
    def ready(self) -> bool:
        """Whether it may be given something to do."""
        return self._spawner.ready and not self.draining

    @property
    def revision(self) -> str:
        """The revision it serves or tried to, empty for a generic pod."""
        return "" if self._specialisation is None else self._specialisation.revision

    async def specialise(self, specialisation: Specialisation) -> Installation:
        """Fetch and unpack the code, start the first environments; a failure burns the pod.

        Raises what `package.install` raises, AlreadySpecialisedError and DrainingError.
        """
        if self._burnt:
            raise AlreadySpecialisedError("a pod is specialised once")
        if self.draining:
            raise DrainingError("the pod takes nothing new")
        self._burnt = True
        self._specialisation = specialisation
        self.tenant = (specialisation.function.tenant_id or "").encode()
        installation = await asyncio.to_thread(_install, specialisation, self._places)
        self.specialised = True
        await self.start_environments(specialisation.environments)
        return installation

    async def start_environments(self, count: int) -> list[Environment]:
        """Start `count` more environments of the revision."""
        specialisation = self._specialisation
        if specialisation is None or not self.specialised:
            raise NotSpecialisedError("the pod has no revision")
        if self.draining:
            raise DrainingError("the pod takes nothing new")
        shares = len(self.environments) + count > 1
        started = [await self._create(specialisation, shares=shares) for _ in range(count)]
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
        environments = list(self.environments.values())
        await asyncio.gather(*(each.quiet() for each in environments))
        self.end()
        await asyncio.gather(*(each.gone.wait() for each in environments))

    def end(self) -> None:
        """Kill everything at once."""
        self.draining = True
        for environment in self.environments.values():
            environment.end()
        self.journal.flush()

    async def _create(self, specialisation: Specialisation, *, shares: bool) -> Environment:
        metadata = MetadataApi(self._zone)
        json_lines = specialisation.function.log_format.upper() == "JSON"
        telemetry = Telemetry(Clock().stamp, json_lines=json_lines)
        api = RuntimeApi(ExtensionsApi(specialisation.function, telemetry), metadata)
        await api.listen()
        identity = secrets.token_hex(16)
        day = time.strftime("%Y/%m/%d", time.gmtime())
        log_stream = f"{day}/[{specialisation.function.version}]{identity}"
        temporary = self._temporary(identity, shares=shares)
        family = family_of(specialisation.function.runtime)
        setting = Setting(
            family=family,
            memory=specialisation.function.memory,
            places=self._places,
            temporary=temporary,
            storage=specialisation.function.ephemeral_storage,
            image=specialisation.image,
            variables=variables.build(
                specialisation,
                family,
                self._places,
                temporary=temporary,
                log_stream=log_stream,
                runtime_api=api.address,
                metadata_token=metadata.token,
            ),
        )
        environment = Environment(
            identity,
            specialisation.function,
            setting,
            api=api,
            spawner=self._spawner,
            log=EnvironmentLog(
                self.journal, identity, log_stream, specialisation.function, telemetry
            ),
            others=self._beside,
        )
        environment.born = self.journal.last
        self.environments[identity] = environment
        return environment

    def _temporary(self, identity: str, *, shares: bool) -> Path:
        """Make the folder for temporary files: /tmp itself only for who is alone in it.

        In local mode others may come to whoever is alone now, and nobody expects to have /tmp.
        """
        shared = shares or self._places.temporary != TEMPORARY
        temporary = self._places.temporary / identity if shared else self._places.temporary
        temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        return temporary

    def _beside(self, environment: Environment) -> dict[int, bytes]:
        others = (each for each in self.environments.values() if each is not environment)
        marks = {
            each.pid: variables.mark_of(each.setting.variables)
            for each in others
            if each.pid is not None and each.state is not State.ENDED
        }
        return marks | dict.fromkeys(self._spawner.helpers, b"")
