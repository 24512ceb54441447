"""`GET /` in a browser: what this is, which functions there are, and how one is called.

Local mode alone has it, behind the same guard as everything else (`web_guard`): a page of another
origin can neither read nor frame it. It runs no script. `gateway.apis.doors` finds all other doors.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pilotlight.resources import Function
from pilotlight_gateway.access import open_to_all
from pilotlight_gateway.apis import doors
from pilotlight_gateway.apis.protocols import error_in
from pilotlight_gateway.apis.service import Endpoint
from pilotlight_gateway.exchange import Reply
from pilotlight_gateway.http.sites import PREFIX

from .accounts import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from pilotlight_gateway.apis.service import Request, Service
    from pilotlight_gateway.errors import ApiError
    from pilotlight_gateway.exchange import Call
    from pilotlight_gateway.services import Services

__all__ = ["find_service"]

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Pilotlight</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em }}
pre, code {{ font: 14px/1.5 monospace; background: #f3f3f3; padding: .1em .3em }}
pre {{ padding: .8em; overflow-x: auto }} td, th {{ text-align: left; padding: .2em 1em .2em 0 }}
</style>
<h1>Pilotlight</h1>
<p>AWS Lambda on this machine. This port answers Lambda's API, for boto3, the AWS CLI, any SDK:</p>
<pre>eval "$(pilotlight env --endpoint {origin})"
aws lambda list-functions</pre>
<h2>Functions</h2>
{functions}
<p>Whether invocations are served: <a href="/-/ready">/-/ready</a>.
Figures: <a href="/-/metrics">/-/metrics</a>.</p>
</html>
"""
TABLE = "<table><tr><th>Name<th>Runtime<th>Stands<th>Address</tr>\n{rows}\n</table>\n{call}"
ROW = "<tr><td>{name}<td>{runtime}<td>{stands}<td>{address}</tr>"
CALL = """<p>To call one:</p>
<pre>curl -d '{{}}' {origin}/2015-03-31/functions/{name}/invocations
pilotlight invoke {name} --payload '{{}}' --tail --endpoint {origin}</pre>"""
NONE = """<p>There is none yet. To make a first one and serve it:</p>
<pre>pilotlight init hello
pilotlight apply -f hello --endpoint {origin}
pilotlight invoke hello --payload-file hello/event.json --endpoint {origin}</pre>"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"


class FrontPage:
    """The door of one page."""

    def find(self, request: Request) -> Endpoint:
        """Find the page, which asks for no credentials, as nothing here does."""
        del request
        return Endpoint(
            "GetPage", _get_page, {}, 0, access=open_to_all, anonymous=True, logged=False
        )

    def error(self, request: Request, error: ApiError, request_id: str) -> Reply:
        """Say an error as Lambda would."""
        del request
        return error_in("rest-json", error, request_id)


_PAGE = FrontPage()


def find_service(request: Request, platform: Service) -> Service:
    """Return the door that a request goes through: the page's where nobody signed for another."""
    plain = request.method == "GET" and request.path == "/" and not request.raw_query
    if plain and "Authorization" not in request.headers:
        return _PAGE
    return doors.find_service(request, platform)


async def _get_page(services: Services, call: Call) -> Reply:
    found = services.cache.all(Function, DEFAULT_NAMESPACE)
    functions = sorted(found, key=lambda function: function.function_name)
    origin = escape(call.origin)
    body = PAGE.format(origin=origin, functions=_list(functions, origin))
    return Reply(
        body=body.encode(),
        content_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-store"},
    )


def _list(functions: list[Function], origin: str) -> str:
    if not functions:
        return NONE.format(origin=origin)
    call = CALL.format(origin=origin, name=escape(functions[0].function_name))
    return TABLE.format(rows="\n".join(map(_row, functions)), call=call)


def _row(function: Function) -> str:
    ready = function.status.condition("Ready")
    stands = "Ready" if ready is None or ready.status == "True" else ready.reason
    return ROW.format(
        name=escape(function.function_name),
        runtime=escape(function.spec.runtime or ""),
        stands=escape(stands),
        address=_address(function),
    )


def _address(function: Function) -> str:
    """Link to a function's URL, where it has one."""
    parts = (function.status.arn or "").split(":")
    if function.spec.url is None or len(parts) < 5:  # noqa: PLR2004  arn:aws:lambda:region:account
        return ""
    path = escape(f"{PREFIX}{parts[4]}/{function.function_name}/")
    return f'<a href="{path}">{path}</a>'
