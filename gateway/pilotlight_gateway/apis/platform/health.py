"""`/-/live`, `/-/ready` and `/-/metrics`: what the kubelet and Prometheus ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilotlight_gateway.exchange import Reply, json_reply

if TYPE_CHECKING:
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["get_live", "get_metrics", "get_ready"]


async def get_live(services: Services, call: Call) -> Reply:
    """Say that the process answers."""
    del services, call  # that it answers is the answer
    return json_reply({"live": True})


async def get_ready(services: Services, call: Call) -> Reply:
    """Say whether invocations are served: 200, else 503."""
    del call  # anybody may ask
    ready = services.is_ready()
    return json_reply({"ready": ready}, 200 if ready else 503)


async def get_metrics(services: Services, call: Call) -> Reply:
    """Return the metrics as Prometheus reads them."""
    del call  # anybody may ask
    await services.measure()
    return Reply(200, services.metrics.render(), content_type="text/plain; version=0.0.4")
