"""Says where it runs, at a function URL."""

from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver
from aws_lambda_powertools.utilities.metadata import get_lambda_metadata

app = LambdaFunctionUrlResolver()


@app.get("/zone")
def zone():
    """Give the availability zone's id, null where nobody knows it."""
    return {"zone": get_lambda_metadata().availability_zone_id}


def handler(event, context):
    """Answer a request of the function's URL."""
    return app.resolve(event, context)
