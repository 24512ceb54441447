"""Powertools for AWS Lambda, unmodified, in functions as people write them (`languages/`).

What they need stands beside the platform: DynamoDB local, what stands in for AWS, and a socket
where X-Ray's daemon would listen. Without a network the functions cannot be built and this is
skipped, unless it runs in CI.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.dev_process import DevProcess
from tests.support.platform import lambda_client, zip_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.moto import Moto
    from tests.support.streams import DynamoDb

LANGUAGES = Path(__file__).parents[2] / "languages"
PROJECTS = ["powertools-python"]
if "PILOTLIGHT_RUNTIMES" in os.environ:  # `make runtimes` has minutes, and a network
    PROJECTS.append("powertools-typescript")
SECONDS = 30.0


class Shop:
    """The functions as their users meet them."""

    def __init__(self, running: DevProcess, segments: socket.socket, moto: Moto) -> None:
        self.endpoint = running.endpoint
        self.moto = moto
        self._segments = segments
        self._logs = boto3.client(
            "logs", endpoint_url=running.endpoint, region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip

    def ask(self, path: str, body: object = None) -> tuple[int, Any]:
        """Send a request to the shop's host."""
        return self._open(f"{self.endpoint}{path}", body, {"Host": "shop.localhost"})

    def at_url(self, function: str, path: str) -> tuple[int, Any]:
        """Send a request to a function's URL."""
        return self._open(f"{self.endpoint}/-/fn/000000000000/{function}{path}", None, {})

    def log(self, function: str) -> list[dict[str, Any]]:
        """Return the JSON that a function printed."""
        found = self._logs.filter_log_events(
            logGroupName=f"/aws/lambda/{function}", filterPattern='"{"'
        )
        return [json.loads(one["message"]) for one in found["events"] if one["message"][0] == "{"]

    def measured(self, metric: str) -> tuple[dict[str, str], float]:
        """Return the labels and the sum of what a function measured."""
        with urllib.request.urlopen(f"{self.endpoint}/-/metrics") as answer:
            families = text_string_to_metric_families(answer.read().decode())
        return next(
            (
                (sample.labels, sample.value)
                for family in families
                for sample in family.samples
                if sample.name == "pilotlight_embedded_metric_sum"
                and sample.labels["metric"] == metric
            ),
            ({}, 0.0),
        )

    def segments(self, trace: str) -> list[dict[str, Any]]:
        """Return what was sent to X-Ray's daemon of a trace, once its outermost part is there."""
        found: list[dict[str, Any]] = []
        while not any(one["name"].startswith("## ") and "handler" in one["name"] for one in found):
            header, _, document = self._segments.recv(65535).partition(b"\n")
            assert json.loads(header) == {"format": "json", "version": 1}
            segment = json.loads(document)
            found += [segment] if segment["trace_id"] == trace else []
        return found

    @staticmethod
    def _open(url: str, body: object, headers: dict[str, str]) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


@contextmanager
def serving(folder: Path, tmp_path: Path, moto: Moto, dynamodb: DynamoDb) -> Iterator[Shop]:
    """Serve a folder of `languages` with what it needs beside it, each at a port of its own."""
    name = folder.name
    moto.client("ssm").put_parameter(
        Name="/shop/prices/book", Value="12", Type="String", Overwrite=True
    )
    secrets = moto.client("secretsmanager")
    if not secrets.list_secrets()["SecretList"]:
        secrets.create_secret(Name="shop/payments", SecretString="not-a-real-token")
    queue = moto.client("sqs").create_queue(
        QueueName="parcels", Attributes={"VisibilityTimeout": "600"}
    )
    dynamodb.table(name)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(SECONDS)
        manifest = folder / "function.yaml"
        text = manifest.read_text()
        for documented, real in (
            ("http://127.0.0.1:8000", dynamodb.url),
            ("127.0.0.1:2000", f"127.0.0.1:{daemon.getsockname()[1]}"),
            ("ORDERS_TABLE: orders", f"ORDERS_TABLE: {name}"),
        ):
            assert documented in text
            text = text.replace(documented, real)
        manifest.write_text(text)
        with _dev(folder, tmp_path, moto) as running:
            yield Shop(running, daemon, moto)
    moto.client("sqs").delete_queue(QueueUrl=queue["QueueUrl"])


def _dev(folder: Path, tmp_path: Path, moto: Moto) -> DevProcess:
    words = ("--no-watch", "--aws-endpoint-url", moto.url, folder)
    try:
        return DevProcess(*words, state=tmp_path / "state")
    except RuntimeError as error:
        if "error sending request" in str(error) and not os.environ.get("CI"):
            pytest.skip(f"what the functions need cannot be fetched: {error}")
        raise


