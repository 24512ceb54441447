"""The CRDs are what the models say, and the chart has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pilotlight.resources import Function, Runtime
from pilotlight.resources.crd import crds, definition, to_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

CHART_COPY = Path(__file__).parents[3] / "charts/pilotlight/files/crds.yaml"
Json = dict[str, Any]


def _spec(kind: type[Function | Runtime]) -> Json:
    schema = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    spec: Json = schema["properties"]["spec"]
    return spec


def _nodes(path: str, schema: Json) -> Iterator[tuple[str, Json]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from _nodes(f"{path}.{name}", child)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _nodes(f"{path}[]", schema[key])


def test_the_charts_copy_is_up_to_date() -> None:
    command = "python -m pilotlight.resources.crd > charts/pilotlight/files/crds.yaml"
    assert CHART_COPY.read_text() == to_yaml(), f"run: {command}"


@pytest.mark.parametrize("crd", crds(), ids=lambda crd: crd["spec"]["names"]["kind"])
def test_the_schema_is_structural_and_every_field_is_described(crd: Json) -> None:
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for path, node in _nodes("", schema):
        assert node.get("type"), f"{path} has no type"
        assert not {"anyOf", "$ref", "title"} & node.keys(), path
        is_element = path.endswith("[]")
        assert node.get("description") or is_element or path == ".metadata", (
            f"{path} is not described"
        )


def test_limits_and_defaults_are_lambdas() -> None:
    properties = _spec(Function)["properties"]
    memory, timeout = properties["memory"], properties["timeout"]
    assert (memory["minimum"], memory["maximum"], memory["default"]) == (128, 10_240, 128)
    assert (timeout["minimum"], timeout["maximum"], timeout["default"]) == (1, 900, 3)
    assert properties["architecture"]["enum"] == ["x86_64", "arm64"]
    assert properties["code"]["properties"]["inline"]["maxLength"] == 65_536
    assert _spec(Function)["required"] == ["code"]


def test_names_columns_and_status() -> None:
    function, runtime = definition(Function)["spec"], definition(Runtime)["spec"]
    assert function["names"]["shortNames"] == ["fn"]
    assert (function["scope"], runtime["scope"]) == ("Namespaced", "Cluster")
    version = function["versions"][0]
    columns = [column["name"].upper() for column in version["additionalPrinterColumns"]]
    assert columns == ["READY", "REASON", "RUNTIME", "MEMORY", "STATE", "REVISION", "AGE"]
    assert version["subresources"] == {"status": {}}
    conditions = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    assert conditions["conditions"]["x-kubernetes-list-map-keys"] == ["type"]
