"""A function URL and a route beside functions-framework: `python -m benchmarks.urls [--write]`.

GET requests on the local platform, with the same handler behind all; measured as `run` does.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

from .run import parser, publish, tables
from .targets import Target, functions_framework, pilotlight

MARKER = "<!-- urls -->"
HOST = "bench.example.com"
FUNCTION = "noop"
HANDLER = (
    "def handler(event, context):\n"
    '    head = {"content-type": "text/html"}\n'
    '    return {"statusCode": 200, "body": event["rawPath"], "headers": head}\n'
)
GET = 'wrk.method = "GET"\n'


def sites() -> tuple[Target, Target]:
    """The local platform's function behind a URL and behind a route."""
    managed, _ = pilotlight(url={"authType": "NONE"})
    folder = Path(managed.command[2])
    (folder / FUNCTION / "src" / "index.py").write_text(HANDLER)
    route = {
        "apiVersion": "pilotlight.dev/v1alpha1",
        "kind": "Route",
        "metadata": {"name": "bench"},
        "spec": {"host": HOST, "path": "/", "function": FUNCTION, "auth": {"type": "none"}},
    }
    (folder / FUNCTION / "route.yaml").write_text(json.dumps(route))
    url = dataclasses.replace(
        managed,
        name="Pilotlight, function URL",
        path=f"/-/fn/000000000000/{FUNCTION}/",
        script=GET,
    )
    of_host = f'{GET}wrk.headers["Host"] = "{HOST}"\n'
    return url, dataclasses.replace(url, name="Pilotlight, route", path="/", script=of_host)


def main() -> None:
    """Measure and print; `--write` puts the tables into docs/performance.md."""
    options = parser("urls", __doc__).parse_args()
    url, route = sites()
    framework = dataclasses.replace(functions_framework("framework_get.py"), script=GET)
    try:
        url.start()
        framework.start()
        route.process = url.process
        text = tables([url, route, framework], options)
    finally:
        url.stop()
        framework.stop()
    print(text)
    if options.write:
        note = f"{datetime.now(UTC).date()}, `python -m benchmarks.urls --rounds {options.rounds}`."
        publish(MARKER, f"{note}\n\n{text}")


if __name__ == "__main__":
    main()
