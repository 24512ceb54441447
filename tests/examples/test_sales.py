"""The example of a file in a bucket, with moto as S3 and DynamoDB and a notification as MinIO's."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.dev_process import DevProcess
from tests.support.http_client import fetch
from tests.support.platform import run_cli

if TYPE_CHECKING:
    from tests.support.moto import Moto

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_file_that_is_put_into_a_bucket_becomes_rows(tmp_path: Path, moto: Moto) -> None:
    """As the page of examples says; one that comes again, with a later price, changes its rows."""
    folder = tmp_path / "sales"
    shutil.copytree(EXAMPLES / "sales", folder)
    s3, dynamodb = moto.client("s3"), moto.client("dynamodb")
    s3.create_bucket(Bucket="sales")
    dynamodb.create_table(
        TableName="sales", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"}
                              for name in ("city", "product")],
        KeySchema=[{"AttributeName": "city", "KeyType": "HASH"},
                   {"AttributeName": "product", "KeyType": "RANGE"}],
    )  # fmt: skip
    state = tmp_path / "state"
    with DevProcess("--no-watch", "--aws-endpoint-url", moto.url, folder, state=state) as dev:
        port = int(dev.endpoint.rpartition(":")[2])

        def put(key: str, content: bytes) -> None:
            s3.put_object(Bucket="sales", Key=key, Body=content)
            made = run_cli("generate-event", "s3", "--bucket", "sales", "--key", key)
            answer = fetch(
                port, "/", method="POST", body=made.stdout, host="sales.localhost"
            )  # fmt: skip
            assert answer.status == 202

        def price() -> Decimal:
            key = {"city": {"S": "Galway"}, "product": {"S": "oil"}}
            found = dynamodb.get_item(TableName="sales", Key=key)["Item"]
            assert found["units"]["N"] == "81"
            return Decimal(found["price"]["N"])

        content = (EXAMPLES / "data" / "sales.csv").read_text()
        put("2026/week 48.csv", content.encode())
        dev.wait_for("15 rows of sales/2026/week 48.csv")
        assert price() == Decimal("8.30")
        put("2026/week 49.csv", content.replace("8.30", "8.40").encode())
        dev.wait_for("15 rows of sales/2026/week 49.csv")
        assert price() == Decimal("8.40")
        assert dynamodb.scan(TableName="sales")["Count"] == 15
