"""What services push: each format's event, what is refused, and the way into the queue."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import itertools
import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.utilities.data_classes import (
    CloudWatchAlarmEvent,
    EventBridgeEvent,
    S3Event,
    SNSEvent,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotlight.public_addresses import fetch as fetch_address
from pilotlight.resources import ObjectMeta, Route, RouteAuth, RouteSpec, SnsSource
from pilotlight_gateway.http.errors import HttpError
from pilotlight_gateway.http.message import HttpRequest
from pilotlight_gateway.http.push import push_formats
from pilotlight_gateway.http.site import Match, Site, Style
from tests.support.gateway import ACCOUNT, REGION, GatewayHarness
from tests.support.http_client import Response, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pilotlight.policies import PolicyRequest
    from pilotlight_gateway.http.push import Pushed

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:orders"
WRITING = "def handler(event, context):\n    import json\n    print('GOT', json.dumps(event))\n"
_numbers = itertools.count()


def match_of(style: Style, body: Any, **headers: str) -> Match:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    request = HttpRequest("POST", "/", "", pairs, "h.example", "203.0.113.7", "HTTP/1.1", "id",
                          1_795_872_000.0, content)  # fmt: skip
    site = Site("site", "default", "f", None, style, RouteAuth())
    return Match(site, ACCOUNT, REGION, request, "POST")


async def pushed(style: Style, body: Any, **headers: str) -> list[Pushed]:
    formats = push_formats(partial(fetch_address, private=True))
    return await formats[style].events(match_of(style, body, **headers))


async def refused(style: Style, body: Any, **headers: str) -> HttpError:
    with pytest.raises(HttpError) as caught:
        await pushed(style, body, **headers)
    return caught.value


MINIO = {
    "EventName": "s3:ObjectCreated:Put",
    "Key": "in/a+b.csv",
    "Records": [
        {
            "eventVersion": "2.0",
            "eventSource": "minio:s3",
            "awsRegion": "",
            "eventTime": "2026-11-28T13:15:27.123Z",
            "eventName": "s3:ObjectCreated:Put",
            "userIdentity": {"principalId": "minio"},
            "requestParameters": {"principalId": "minio", "sourceIPAddress": "10.0.0.5"},
            "responseElements": {"x-amz-request-id": "17", "x-minio-deployment-id": "d"},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "Config",
                "bucket": {
                    "name": "in",
                    "ownerIdentity": {"principalId": "minio"},
                    "arn": "arn:aws:s3:::in",
                },
                "object": {"key": "a+b.csv", "size": 3, "eTag": "e", "sequencer": "18"},
            },
            "source": {"host": "10.0.0.5", "port": "", "userAgent": "MinIO"},
        }
    ],
}


async def test_minios_notification_is_aws_s3s() -> None:
    """Name of the event, source and region as AWS says them; MinIO's own members are gone."""
    (one,) = await pushed("s3", MINIO)
    (record,) = one.event["Records"]
    assert (record["eventSource"], record["awsRegion"]) == ("aws:s3", REGION)
    assert (record["eventName"], "source" in record) == ("ObjectCreated:Put", False)
    event = S3Event(one.event)
    assert (event.bucket_name, event.object_key) == ("in", "a b.csv")


async def test_a_test_of_s3_is_no_event() -> None:
    assert await pushed("s3", b"") == []
    assert await pushed("s3", {"Service": "Amazon S3", "Event": "s3:TestEvent"}) == []
    assert (await refused("s3", {"Records": [{}]})).status == 400
    assert (await refused("s3", b"nonsense")).status == 400


async def test_a_cloudevent_is_eventbridges_in_both_modes() -> None:
    """CloudEvents 1.0, HTTP Protocol Binding, "Examples" of binary and structured mode."""
    document = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "order.placed",
                "subject": "17", "time": "2026-11-28T00:00:00Z",
                "datacontenttype": "application/json", "data": {"n": 1}}  # fmt: skip
    (structured,) = await pushed(
        "cloudevents", document, content_type="application/cloudevents+json; charset=utf-8"
    )
    headers = {f"ce_{name}": str(document[name])
               for name in ("specversion", "id", "source", "type", "subject", "time")}  # fmt: skip
    (binary,) = await pushed("cloudevents", {"n": 1}, content_type="application/json", **headers)
    assert structured == binary
    read = EventBridgeEvent(binary.event)
    assert (read.source, read.detail_type, read.detail) == ("/shop", "order.placed", {"n": 1})
    assert (read.resources, read.time) == (["17"], "2026-11-28T00:00:00Z")


