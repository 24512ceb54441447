"""No member of any answer is forgotten: each is said somewhere, or listed with the reason why not.

What an operation says is taken from its handler and from all that it calls in the API's folder, as
in test_silence. What an answer holds, and when, the tests of each operation say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import botocore.loaders
import pytest

from pilotlight_gateway.apis.lambda_.event_source_mappings import (
    _NOT_SPEC,
    UNSUPPORTED_OF_MAPPINGS,
)
from pilotlight_gateway.apis.lambda_.table import LAMBDA

from .test_silence import words

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL: dict[str, Any] = botocore.loaders.Loader().load_service_model("lambda", "service-2")
SHAPES = MODEL["shapes"]
_REFUSED = "Its input is refused by name, so that there is nothing to say."
_WHOLE = "No part of an answer fails alone: the call does."
_UNSIGNED = "Signatures of packages are not verified here (docs/unsupported.md)."
NOT_SAID = {
    "AcceleratorConfig": _REFUSED, "CapacityProviderConfig": _REFUSED, "DurableConfig": _REFUSED,
    "DurableExecutionArn": _REFUSED, "S3FilesConfig": _REFUSED,
    "RuntimeConfig": _REFUSED, "SourceKMSKeyArn": _REFUSED, "TenancyConfig": _REFUSED,
    "SigningProfileVersionArn": _UNSIGNED, "SigningJobArn": _UNSIGNED,
    "Error": _WHOLE, "TagsError": _WHOLE, "FilterCriteriaError": _WHOLE,
    "MasterArn": "There is no Lambda@Edge here, whose replicas name their master.",
    "ResolvedS3Object": "It is of code by reference, which is refused: code is copied.",
    "Payload": "It is the body.", "EventStream": "It is the body, in frames (`event_stream`).",
    "ResponseStreamContentType": "It is the reply's own content type.",
}  # fmt: skip
"""Members that no answer has, with the reason."""


def told(shape: str, path: str = "", above: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Tell the paths of all that an answer of a shape can say, and each member's name in HTTP."""
    facts = SHAPES[shape]
    for name, target in facts.get("members", {}).items():
        if target.get("location") == "statusCode" or name in NOT_SAID:
            continue
        yield f"{path}{name}", target.get("locationName", name)
        if target["shape"] not in above:
            yield from told(target["shape"], f"{path}{name}.", (*above, shape))
    if facts["type"] == "list":
        yield from told(facts["member"]["shape"], path, (*above, shape))


def says(operation: str, path: str, sent_as: str) -> bool:
    """Whether an operation's code names a member."""
    if "EventSourceMapping" in operation:  # which are resources, said as they were given
        own = path.removeprefix("EventSourceMappings.")
        is_given = own not in _NOT_SPEC or own in UNSUPPORTED_OF_MAPPINGS
        return is_given or bool({own, sent_as} & words(operation))
    return bool({path.rpartition(".")[2], sent_as} & words(operation))


@pytest.mark.parametrize("operation", LAMBDA)
def test_no_member_of_an_answer_is_forgotten(operation: str) -> None:
    """Of those that AWS's model has today."""
    output = MODEL["operations"][operation].get("output")
    members = told(output["shape"]) if output else ()
    assert [path for path, sent_as in members if not says(operation, path, sent_as)] == []


def test_what_is_listed_is_lambdas() -> None:
    """And has a reason."""
    known = {name for shape in SHAPES.values() for name in shape.get("members", {})}
    assert not NOT_SAID.keys() - known
    assert all(len(reason) > 12 for reason in NOT_SAID.values())


def test_what_is_not_said_is_found() -> None:
    """The search says no where an operation's code does not name a member."""
    assert not says("GetAlias", "CodeSha256", "CodeSha256")
    assert says("GetAlias", "AliasArn", "AliasArn")
