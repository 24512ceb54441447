"""Which state of an environment may follow which."""

from pilotlight_wire.protocol import State

_TRANSITIONS = {
    State.STARTING: {State.IDLE, State.BUSY, State.ENDED},
    State.IDLE: {State.BUSY, State.STARTING, State.ENDED},
    State.BUSY: {State.IDLE, State.STARTING, State.ENDED},
    State.ENDED: set[State](),
}


def changed(before: State, after: State) -> State:
    """Return the new state; raises RuntimeError where it cannot follow."""
    if after not in _TRANSITIONS[before]:
        raise RuntimeError(f"an environment that is {before} cannot become {after}")
    return after
