"""Events as AWS's services send them, for handlers to be tried with: a function for each source.

A function's keyword arguments are the flags of `pilotlight generate-event SOURCE`, its docstring is
their help. Shapes are those of the services' own guides; tests read each with the data classes of
Powertools for AWS Lambda, which is what many handlers do.
"""

from collections.abc import Callable
from typing import Any

from .services import (
    cloudevents,
    cloudwatch_alarm,
    cloudwatch_logs,
    cognito,
    eventbridge,
    s3,
    schedule,
)
from .setting import Setting
from .sources import activemq, dynamodb, kafka, kinesis, msk, rabbitmq, sns, sqs
from .web import alb, api_gateway_v1, api_gateway_v2, function_url, lambda_edge

__all__ = ["SAMPLES", "Setting"]

SAMPLES: dict[str, Callable[..., dict[str, Any]]] = {
    "api-gateway-1.0": api_gateway_v1,
    "api-gateway-2.0": api_gateway_v2,
    "function-url": function_url,
    "alb": alb,
    "lambda-edge": lambda_edge,
    "s3": s3,
    "sns": sns,
    "sqs": sqs,
    "kinesis": kinesis,
    "dynamodb": dynamodb,
    "kafka": kafka,
    "msk": msk,
    "activemq": activemq,
    "rabbitmq": rabbitmq,
    "eventbridge": eventbridge,
    "schedule": schedule,
    "cloudevents": cloudevents,
    "cloudwatch-logs": cloudwatch_logs,
    "cloudwatch-alarm": cloudwatch_alarm,
    "cognito": cognito,
}
"""What makes each source's event, by its name."""
