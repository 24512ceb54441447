"""Reads a queue: parcels that are too heavy stay in it, the others are done."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)

MOST_KILOGRAMS = 30

logger = Logger()
processor = BatchProcessor(event_type=EventType.SQS)


def send(record):
    """Send a parcel."""
    parcel = record.json_body
    if parcel["kilograms"] > MOST_KILOGRAMS:
        raise ValueError(f"{parcel['id']} is too heavy")
    logger.info("sent", extra={"parcel": parcel["id"]})


@logger.inject_lambda_context
def handler(event, context):
    """Send each parcel of a batch; Lambda hears which were not sent."""
    return process_partial_response(event, send, processor, context)
