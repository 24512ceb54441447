"""The probe counts what holds a connection, and who ends before another begins is not beside it."""

from __future__ import annotations

import socket

from tests.support.probe import Probe


def _run(probe: Probe, request_id: str) -> socket.socket:
    host, _, port = probe.place.partition(":")
    connection = socket.create_connection((host, int(port)), 5)
    connection.sendall(f"f {request_id}\n".encode())
    assert connection.recv(1)
    return connection


def test_runs_count_while_they_last() -> None:
    with Probe("127.0.0.1") as probe:
        for number in range(50):
            _run(probe, str(number)).close()
        assert probe.most["f"] == 1
        pair = [_run(probe, "again"), _run(probe, "again")]
        for one in pair:
            one.close()
    assert (probe.most["f"], probe.runs["again"], len(probe.runs)) == (2, 2, 51)
    assert probe.peaks["f"].count("again on 127.0.0.1 since") == 2
