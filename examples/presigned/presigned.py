"""Signs a URL with boto3, which every managed Python has; no network is needed for it."""

import boto3
from botocore.config import Config

# Made once for an environment and kept for its later calls. A function with a role needs no keys.
s3 = boto3.client(
    "s3",
    aws_access_key_id="example",
    aws_secret_access_key="example",  # noqa: S106  signs for nobody
    region_name="eu-central-1",
    config=Config(signature_version="s3v4"),
)


def handler(event, _context):
    """Return a URL that opens an object for a minute."""
    url = s3.generate_presigned_url(
        "get_object", Params={"Bucket": event["bucket"], "Key": event["key"]}, ExpiresIn=60
    )
    return {"url": url}
