"""The slots of one environment: which live, what runs in which, and who is told of a line."""

from collections.abc import Iterable

from pilotlight_agent.invocations.invocation import Invocation
from pilotlight_wire.protocol import State

from .environment_log import EnvironmentLog
from .slot import Slot


class Slots:
    """All that there ever were, in the order in which they came."""

    def __init__(self) -> None:
        self._all: list[Slot] = []

    def add(self, slot: Slot) -> int:
        """Take one in; returns how many there are by now, ended ones included."""
        self._all.append(slot)
        return len(self._all)

    @property
    def living(self) -> list[Slot]:
        """Those that have not ended."""
        return [slot for slot in self._all if slot.state is not State.ENDED]

    @property
    def all_ended(self) -> bool:
        """Whether there were some, and none lives."""
        return bool(self._all) and not self.living

    @property
    def busy(self) -> list[Slot]:
        """Those that have an invocation."""
        return [slot for slot in self.living if slot.invocation]

    @property
    def running(self) -> list[Slot]:
        """Those whose invocation the function has begun."""
        return [slot for slot in self.living if slot.running]

    @property
    def waiting(self) -> list[Slot]:
        """Those whose invocation the function has not begun."""
        return [slot for slot in self.living if slot.waiting]

    def find_running(self, request_id: str) -> Slot | None:
        """Return the slot in which a request runs."""
        running = ((slot, slot.running) for slot in self.living)
        return next((slot for slot, one in running if one and one.request_id == request_id), None)

    def is_delivered(self, request_id: str, but: Slot) -> bool:
        """Whether the process has a request, or gets it, by another slot than one."""
        return any(
            slot.delivered and slot.invocation and slot.invocation.request_id == request_id
            for slot in self.living
            if slot is not but
        )

    def find_owner(self, line: str, overrun: Iterable[Invocation]) -> Invocation | None:
        """Return whose line it is: the call's whose request id it names, or the only one's."""
        held = [slot.invocation for slot in self.living if slot.invocation and slot.delivered]
        held += overrun
        if len(held) == 1:
            return held[0]
        return next((each for each in held if each.request_id in line), None)

    def log_of(self, invocation: Invocation | None = None) -> EnvironmentLog:
        """Return where it is logged; what is no call's, by a slot that somebody listens to."""
        busy = self.busy
        own = (slot for slot in busy if slot.invocation is invocation)
        return next(own, (busy or self.living or self._all)[0]).log
