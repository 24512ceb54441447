"""The pod: generic until it is specialised, once in its life, to one revision.

It owns the environments and knows their table; what happens inside one is `environment`'s affair,
and `gateway_api` is how gateways reach all this.
"""

import asyncio

from pilotlight_agent.errors import (
    AlreadySpecialisedError,
    BusyError,
    DrainingError,
    NotSpecialisedError,
)
from pilotlight_agent.journal import Journal
from pilotlight_agent.places import Places
from pilotlight_agent.processes.spawner import Spawner
from pilotlight_wire.protocol import State
from pilotlight_wire.specialisation import Specialisation

from . import package
from .environment_maker import EnvironmentMaker
from .layers import check_size, install_layers
from .leased import Leased
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
        self.environments: dict[str, Leased] = {}
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
        self._maker: EnvironmentMaker | None = None

    @property
    def ready(self) -> bool:
        """Whether it may be given something to do."""
        return self._spawner.ready and not self.draining

    @property
    def revision(self) -> str:
        """The revision it serves or tried to, empty for a generic pod."""
        return "" if self._specialisation is None else self._specialisation.revision

    @property
    def object_name(self) -> str:
        """The name of its function's object, empty for a generic pod."""
        return "" if self._specialisation is None else self._specialisation.object_name

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
        self._maker = EnvironmentMaker(
            self._places, self._spawner, self.journal, specialisation, zone=self._zone
        )
        self.specialised = True
        await self.start_environments(specialisation.environments)
        return installation

    async def start_environments(self, count: int) -> list[Leased]:
        """Start `count` more environments of the revision, or slots of one that takes several."""
        maker = self._maker
        if maker is None or not self.specialised:
            raise NotSpecialisedError("the pod has no revision")
        if self.draining:
            raise DrainingError("the pod takes nothing new")
        shares = len(self.environments) + count > 1
        started = [await maker.make(shares=shares) for _ in range(count)]
        for environment in started:
            environment.born = self.journal.last
            self.environments[environment.identity] = environment
        for environment in started:
            environment.start()
        return started

    def fence(self, epoch: int) -> None:
        """Take no lease of an older epoch any more; raises BusyError where anything runs."""
        if not self.specialised:
            raise NotSpecialisedError("the pod has no revision")
        if any(one.state is State.BUSY for one in self.environments.values()):
            raise BusyError("the pod runs an invocation")
        for environment in self.environments.values():
            if environment.epoch < epoch:
                environment.epoch, environment.lease = epoch, b""

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
