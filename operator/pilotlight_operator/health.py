"""The operator's own port: `/-/live`, `/-/ready`, `/-/metrics`.

A standby is ready: it does what it should. A leader lives only while its controller progresses;
otherwise the kubelet restarts it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HealthServer"]


_TEXT = {"Content-Type": CONTENT_TYPE_LATEST}


class HealthServer:
    """Serves the operator's state."""

    def __init__(self, host: str, port: int) -> None:
        self.registry = CollectorRegistry()
        self._leading = Gauge(
            "pilotlight_operator_leading", "1 while this process leads.", registry=self.registry
        )
        self._lease_age = Gauge(
            "pilotlight_lease_age_seconds",
            "Since the leader's Lease was renewed, as far as this process knows.",
            registry=self.registry,
        )
        self._host, self._port = host, port
        self._is_alive: Callable[[], bool] = lambda: True
        self._measure: Callable[[], None] = lambda: None
        app = web.Application()
        app.router.add_get("/-/live", self._live)
        app.router.add_get("/-/ready", self._live)
        app.router.add_get("/-/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()

    def follow(self, lease_age: Callable[[], float]) -> None:
        """Show how old the Lease is from now on."""
        self._lease_age.set_function(lease_age)

    def lead(self, is_alive: Callable[[], bool], measure: Callable[[], None]) -> None:
        """Answer for a leader from now on; `measure` brings its gauges up to date."""
        self._leading.set(1)
        self._is_alive, self._measure = is_alive, measure

    async def _live(self, _: web.Request) -> web.Response:
        if self._is_alive():
            return web.json_response({"status": "ok"})
        return web.json_response({"status": "the controller makes no progress"}, status=503)

    async def _metrics(self, _: web.Request) -> web.Response:
        self._measure()
        return web.Response(body=generate_latest(self.registry), headers=_TEXT)
