"""The API's model is botocore's, every operation is found, validation uses Lambda's words."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from pilotlight_gateway.apis import unsupported
from pilotlight_gateway.apis.lambda_.model import load_model
from pilotlight_gateway.apis.lambda_.service import Lambda
from pilotlight_gateway.apis.lambda_.table import LAMBDA
from pilotlight_gateway.apis.service import Request
from pilotlight_gateway.apis.validation import validate
from pilotlight_gateway.errors import (
    NotSupportedError,
    SerializationError,
    ValidationError,
)
from pilotlight_gateway.exchange import Query
from tests.support.lambda_model import MODEL, render


def test_the_file_is_what_botocore_says() -> None:
    assert render() == MODEL.read_text(), "run: python -m tests.support.lambda_model"


@pytest.mark.parametrize("name", sorted(load_model().operations))
def test_every_operation_is_found_by_its_own_path(name: str) -> None:
    operation = load_model().operations[name]
    path = operation.path
    for shape in ("{FunctionName}", "{Name}", "{UUID}"):
        path = path.replace(shape, "some-name")
    path = path.replace("{", "").replace("}", "")
    try:
        request = Request(operation.method, path, "", CIMultiDict(), Query(operation.query))
        found = Lambda().find(request).operation
    except NotSupportedError as error:
        said = error.message
    else:
        assert found == name
        return
    assert f"operation {name} is not supported yet" in said
    assert name not in LAMBDA


def test_several_failures_are_counted() -> None:
    with pytest.raises(ValidationError, match=r"^2 validation errors detected: Value null at"):
        validate(
            load_model().shapes,
            "CreateFunctionRequest",
            {"FunctionName": "a", "Timeout": 0, "Role": "arn:aws:iam::123456789012:role/x"},
        )


@pytest.mark.parametrize("weight", [-0.5, 1.5])
def test_a_share_outside_its_bounds_is_a_failure(weight: float) -> None:
    with pytest.raises(ValidationError, match="Member must have value"):
        validate(load_model().shapes, "AliasRoutingConfiguration", {
            "AdditionalVersionWeights": {"2": weight}
        })  # fmt: skip


def test_a_wrong_json_type_is_a_serialization_error() -> None:
    with pytest.raises(SerializationError, match="timeout: integer expected, str '3' came"):
        validate(
            load_model().shapes,
            "UpdateFunctionConfigurationRequest",
            {
                "FunctionName": "a",
                "Timeout": "3",
            },
        )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


@given(st.sampled_from(sorted(load_model().shapes["CreateFunctionRequest"]["members"])), JSON)
def test_no_input_breaks_the_validator(member: str, value: object) -> None:
    with contextlib.suppress(ValidationError, SerializationError):
        validate(load_model().shapes, "CreateFunctionRequest", {member: value})


def test_the_unsupported_page_is_current() -> None:
    page = Path(__file__).parents[4] / "docs" / "unsupported.md"
    assert page.read_text() == unsupported.render(), "run: make docs"
