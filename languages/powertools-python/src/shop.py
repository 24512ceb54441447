"""Takes orders by HTTP, each once however often it comes; prices and secrets are kept elsewhere."""

import os

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import BadRequestError
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
)

logger = Logger()
tracer = Tracer()
metrics = Metrics()
app = APIGatewayHttpResolver()
store = DynamoDBPersistenceLayer(table_name=os.environ["ORDERS_TABLE"])
once = IdempotencyConfig(event_key_jmespath="id", raise_on_no_idempotency_key=True)


@app.post("/orders")
def order():
    """Take an order; one that comes again is answered as before."""
    given = app.current_event.json_body
    if not isinstance(given.get("pieces"), int):
        raise BadRequestError("pieces must be a whole number")
    return take(given=given), 201


@app.exception_handler(IdempotencyAlreadyInProgressError)
def still_running(_error):
    """Ask whoever sent an order twice at once to come again."""
    return Response(status_code=409, body="the order is being taken")


@app.get("/prices/<item>")
def price(item: str):
    """Say what an item costs: a parameter that is read again after some seconds."""
    return {"item": item, "price": parameters.get_parameter(f"/shop/prices/{item}", max_age=5)}


@idempotent_function(data_keyword_argument="given", persistence_store=store, config=once)
@tracer.capture_method
def take(given: dict) -> dict:
    """Charge for an order, which must not happen twice."""
    token = parameters.get_secret("shop/payments")
    logger.info("charged", extra={"order": given["id"], "with_token_of": len(token)})
    metrics.add_metric(name="Orders", unit=MetricUnit.Count, value=1)
    metrics.add_metric(name="Pieces", unit=MetricUnit.Count, value=given["pieces"])
    return {"id": given["id"], "pieces": given["pieces"]}


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event, context):
    """Answer a request of a route."""
    once.register_lambda_context(context)
    metrics.add_metric(name="Requests", unit=MetricUnit.Count, value=1)
    return app.resolve(event, context)