def _wait_for(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.fixture(scope="module", params=PROJECTS)
def shop(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    moto: Moto,
    dynamodb: DynamoDb,
) -> Iterator[Shop]:
    """The functions of a project, served."""
    name = request.param
    folder = tmp_path_factory.mktemp("powertools") / name
    shutil.copytree(LANGUAGES / name, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    if (folder / "package.json").exists():
        for words in (["npm", "ci", "--no-audit", "--no-fund"], ["npm", "run", "build"]):
            subprocess.run(words, cwd=folder, check=True, timeout=300)
    with serving(folder, folder.parent, moto, dynamodb) as running:
        yield running


def test_an_order_that_comes_twice_at_once_is_taken_once(shop: Shop) -> None:
    """By a route and the event handler; the item of DynamoDB keeps the second one out."""
    with ThreadPoolExecutor(2) as both:
        answers = [both.submit(shop.ask, "/orders", {"id": "twice", "pieces": 3}) for _ in range(2)]
    statuses = sorted(one.result()[0] for one in answers)
    assert statuses in ([201, 201], [201, 409])
    assert shop.ask("/orders", {"id": "twice", "pieces": 3}) == (201, {"id": "twice", "pieces": 3})
    _wait_for(lambda: shop.measured("Pieces")[1] == 3, "it was not measured once")
    labels, _ = shop.measured("Pieces")
    assert (labels["metric_namespace"], labels["dimension_service"]) == ("Shop", "shop")
    assert [one["message"] for one in shop.log("shop") if one.get("order") == "twice"] == [
        "charged"
    ]


def test_the_log_says_which_call_it_was_and_the_trace_came_with_it(shop: Shop) -> None:
    """Of the subsegments the outermost has the invocation as its parent."""
    assert shop.ask("/orders", {"id": "traced", "pieces": 0})[0] == 201
    of_order = {"message": "charged", "order": "traced"}.items()
    _wait_for(lambda: any(of_order <= one.items() for one in shop.log("shop")), "no log line")
    [line] = [one for one in shop.log("shop") if of_order <= one.items()]
    assert (line["function_name"], line["service"]) == ("shop", "shop")
    assert line["function_arn"] == "arn:aws:lambda:us-east-1:000000000000:function:shop"
    assert line["correlation_id"] == line["function_request_id"]
    assert isinstance(line["cold_start"], bool)
    segments = {one["name"].lower(): one for one in shop.segments(line["xray_trace_id"])}
    assert {"## handler", "## shop.take", "dynamodb"} <= set(segments)
    assert segments["## shop.take"]["parent_id"] == segments["## handler"]["id"]
    assert segments["## handler"]["parent_id"] not in {one["id"] for one in segments.values()}


def test_what_is_wrong_is_told_by_the_event_handler(shop: Shop) -> None:
    status, body = shop.ask("/orders", {"id": "many", "pieces": "many"})
    assert (status, json.loads(body)["message"]) == (400, "pieces must be a whole number")
    assert shop.ask("/nowhere")[0] == 404


def test_parameters_come_from_what_stands_in_for_aws(shop: Shop) -> None:
    assert shop.ask("/prices/book") == (200, {"item": "book", "price": "12"})


def test_a_url_leads_to_its_resolver_and_no_zone_is_known_here(shop: Shop) -> None:
    assert shop.at_url("where", "/zone") == (200, {"zone": None})


def test_a_parcel_that_failed_stays_in_the_queue_alone(shop: Shop) -> None:
    """By the batch processor's partial response and the mapping's ReportBatchItemFailures."""
    sqs = shop.moto.client("sqs")
    url = sqs.get_queue_url(QueueName="parcels")["QueueUrl"]
    entries = [
        {"Id": name, "MessageBody": json.dumps({"id": name, "kilograms": kilograms})}
        for name, kilograms in (("light", 3), ("heavy", 40), ("middling", 10))
    ]
    sqs.send_message_batch(QueueUrl=url, Entries=entries)
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")

    def counts() -> list[int]:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
        return [int(found[name]) for name in names]

    _wait_for(lambda: counts() == [0, 1], "the queue never held one message alone")
    sent = {"light", "middling"}
    _wait_for(
        lambda: {one.get("parcel") for one in shop.log("parcels")} == sent, "others were sent"
    )


def test_metrics_that_cannot_be_read_are_counted_and_stay_in_the_log(shop: Shop) -> None:
    broken = '{"_aws": {"CloudWatchMetrics": [{"Namespace": 7}]}}'
    code = f"def handler(event, context):\n    print({broken!r})\n"
    with lambda_client(shop.endpoint) as client:
        client.create_function(
            FunctionName="broken", Runtime="python3.13", Handler="index.handler",
            Role="arn:aws:iam::000000000000:role/any", Code={"ZipFile": zip_of({"index.py": code})},
        )  # fmt: skip
        client.get_waiter("function_active_v2").wait(FunctionName="broken")
        client.invoke(FunctionName="broken")
    _wait_for(lambda: bool(shop.log("broken")), "the line is not in the log")
    with urllib.request.urlopen(f"{shop.endpoint}/-/metrics") as answer:
        page = answer.read().decode()
    labels = 'function="broken",namespace="default",reason="invalid"'
    assert f"pilotlight_embedded_metrics_refused_total{{{labels}}} 1.0" in page