async def test_data_of_a_cloudevent_that_is_no_object() -> None:
    """Other JSON and text stand under `data`, bytes in Base64; extensions are kept."""
    headers = {"ce_specversion": "1.0", "ce_id": "7", "ce_source": "s%20t", "ce_type": "t"}
    (text,) = await pushed("cloudevents", b"hi", content_type="text/plain", **headers, ce_trace="x")
    assert (text.event["detail"], text.event["source"]) == ({"data": "hi"}, "s t")
    assert text.event["attributes"] == {"datacontenttype": "text/plain", "trace": "x"}
    (raw,) = await pushed("cloudevents", b"\xff", content_type="application/x", **headers)
    assert raw.event["detail"] == {"data_base64": "/w=="}


async def test_what_is_no_cloudevent_is_refused() -> None:
    missing = await refused("cloudevents", {}, ce_specversion="1.0", ce_id="1")
    assert (missing.status, missing.detail) == (400, "a CloudEvent with source, type is expected")
    batch = await refused("cloudevents", [], content_type="application/cloudevents-batch+json")
    assert batch.status == 415
    old = {"ce_specversion": "0.3", "ce_id": "1", "ce_source": "s", "ce_type": "t"}
    assert (await refused("cloudevents", {}, **old)).status == 400


async def test_each_alert_is_an_alarm() -> None:
    """Firing is ALARM, resolved OK; a reminder has the key of what it reminds of."""
    alert = {
        "status": "firing",
        "labels": {"alertname": "Slow", "job": "api"},
        "annotations": {"summary": "it is slow", "description": "p99 above 1 s"},
        "startsAt": "2026-11-28T13:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph?g0.expr=p99+%3E+1",
        "fingerprint": "f1",
    }
    resolved = alert | {"status": "resolved", "endsAt": "2026-11-28T14:00:00Z"}
    first, second = await pushed("alertmanager", {"alerts": [alert, resolved]})
    read = CloudWatchAlarmEvent(first.event)
    assert (read.alarm_data.alarm_name, read.alarm_data.state.value) == ("Slow", "ALARM")
    assert read.alarm_data.state.reason_data_decoded == alert
    assert [one.expression for one in read.alarm_data.configuration.metrics] == ["p99 > 1"]
    after = CloudWatchAlarmEvent(second.event)
    assert (after.alarm_data.state.value, after.timestamp) == ("OK", "2026-11-28T14:00:00Z")
    assert after.alarm_data.previous_state.value == "ALARM"
    (again, _) = await pushed("alertmanager", {"alerts": [alert, resolved]})
    assert again.dedup_key == first.dedup_key != second.dedup_key
    later = alert | {"startsAt": "2026-11-28T15:00:00Z"}
    (once_more,) = await pushed("alertmanager", {"alerts": [later]})
    assert once_more.dedup_key != first.dedup_key
    assert (await refused("alertmanager", {"alerts": [{"status": "firing"}]})).status == 400
    assert (await refused("alertmanager", {"alerts": 1})).status == 400
    odd = {"status": ["firing"], "labels": {"alertname": "Slow"}}
    assert (await refused("alertmanager", {"alerts": [odd]})).status == 400


@pytest.mark.parametrize("address", ["http://[", "http://\u2100/", "http://p/?" + "a=1&" * 10_000])
async def test_an_alert_whose_link_is_no_address_is_an_alarm(address: str) -> None:
    """What is watched is then not said, and parsing takes no time."""
    alert = {"status": "firing", "labels": {"alertname": "Slow"}, "generatorURL": address}
    (one,) = await pushed("alertmanager", {"alerts": [alert]})
    assert one.event["alarmData"]["configuration"] == {"metrics": []}


async def test_a_notification_is_not_thousands_of_events() -> None:
    """Whoever may send it could fill the queue at once."""
    alert = {"status": "firing", "labels": {"alertname": "Slow"}}
    assert len(await pushed("alertmanager", {"alerts": [alert] * 1000})) == 1000
    assert (await refused("alertmanager", {"alerts": [alert] * 1001})).status == 413


NAMES = ["Records", "s3", "Event", "alerts", "status", "labels", "alertname", "generatorURL",
         "Type", "annotations", "specversion", "id", "source", "type", "subject",
         "data_base64", "bucket", "object", "name", "key", "configurationId", "awslogs", "data",
         "messageType", "logGroup", "logStream", "logEvents", "message", "timestamp"]  # fmt: skip
TEXTS = st.sampled_from(
    ["firing", "1.0", "http://[", "é", "\ud800", "", "webhook-global", "DATA_MESSAGE"]
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=300)
@given(
    document=DOCUMENTS,
    style=st.sampled_from(["sns", "s3", "cloudevents", "alertmanager", "cloudwatch-logs"]),
    kind=st.sampled_from(["application/json", "application/cloudevents+json", "text/plain"]),
)
def test_rubbish_is_the_senders_mistake(document: Any, style: Style, kind: str) -> None:
    """Whatever stands where: an event or an answer of HTTP, no crash."""
    headers = {"ce_id": "1"} if kind == "text/plain" else {}
    with suppress(HttpError):
        asyncio.run(pushed(style, document, content_type=kind, **headers))


