"""Any sequence of operations on the embedded store ends as on a dictionary."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from pilotlight.errors import AlreadyExistsError, ConflictError, NotFoundError
from pilotlight.resources import Function, Key, Secret
from pilotlight.storage.sqlite.resources import SqliteResources
from tests.core.storage.sqlite.test_resources import function, secret

if TYPE_CHECKING:
    from collections.abc import Coroutine

NAMES = st.sampled_from(["a", "b", "c"])
MEMORY = st.integers(128, 131)


class Resources(RuleBasedStateMachine):
    """Functions and the Secrets that they own, in the store and in a model."""

    read: Bundle[Function] = Bundle("read")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.store = SqliteResources(Path(self.folder.name) / "resources.sqlite")
        self.functions: dict[str, Function] = {}
        self.owners: dict[str, str] = {}

    def outcome(self, operation: Coroutine[Any, Any, Any]) -> Any:
        """Run an operation; a refusal is its outcome, too."""
        try:
            return self.runner.run(operation)
        except (AlreadyExistsError, ConflictError, NotFoundError) as refusal:
            return type(refusal)

    @rule(target=read, name=NAMES, memory=MEMORY)
    def create(self, name: str, memory: int) -> Function:
        """A name is taken once."""
        wanted = function(name, memory=memory)
        outcome = self.outcome(self.store.create(wanted))
        if name in self.functions:
            assert outcome is AlreadyExistsError
            return self.functions[name]
        assert outcome.spec == wanted.spec
        self.functions[name] = outcome
        return wanted.model_copy(update={"metadata": outcome.metadata}, deep=True)

    @rule(target=read, known=read, memory=MEMORY)
    def replace(self, known: Function, memory: int) -> Function:
        """Only the newest version may be replaced; only a new spec is a new generation."""
        wanted = known.model_copy(deep=True)
        wanted.spec.memory = memory
        outcome = self.outcome(self.store.replace(wanted))
        current = self.functions.get(known.metadata.name)
        if current is None:
            assert outcome is NotFoundError
        elif current.metadata.resource_version != known.metadata.resource_version:
            assert outcome is ConflictError
        else:
            grew = current.spec.memory != memory
            assert outcome.metadata.generation == current.metadata.generation + grew
            assert (outcome.spec, outcome.status) == (wanted.spec, current.status)
            self.functions[known.metadata.name] = outcome
        replaced = self.functions.get(known.metadata.name, known)
        return replaced.model_copy(deep=True)

    @rule(known=read, revision=st.sampled_from(["one", "two"]))
    def write_status(self, known: Function, revision: str) -> None:
        """A status goes to the same object of any version."""
        wanted = known.model_copy(deep=True)
        wanted.status.revision = revision
        outcome = self.outcome(self.store.write_status(wanted))
        current = self.functions.get(known.metadata.name)
        if current is None or current.metadata.uid != known.metadata.uid:
            assert outcome is NotFoundError
            return
        assert (outcome.spec, outcome.status.revision) == (current.spec, revision)
        assert outcome.metadata.generation == current.metadata.generation
        self.functions[known.metadata.name] = outcome

    @rule(owner=NAMES, name=NAMES)
    def own(self, owner: str, name: str) -> None:
        """A function gets a Secret, if the name is free."""
        if owner in self.functions and name not in self.owners:
            self.runner.run(self.store.create(secret(name, self.functions[owner])))
            self.owners[name] = owner

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        """What was owned goes along."""
        outcome = self.outcome(self.store.delete(Function, Key("default", name)))
        assert (outcome is NotFoundError) == (name not in self.functions)
        self.functions.pop(name, None)
        self.owners = {one: owner for one, owner in self.owners.items() if owner != name}

    @rule()
    def restart(self) -> None:
        """Nothing is lost by closing and opening."""
        self.store.close()
        self.store = SqliteResources(Path(self.folder.name) / "resources.sqlite")

    @invariant()
    def equal(self) -> None:
        """The store holds what the model holds."""
        functions = self.runner.run(self.store.list(Function))
        assert {one.metadata.name: one for one in functions} == self.functions
        secrets = self.runner.run(self.store.list(Secret))
        assert {one.metadata.name for one in secrets} == self.owners.keys()

    def teardown(self) -> None:
        """Close everything, since warnings are errors."""
        self.store.close()
        self.runner.close()
        self.folder.cleanup()


Resources.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
test_any_sequence_ends_as_on_a_dictionary = Resources.TestCase
