"""Sources whose clients not every installation has."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pilotlight.resources import EventSourceMapping, EventSourceMappingSpec, ObjectMeta
from pilotlight_gateway.errors import NotSupportedError
from pilotlight_gateway.event_sources import make_source
from pilotlight_gateway.metrics import Metrics

SPECS: dict[str, dict[str, Any]] = {
    "aiokafka": {
        "topics": ["t"], "startingPosition": "LATEST",
        "selfManagedEventSource": {"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a:9092"]}},
    },
    "aio_pika": {"eventSourceArn": "arn:aws:mq:us-east-1:000000000000:broker:b", "queues": ["q"]},
    "redis": {"source": "redis://a:6379/s", "startingPosition": "LATEST"},
    "nats": {"source": "nats://a:4222/s", "startingPosition": "LATEST"},
}  # fmt: skip


@pytest.mark.parametrize("client", SPECS)
def test_one_that_is_missing_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    """And everything else works without it."""
    for name in list(sys.modules):
        if name.partition(".")[0] == client or name.startswith("pilotlight_gateway.event_sources."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, client, None)
    spec = EventSourceMappingSpec.model_validate({"function": "f"} | SPECS[client])
    mapping = EventSourceMapping(metadata=ObjectMeta(name="m", namespace="default"), spec=spec)
    assert mapping.problem() is None
    services = SimpleNamespace(metrics=Metrics(), settings=SimpleNamespace(region="us-east-1"))
    with pytest.raises(NotSupportedError, match=rf"{client}.* install pilotlight\[sources\]"):
        make_source(cast("Any", services), "000000000000", mapping)
