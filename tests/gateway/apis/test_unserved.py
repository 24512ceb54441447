"""What a service that is not served answers: something that its users' tools can print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.aws_protocols import PROTOCOLS, render
from tests.support.gateway import REGION

if TYPE_CHECKING:
    from tests.support.gateway import GatewayHarness

SERVICES: dict[str, tuple[str, dict[str, Any]]] = {
    "iam": ("list_roles", {}),  # query
    "cloudformation": ("describe_stacks", {}),  # query
    "ec2": ("describe_vpcs", {}),  # ec2
    "s3": ("list_buckets", {}),  # rest-xml, not wrapped
    "route53": ("list_hosted_zones", {}),  # rest-xml
    "ssm": ("get_parameter", {"Name": "/x"}),  # JSON 1.1
    "dynamodb": ("list_tables", {}),  # JSON 1.0
    "apigateway": ("get_rest_apis", {}),  # rest-json
    "cloudwatch": ("list_metrics", {}),  # CBOR
}


def test_the_file_is_what_botocore_says() -> None:
    assert render() == PROTOCOLS.read_text(), "run: make model"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_is_not_served_is_named(platform: GatewayHarness, service: str) -> None:
    """In its own protocol, so that a client reads a code and a sentence, once."""
    operation, members = SERVICES[service]
    client = boto3.client(
        service,
        endpoint_url=platform.url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 3}),
    )
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(**members)
    answer = caught.value.response
    assert answer["Error"]["Code"] == "NotImplementedException"
    assert "is not served by Pilotlight, Lambda, " in answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert answer["ResponseMetadata"]["RetryAttempts"] == 0


def test_an_older_client_is_answered_in_the_protocol_that_it_speaks(
    platform: GatewayHarness,
) -> None:
    """CloudWatch's clients of last year send forms, those of today CBOR."""
    status, headers, body = platform.post(
        "/",
        b"Action=ListMetrics",
        {
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
            "Authorization": signed_for("monitoring"),
        },
    )
    assert status == 501
    assert headers["Content-Type"] == "text/xml"
    assert ET.fromstring(body).findtext("Error/Code") == "NotImplementedException"


def test_a_presigned_request_names_its_service_in_its_query(platform: GatewayHarness) -> None:
    credential = "test%2F20261128%2Fus-east-1%2Fs3%2Faws4_request"
    status, _, body = platform.get(f"/bucket/key?X-Amz-Credential={credential}")
    assert status == 501
    assert ET.fromstring(body).findtext("Code") == "NotImplementedException"


def test_a_name_of_nobody_is_quoted_and_cut(platform: GatewayHarness) -> None:
    """Whatever is written into the scope, the answer is a well-formed document."""
    headers = {
        "Authorization": signed_for("<&]]>" + "x" * 500),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    status, _, body = platform.post("/", b"Action=Anything", headers)
    assert status == 501
    message = ET.fromstring(body).findtext("Error/Message") or ""
    assert message.startswith("The service '<&]]>xxx")
    assert message.count("x") < 100


def signed_for(service: str) -> str:
    """Return an Authorization header whose scope names a service; nobody verifies it."""
    return (
        f"AWS4-HMAC-SHA256 Credential=test/20261128/us-east-1/{service}/aws4_request, "
        "SignedHeaders=host, Signature=0"
    )