class Topic:
    """A topic that signs, with its certificate and what was asked for at its address."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.host = ""
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns")])
        now = dt.datetime.now(dt.UTC)
        day = dt.timedelta(days=1)
        key, pem = self._key.public_key(), serialization.Encoding.PEM
        self.certificates = {
            path: x509.CertificateBuilder(name, name, key, 1, now - 2 * day, end)
            .sign(self._key, hashes.SHA256())
            .public_bytes(pem)
            for path, end in (("/cert.pem", now + day), ("/old.pem", now - day))
        }

    def message(self, version: str = "2", **members: str) -> dict[str, str]:
        """Make a message, signed."""
        message = {"Type": "Notification", "MessageId": "m1", "TopicArn": TOPIC, "Message": "hi",
                   "Timestamp": "2026-11-28T13:15:27.123Z", "SignatureVersion": version,
                   "SigningCertURL": f"http://{self.host}/cert.pem", **members}  # fmt: skip
        names = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token",
                 "TopicArn", "Type")  # fmt: skip
        signed = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
        digest = hashes.SHA1() if version == "1" else hashes.SHA256()
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), digest)
        return message | {"Signature": base64.b64encode(signature).decode()}


@contextmanager
def serving() -> Iterator[Topic]:
    topic = Topic()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            topic.asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(topic.certificates.get(self.path, b""))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    topic.host = f"127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield topic
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def topic() -> Iterator[Topic]:
    """A topic and where its certificate is."""
    with serving() as found:
        yield found


async def received(
    topic: Topic, message: Any, *, private: bool = True, **source: Any
) -> list[Pushed]:
    match = match_of("sns", message, x_amz_sns_subscription_arn=f"{TOPIC}:s1")
    named: dict[str, Any] = {"topics": [TOPIC], "signing_hosts": [topic.host]} | source
    match = replace(match, site=replace(match.site, sns=SnsSource(**named)))
    return await push_formats(partial(fetch_address, private=private))["sns"].events(match)


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_notification_is_lambdas(topic: Topic, version: str) -> None:
    """Signed by either version, with a subject or without."""
    (one,) = await received(topic, topic.message(version, Subject="s"))
    read = SNSEvent(one.event)
    assert (read.sns_message, one.dedup_key) == ("hi", "m1")
    (record,) = list(read.records)
    assert (record.sns.subject, record.sns.signature_version) == ("s", version)
    assert record.event_subscription_arn == f"{TOPIC}:s1"
    assert await received(topic, topic.message(version)) != []


async def test_a_subscription_is_confirmed_at_the_topics_own_host(topic: Topic) -> None:
    wanted = f"http://{topic.host}/?Action=ConfirmSubscription&Token=t"
    message = partial(topic.message, Type="SubscriptionConfirmation", Token="t")
    assert await received(topic, message(SubscribeURL=wanted)) == []
    assert topic.asked[-1] == "/?Action=ConfirmSubscription&Token=t"
    asked = len(topic.asked)
    with pytest.raises(HttpError, match="not at"):
        await received(topic, message(SubscribeURL="https://evil.example/"))
    assert not any("evil" in path for path in topic.asked[asked:])


async def test_what_is_not_signed_by_the_topic_is_refused(topic: Topic) -> None:
    """Changed, of another topic, by a certificate of elsewhere, or fetched from inside."""
    changed = topic.message() | {"Message": "other"}
    with pytest.raises(HttpError, match="signature") as caught:
        await received(topic, changed)
    assert caught.value.status == 403
    with pytest.raises(HttpError, match="no topic of this route"):
        await received(topic, topic.message(TopicArn=TOPIC + "2"))
    with pytest.raises(HttpError, match=r"sns\.us-east-1\.amazonaws\.com"):
        await received(topic, topic.message(), signing_hosts=[])
    with pytest.raises(HttpError, match="not valid now"):
        await received(topic, topic.message(SigningCertURL=f"http://{topic.host}/old.pem"))
    with pytest.raises(HttpError, match="no certificate"):
        await received(topic, topic.message(SigningCertURL=f"http://{topic.host}/none.pem"))
    with pytest.raises(HttpError, match="not at"):
        await received(topic, topic.message(), signing_hosts=["127.0.0.1:1"])
    for address in (
        "https://sns.us-east-1.amazonaws.com.evil.example/c.pem",
        "https://sns.us-east-1.amazonaws.com@evil.example/c.pem",
        "http://sns.us-east-1.amazonaws.com/c.pem",
    ):
        with pytest.raises(HttpError, match="not at"):
            await received(topic, topic.message(SigningCertURL=address), signing_hosts=[])
    with pytest.raises(HttpError, match="cannot be read") as guarded:
        await received(topic, topic.message(), private=False)
    assert guarded.value.status == 503
    with pytest.raises(HttpError, match="raw delivery"):
        await received(topic, b"raw")
    odd: dict[str, Any] = topic.message() | {"SignatureVersion": ["2"]}
    with pytest.raises(HttpError, match="a message of SNS with SignatureVersion"):
        await received(topic, odd)


@pytest.fixture(scope="module", autouse=True)
def functions(platform: GatewayHarness) -> None:
    """What the routes lead to."""
    platform.create("writing", WRITING, Timeout=10)


@pytest.fixture
def post(platform: GatewayHarness) -> Iterator[Callable[..., Response]]:
    """Makes a route of a format and posts to it; takes the routes away."""
    made: list[Route] = []

    def send(payload_format: str, body: Any, headers: dict[str, str], **spec: Any) -> Response:
        host = f"push{next(_numbers)}.example.com"
        document = {"host": host, "path": "/", "function": "writing",
                    "payloadFormat": payload_format, **spec}  # fmt: skip
        wanted = Route(metadata=ObjectMeta(name=host.partition(".")[0], namespace="default"),
                       spec=RouteSpec.model_validate(document))  # fmt: skip
        made.append(platform.call(platform.resources.create(wanted)))
        deadline = time.monotonic() + 10
        while not platform.gateway._clients._http.sites.serves(host, "/"):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        content = json.dumps(body).encode()
        return fetch(platform.port, "/", method="POST", host=host, headers=headers, body=content)

    yield send
    for one in made:
        platform.call(platform.resources.delete(Route, one.key))


def _line_with(platform: GatewayHarness, text: str) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for line in list(platform.logs.lines):
            if text in line.message:
                return line.message
        time.sleep(0.01)
    raise AssertionError(f"{text} was not written")


def test_what_is_pushed_is_accepted_and_runs(
    platform: GatewayHarness, post: Callable[..., Response]
) -> None:
    """202 once it is queued; the function gets the event."""
    headers = {"Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "e2e-1",
               "ce-source": "/shop", "ce-type": "placed"}  # fmt: skip
    answer = post("cloudevents", {"n": "pushed-17"}, headers)
    assert (answer.status, answer.body) == (202, b"")
    assert '"detail-type": "placed"' in _line_with(platform, "pushed-17")


def test_what_is_refused_says_why_and_a_confirmation_is_200(
    post: Callable[..., Response],
) -> None:
    assert post("s3", {"Event": "s3:TestEvent"}, {}).status == 200
    wrong = post("alertmanager", {}, {})
    assert (wrong.status, "alerts is expected" in wrong.json()["message"]) == (400, True)
    assert post("s3", MINIO, {}, function="nobody").status == 502
    headers = {"Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "1",
               "ce-source": "s", "ce-type": "t"}  # fmt: skip
    assert post("cloudevents", float("nan"), headers).status == 400
    large = {"alerts": [{"status": "firing", "labels": {"alertname": "x" * 600_000}}]}
    assert post("alertmanager", large, {}).status == 413


def test_what_is_sent_again_has_the_key_that_it_had(
    platform: GatewayHarness, post: Callable[..., Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its own route; an event without a key of its sender's has none."""
    keys: list[str] = []

    class Recording:
        async def enqueue(self, *_: object, dedup_key: str, behalf: PolicyRequest) -> bool:
            assert behalf.service == "apigateway.amazonaws.com"
            keys.append(dedup_key)
            return True

    monkeypatch.setattr(platform.gateway._clients._http, "_invoker", Recording())
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t"}
    for payload_format, body in (("cloudevents", {}), ("cloudevents", {}), ("s3", MINIO)):
        assert post(payload_format, body, headers).status == 202
    first, of_another_route, without = keys
    (site, first_key), (other, other_key) = first.split("/"), of_another_route.split("/")
    assert (site != other, first_key == other_key, without) == (True, True, "")


def test_a_route_of_sns_names_its_topics(topic: Topic, post: Callable[..., Response]) -> None:
    sns = {"topics": [TOPIC], "signingHosts": [topic.host]}
    assert post("sns", topic.message(), {}, sns=sns).status == 202
    with pytest.raises(ValueError, match="sns is given if and only if"):
        RouteSpec.model_validate({"host": "a.example.com", "path": "/", "function": "f",
                                  "payloadFormat": "sns"})  # fmt: skip
