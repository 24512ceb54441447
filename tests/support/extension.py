"""An external extension, and how it is put where layers are.

It says in the function's log what it is told. Variables of the function say what it does:
`EXTENSION_EVENTS` it asks for, `EXTENSION_SUBSCRIBES` is a path and what it puts there before that,
`EXTENSION_GATE` is a file that must be there before it polls again
after an invocation, `EXTENSION_DOES` is `exit` or `hang` before it registers, or the path of an
error that it reports after.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["EXTENSION", "install"]

EXTENSION = f"""#!{sys.executable}
import http.client, json, os, sys, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
does, gate = os.environ.get("EXTENSION_DOES", ""), os.environ.get("EXTENSION_GATE")
name = os.path.basename(sys.argv[0])
def ask(method, path, headers, document=None):
    api.request(method, f"/2020-01-01/extension{{path}}", json.dumps(document), headers)
    answer = api.getresponse()
    return answer, json.loads(answer.read())
if does == "exit":
    sys.exit(7)
if does == "hang":
    time.sleep(60)
events = os.environ.get("EXTENSION_EVENTS", "INVOKE,SHUTDOWN").split(",")
answer, said = ask("POST", "/register", {{"Lambda-Extension-Name": name}}, {{"events": events}})
print(f"{{name}} registered {{json.dumps(said)}} {{'_HANDLER' in os.environ}}", flush=True)
mine = {{"Lambda-Extension-Identifier": answer.headers["Lambda-Extension-Identifier"]}}
if subscribes := os.environ.get("EXTENSION_SUBSCRIBES"):
    path, _, document = subscribes.partition(" ")
    api.request("PUT", path, document, mine)
    print(f"{{name}} subscribed {{api.getresponse().read().decode()}}", flush=True)
if does.endswith("/error"):
    ask("POST", does, mine | {{"Lambda-Extension-Function-Error-Type": "Extension.Own"}})
while True:
    _, event = ask("GET", "/event/next", mine)
    print(f"{{name}} told {{json.dumps(event)}}", flush=True)
    if event["eventType"] == "SHUTDOWN":
        sys.exit(0)
    while gate and not os.path.exists(gate):
        time.sleep(0.005)
"""


def install(folder: Path, *names: str, mode: int = 0o755) -> None:
    """Put extensions where the agent of a folder looks for them."""
    place = folder / "opt/extensions"
    place.mkdir(parents=True)
    for name in names:
        (place / name).write_text(EXTENSION)
        (place / name).chmod(mode)
