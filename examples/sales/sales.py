"""Makes rows of a table of each CSV file that is put into a bucket, by city and product."""

import codecs
import csv
import functools
import os
from decimal import Decimal
from urllib.parse import unquote_plus

import boto3


@functools.cache
def bucket_client():
    """Make a client once for an environment."""
    return boto3.client("s3")


@functools.cache
def table():
    """Make a resource once for an environment."""
    return boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


def handler(event, _context):
    """Read each file that the event names; a file that comes again writes the same rows."""
    return {"rows": sum(_import(record["s3"]) for record in event["Records"])}


def _import(source):
    bucket, key = source["bucket"]["name"], unquote_plus(source["object"]["key"])
    body = bucket_client().get_object(Bucket=bucket, Key=key)["Body"]
    count = 0
    with table().batch_writer(overwrite_by_pkeys=["city", "product"]) as batch:
        for row in csv.DictReader(codecs.getreader("utf-8")(body)):
            batch.put_item(
                Item={
                    "city": row["city"],
                    "product": row["product"],
                    "units": int(row["units"]),
                    "price": Decimal(row["price"]),
                }
            )
            count += 1
    print(f"{count} rows of {bucket}/{key}")
    return count
