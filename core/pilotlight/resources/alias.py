"""`FunctionAlias`: a name for a version of a function, which can be pointed at another one.

Gateways follow it (`pilotlight_gateway.invocation.published`), and so does provisioned concurrency.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from ..names import object_name
from .asynchronous import AsyncConfig, check_not_itself, own_destination
from .meta import AGE, READY, Column, Condition, Index, Key, Model, Resource, cel, find_condition
from .policy import PolicyStatement  # noqa: TC001  pydantic reads it at run time
from .url import FunctionUrl  # noqa: TC001  pydantic reads it at run time
from .version import ProvisionedStatus  # noqa: TC001  pydantic reads it at run time

if TYPE_CHECKING:
    from .function import Function

__all__ = [
    "ALIASES_BY_FUNCTION",
    "ALIASES_BY_NAME",
    "ALIAS_NAME",
    "LATEST",
    "PROVISIONED_ALIASES",
    "PUBLISHED",
    "FunctionAlias",
    "FunctionAliasSpec",
    "FunctionAliasStatus",
]

ALIAS_NAME = r"^[a-zA-Z0-9-_]{1,128}$"
LATEST = "$LATEST"
"""The function itself, as it is now."""
PUBLISHED = "$PUBLISHED"
"""The newest version, whichever it is."""
_TARGET = r"^(\$LATEST|\$PUBLISHED|[1-9][0-9]*)$"


def _check_name(name: str) -> str:
    if name.isdigit():
        raise ValueError(f"{name!r} is a number: an alias' name holds another character, too")
    return name


def _check_weights(weights: dict[str, float]) -> dict[str, float]:
    if len(weights) > 1:
        raise ValueError(f"{len(weights)} weights came, one further version may have one")
    for version, weight in weights.items():
        if not version.isdigit() or not 0.0 <= weight <= 1.0:
            raise ValueError(
                f"{version}: {weight} came, a version's number and a weight from 0.0 to 1.0 "
                "are expected"
            )
    return weights


class FunctionAliasSpec(Model):
    """What the alias means."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "self.__function__ == oldSelf.__function__ && self.alias == oldSelf.alias",
                "function and alias are immutable",
            ),
            (
                "!self.alias.matches('^[0-9]+$')",
                "alias is a number: an alias' name holds another character, too",
            ),
            (
                (
                    "self.version != '$LATEST' || (!has(self.provisionedConcurrency) && "
                    "(!has(self.weights) || size(self.weights) == 0))"
                ),
                "$LATEST has neither weights nor provisioned concurrency",
            ),
            (
                (
                    "!has(self.weights) || "
                    "self.weights.all(name, self.weights[name] >= 0.0 && self.weights[name] <= 1.0)"
                ),
                "a weight is a number from 0.0 to 1.0",
            ),
        )
    )

    function: str = Field(max_length=253, description="Object name of the function.")
    alias: Annotated[str, AfterValidator(_check_name)] = Field(
        pattern=ALIAS_NAME, description="Lambda's name of the alias."
    )
    version: str = Field(
        pattern=_TARGET, description="A version's number, $PUBLISHED for the newest, or $LATEST."
    )
    weights: Annotated[dict[str, float], AfterValidator(_check_weights)] = Field(
        default_factory=dict,
        description="Share of invocations that a further version gets, 0.0 to 1.0.",
        json_schema_extra={"maxProperties": 1},
    )
    description: str = Field(default="", max_length=256, description="For people.")
    provisioned_concurrency: int | None = Field(
        default=None, ge=1, description="Environments that are kept initialised."
    )
    async_: AsyncConfig | None = Field(
        default=None, alias="async", description="How events sent to the alias are handled."
    )
    policy: list[PolicyStatement] = Field(
        default_factory=list,
        max_length=100,
        description="Who else may use it, and who may not (Lambda's resource-based policy).",
    )
    url: FunctionUrl | None = Field(
        default=None, description="Makes the alias reachable at an HTTP address of its own."
    )

    @model_validator(mode="after")
    def _latest_has_no_weights(self) -> Self:
        if self.version == LATEST and (self.weights or self.provisioned_concurrency):
            raise ValueError("$LATEST has neither weights nor provisioned concurrency")
        return self

    @model_validator(mode="after")
    def _own_version_has_no_weight(self) -> Self:
        if self.version in self.weights:
            raise ValueError(
                f"Invalid function version {self.version}. Function version {self.version} is "
                "already included in routing configuration."
            )
        return self

    @model_validator(mode="after")
    def _function_is_no_destination_of_its_own(self) -> Self:
        check_not_itself(self.async_, lambda name: object_name(name) == self.function)
        return self


class FunctionAliasStatus(Model):
    """What the operator knows of the alias."""

    observed_generation: int = Field(default=0, description="The generation that was observed.")
    version: str | None = Field(default=None, description="The version that it means now.")
    provisioned: ProvisionedStatus | None = Field(
        default=None, description="How far provisioned concurrency is."
    )
    conditions: list[Condition] = Field(default_factory=list, description="Ready.")


class FunctionAlias(Resource):
    """An alias of a function."""

    kind_name: ClassVar[str] = "FunctionAlias"
    plural: ClassVar[str] = "functionaliases"
    short_names: ClassVar[tuple[str, ...]] = ("fna",)
    columns: ClassVar[tuple[Column, ...]] = (
        READY,
        Column("Function", "string", ".spec.function"),
        Column("Alias", "string", ".spec.alias"),
        Column("Version", "string", ".spec.version"),
        Column("Provisioned", "integer", ".spec.provisionedConcurrency"),
        Column("Available", "integer", ".status.provisioned.available"),
        AGE,
    )

    kind: Literal["FunctionAlias"] = "FunctionAlias"
    spec: FunctionAliasSpec
    status: FunctionAliasStatus = Field(default_factory=FunctionAliasStatus)

    @property
    def function(self) -> Key:
        """Where the function is."""
        return Key(self.metadata.namespace, self.spec.function)

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of that type."""
        return find_condition(self.status.conditions, kind)

    def own_destination(self, function: Function) -> str | None:
        """Say that its function is a destination of its own; None where it is not.

        The spec knows only the function's object, whose name may be another than Lambda's.
        """
        return own_destination(self.spec.async_, lambda name: name == function.function_name)


ALIASES_BY_FUNCTION = Index(FunctionAlias, lambda alias: [alias.function])
ALIASES_BY_NAME = Index(FunctionAlias, lambda alias: [(alias.function, alias.spec.alias)])
"""By the function's key and Lambda's name of the alias."""
PROVISIONED_ALIASES = Index(
    FunctionAlias, lambda alias: [True] if alias.spec.provisioned_concurrency else []
)
"""By True: those that ask for provisioned concurrency."""
