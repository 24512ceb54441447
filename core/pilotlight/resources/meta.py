"""The envelope that every custom resource shares, in Kubernetes' shape.

Models are strict: a field that is not there is an error that names it, never ignored. What a
resource means is in its own module beside this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

__all__ = [
    "AGE",
    "GROUP",
    "READY",
    "REASON",
    "VERSION",
    "Column",
    "Condition",
    "Index",
    "Key",
    "Model",
    "ObjectMeta",
    "Resource",
    "cel",
    "find_condition",
    "now",
    "owned_by",
    "owner_uid",
]

GROUP = "pilotlight.dev"
VERSION = "v1alpha1"


def now() -> str:
    """Return this moment as Kubernetes writes it: RFC 3339, UTC, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Key(NamedTuple):
    """Where a resource is; a cluster-scoped one has an empty namespace."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Column(NamedTuple):
    """What `kubectl get` prints of a resource."""

    name: str
    type: Literal["string", "integer", "date"]
    path: str
    """A JSONPath."""


READY = Column("Ready", "string", ".status.conditions[?(@.type=='Ready')].status")
REASON = Column("Reason", "string", ".status.conditions[?(@.type=='Ready')].reason")
AGE = Column("Age", "date", ".metadata.creationTimestamp")


def cel(*rules: tuple[str, str]) -> dict[str, Any]:
    """Return rules between fields, each an expression in CEL and what is said where it is false.

    They are a model's or a field's `json_schema_extra`; the API server checks them.
    """
    said = [{"rule": rule, "message": message} for rule, message in rules]
    return {"x-kubernetes-validations": said}


class Model(BaseModel):
    """A part of a resource: camelCase outside, snake_case inside, unknown fields refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", validate_default=True
    )

    def to_json(self) -> dict[str, Any]:
        """Return the part as a manifest has it, without what was never set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def compact(self) -> Self:
        """Return an equal part of half the size, to be kept.

        pydantic remembers of each part which fields were given; all of a kind share that here.
        """
        values = {
            name: _compact(value) if isinstance(value, Model | list) else value
            for name, value in self
        }
        kind = type(self)
        return kind.model_construct(_field_names(kind), **values)  # type: ignore[return-value]  # of its own kind


def _compact(value: Model | list[Any]) -> Any:
    if isinstance(value, Model):
        return value.compact()
    return [one.compact() if isinstance(one, Model) else one for one in value]


@cache
def _field_names(model: type[Model]) -> set[str]:
    return set(model.model_fields)


class ObjectMeta(Model):
    """A resource's metadata; what Pilotlight does not use is kept as it came."""

    model_config = ConfigDict(extra="allow")

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


class Condition(Model):
    """One observation of a resource's state (Kubernetes API conventions, metav1.Condition)."""

    type: str = Field(description="What is observed, such as Ready.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(description="Why, as one CamelCase word.")
    message: str = Field(default="", description="Why, for a person.")
    observed_generation: int = Field(default=0, description="The generation that was observed.")
    last_transition_time: str = Field(
        default_factory=now, description="When the status last changed."
    )


def find_condition(conditions: Iterable[Condition], kind: str) -> Condition | None:
    """Return the condition of that type."""
    return next((found for found in conditions if found.type == kind), None)


class Resource(Model):
    """A custom resource; subclasses say `kind`, `plural`, their spec and their status."""

    kind_name: ClassVar[str]
    plural: ClassVar[str]
    short_names: ClassVar[tuple[str, ...]] = ()
    cluster_scoped: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = ()
    in_manifests: ClassVar[bool] = True
    """Whether users write it; else only the platform does."""
    listed: ClassVar[bool] = False
    """Whether the gateway lists, shows and deletes it at `/-/<plural>`."""

    api_version: str = f"{GROUP}/{VERSION}"
    kind: str = ""
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)

    @classmethod
    def group(cls) -> str:
        """Return the API group of the kind; empty for Kubernetes' core."""
        return str(cls.model_fields["api_version"].default).rpartition("/")[0]

    @classmethod
    def version(cls) -> str:
        """Return the version of the API group."""
        return str(cls.model_fields["api_version"].default).rpartition("/")[2]

    @property
    def key(self) -> Key:
        """Where the resource is."""
        return Key(self.metadata.namespace, self.metadata.name)

    def problem(self) -> str | None:
        """Say what is wrong beyond what a schema can say; None where nothing is.

        What comes by the platform's own doors is refused for it; what `kubectl` wrote gets a
        condition.
        """
        return None


R = TypeVar("R", bound=Resource)


@dataclass(frozen=True, slots=True)
class Index(Generic[R]):
    """Another way than its key to find a resource of a kind; `pilotlight.cache` keeps it up."""

    kind: type[R]
    values: Callable[[R], Iterable[Hashable]]
    """What a resource is found by."""


def owned_by(metadata: ObjectMeta, owner: Resource) -> ObjectMeta:
    """Return metadata that says who owns the resource: it is deleted with its owner."""
    reference = {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.metadata.name,
        "uid": owner.metadata.uid,
    }
    others = [one for one in _owners(metadata) if one.get("uid") != owner.metadata.uid]
    return metadata.model_copy(update={"ownerReferences": [*others, reference]})


def owner_uid(metadata: ObjectMeta, kind: str) -> str | None:
    """Return the uid of the owner of that kind."""
    return next((one.get("uid") for one in _owners(metadata) if one.get("kind") == kind), None)


def _owners(metadata: ObjectMeta) -> list[dict[str, Any]]:
    return list((metadata.model_extra or {}).get("ownerReferences") or [])
