"""`pilotlight dev` with function URLs, routes and schedules in its manifests."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
import yaml

from tests.support.dev_process import DevProcess
from tests.support.http_client import fetch
from tests.support.platform import lambda_client, manifest, run_cli

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = ("page", "pets", "nightly")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevProcess]:
    """Serve the examples that this is about."""
    paths = [EXAMPLES / name for name in FOLDERS]
    state = tmp_path_factory.mktemp("http") / "state"
    with DevProcess("--no-watch", *paths, state=state) as running:
        yield running


def port(platform: DevProcess) -> int:
    return int(platform.endpoint.rpartition(":")[2])


def resource(kind: str, name: str, **spec: Any) -> str:
    """Make a manifest's text."""
    return yaml.safe_dump(
        {
            "apiVersion": "pilotlight.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": spec,
        }
    )


def test_the_page_at_its_function_url(platform: DevProcess) -> None:
    cookie = {"Cookie": "visits=4"}
    got = fetch(port(platform), "/-/fn/000000000000/page/?name=%3CAda", headers=cookie)
    assert (got.status, got.header("content-type")) == (200, "text/html; charset=utf-8")
    assert got.body == b"<h1>Hello, &lt;Ada!</h1><p>Visit 5</p>"
    assert got.all_of("set-cookie") == ["visits=5; Path=/; HttpOnly"]


def test_the_address_that_the_api_says_is_opened_by_any_client(platform: DevProcess) -> None:
    """It has no host that a resolver must know; an alias' has none either."""
    with lambda_client(platform.endpoint) as client:
        said = client.get_function_url_config(FunctionName="page")["FunctionUrl"]
        assert said == f"{platform.endpoint}/-/fn/000000000000/page/"
        version = client.publish_version(FunctionName="page")["Version"]
        client.create_alias(FunctionName="page", Name="prod", FunctionVersion=version)
        made = client.create_function_url_config(
            FunctionName="page", Qualifier="prod", AuthType="NONE"
        )
        assert made["FunctionUrl"] == f"{platform.endpoint}/-/fn/000000000000/page:prod/"
    with urlopen(f"{said}?name=Ada") as answer:
        assert b"Hello, Ada!" in answer.read()


def test_hosts_are_said_where_they_are_asked_for(tmp_path: Path) -> None:
    """For applications whose links begin with a slash; browsers and curl know the name."""
    arguments = (EXAMPLES / "page", "--no-watch", "--function-url", "host")
    with (
        DevProcess(*arguments, state=tmp_path / "state") as running,
        lambda_client(running.endpoint) as client,
    ):
        said = urlsplit(client.get_function_url_config(FunctionName="page")["FunctionUrl"])
        assert (said.hostname or "").endswith(".lambda-url.us-east-1.localhost")
        assert fetch(port(running), "/?name=Ada", host=said.netloc).status == 200


def test_the_pets_behind_their_route(platform: DevProcess) -> None:
    got = fetch(port(platform), "/pets/2", host="pets.localhost")
    assert (got.status, got.json()) == (200, {"name": "Félicette", "kind": "cat"})
    assert fetch(port(platform), "/pets/9", host="pets.localhost").status == 404


def test_schedules_are_listed_and_shown(platform: DevProcess) -> None:
    listed = run_cli("schedule", "list", endpoint=platform.endpoint).stdout.decode()
    assert "nightly" in listed
    assert "cron(30 2 ? * MON-FRI *)" in listed
    shown = run_cli(
        "schedule", "show", "nightly", "--next", "3", endpoint=platform.endpoint
    ).stdout.decode()
    assert "cron(30 2 ? * MON-FRI *) in Europe/Berlin" in shown
    assert shown.count(" 02:30:00 CE") == 3
    ran = run_cli(
        "schedule", "show", "nightly", "--next", "2", "-o", "json", endpoint=platform.endpoint
    )
    document = json.loads(ran.stdout)
    assert len(document["next"]) == 2
    assert document["schedule"]["metadata"]["name"] == "nightly"
    assert run_cli("schedule", "show", "nobody", endpoint=platform.endpoint).returncode == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (resource("Schedule", "s", function="f", expression="cron(0 0 31 2 ? *)"), "never fires"),
        (resource("Schedule", "s", function="f", expression="rate(1 day)", timezone="Mars"),
         "'Mars' is no time zone"),
        (resource("Schedule", "s", function="f", expression="rate(1 day)", input="{"),
         "spec.input: it is no JSON"),
        (resource("Schedule", "s", function="f", expression="at(2026-03-29T02:30:00)",
                  timezone="Europe/Berlin"), "never fires in Europe/Berlin"),
        (resource("Route", "r", function="f", host="a.localhost", path="x"), "begins with /"),
        (resource("Route", "r", function="f", host="pets.localhost", path="/pets/{other}"),
         "is another route's already"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_before_it_is_stored(
    platform: DevProcess, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    ran = run_cli("apply", "-f", file, endpoint=platform.endpoint)
    assert ran.returncode == 2
    assert said in ran.stderr.decode()
    kind = "routes" if "Route" in text else "schedules"
    name = yaml.safe_load(text)["metadata"]["name"]
    assert fetch(port(platform), f"/-/{kind}/{name}").status == 404


def test_a_route_may_be_applied_again_and_changed(platform: DevProcess) -> None:
    def apply(path: str) -> int:
        text = resource("Route", "again", function="pets", host="again.localhost", path=path)
        body = json.dumps(yaml.safe_load(text)).encode()
        return fetch(port(platform), "/-/apply", method="POST", body=body).status

    assert [apply("/a/{id}"), apply("/a/{id}"), apply("/b/{id}")] == [200, 200, 200]
    deadline = time.monotonic() + 10
    while fetch(port(platform), "/b/1", host="again.localhost").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert fetch(port(platform), "/a/1", host="again.localhost").status == 404
    ready = fetch(port(platform), "/-/routes/again").json()["status"]["conditions"][0]
    assert ready["reason"] == "Serving"


def test_a_schedule_fires_and_its_function_runs(platform: DevProcess, tmp_path: Path) -> None:
    code = {"inline": "def handler(event, context):\n    print('fired for', event['time'])\n"}
    file = tmp_path / "soon.yaml"
    file.write_text(yaml.safe_dump(manifest("soon", code=code)))
    applied = run_cli("apply", "-f", file, endpoint=platform.endpoint)
    assert applied.returncode == 0, applied.stderr
    soon = (datetime.now(UTC) + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%S")
    schedule = resource(
        "Schedule", "soon", function="soon", expression=f"at({soon})",
        input='{"time": "<aws.scheduler.scheduled-time>"}',
    )  # fmt: skip
    # Straight to the gateway: starting a command takes a while, and the time would be over.
    body = json.dumps(yaml.safe_load(schedule)).encode()
    assert fetch(port(platform), "/-/apply", method="POST", body=body).status == 200
    platform.wait_for(f"fired for {soon}Z")
    path = "/-/schedules/soon"
    deadline = time.monotonic() + 10  # the status is written beside the function's run
    while fetch(port(platform), path).json()["status"].get("lastTime") != f"{soon}Z":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert fetch(port(platform), path, method="DELETE").status == 204
    assert fetch(port(platform), path).status == 404
