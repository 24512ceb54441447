"""What services send by themselves: EventBridge, S3, CloudWatch, Cognito, and CloudEvents."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from pilotlight.manifest import parse_model
from pilotlight.resources import Schedule
from pilotlight_gateway.identifiers import new_request_id
from pilotlight_gateway.invocation.reference import Reference
from pilotlight_gateway.schedules.decide import Firing
from pilotlight_gateway.schedules.event import invocation_of

from .setting import one_of, parsed

if TYPE_CHECKING:
    from .setting import Setting

__all__ = [
    "cloudevents",
    "cloudwatch_alarm",
    "cloudwatch_logs",
    "cognito",
    "eventbridge",
    "s3",
    "schedule",
]


def s3(
    setting: Setting,
    *,
    bucket: str = "my-bucket",
    key: str = "incoming/orders 17.csv",
    event: str = "ObjectCreated:Put",
    size: int = 1024,
) -> dict[str, Any]:
    """A notification of an S3 bucket."""
    stored: dict[str, Any] = {
        "key": quote_plus(key, safe="/"),
        "sequencer": setting.token(18).upper(),
    }
    if event.startswith("ObjectCreated"):
        stored |= {"size": size, "eTag": setting.token(32)}
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": setting.region,
        "eventTime": setting.precise_time,
        "eventName": event,
        "userIdentity": {"principalId": "AWS:AIDAEXAMPLEEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "203.0.113.7"},
        "responseElements": {
            "x-amz-request-id": setting.token(16).upper(),
            "x-amz-id-2": setting.token(64),
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "my-notification",
            "bucket": {
                "name": bucket,
                "ownerIdentity": {"principalId": "A3EXAMPLE"},
                "arn": f"arn:aws:s3:::{bucket}",
            },
            "object": stored,
        },
    }
    return {"Records": [record]}


def eventbridge(
    setting: Setting,
    *,
    source: str = "my.orders",
    detail_type: str = "Order Placed",
    detail: str = '{"order": 17, "item": "tea"}',
    resource: tuple[str, ...] = (),
) -> dict[str, Any]:
    """An event of an EventBridge bus."""
    return {
        "version": "0",
        "id": new_request_id(),
        "detail-type": detail_type,
        "source": source,
        "account": setting.account,
        "time": f"{setting.time()}Z",
        "region": setting.region,
        "resources": list(resource),
        "detail": parsed("detail", detail),
    }


def schedule(
    setting: Setting,
    *,
    name: str = "my-schedule",
    input: str = "",
) -> dict[str, Any]:
    """The event of a scheduled rule.

    With --input what a Schedule of this platform sends: its context attributes are filled in.
    """
    if not input:
        rule = setting.arn("events", f"rule/{name}")
        detail_type = "Scheduled Event"
        return eventbridge(
            setting, source="aws.events", detail_type=detail_type, detail="{}", resource=(rule,)
        )
    spec = {"expression": "rate(1 minute)", "function": "my-function", "input": input}
    fires = parse_model(Schedule, {"metadata": {"name": name}, "spec": spec})
    reference = Reference("default", setting.account, setting.region, "my-function", None)
    moment = datetime.fromtimestamp(int(setting.seconds), UTC)
    sent = invocation_of(Firing(fires, moment, moment), reference)
    event: dict[str, Any] = parsed("input", sent.event.decode())
    return event


def cloudevents(
    setting: Setting,
    *,
    source: str = "/orders",
    type: str = "org.example.order.placed",
    subject: str = "17",
    data: str = '{"order": 17, "item": "tea"}',
) -> dict[str, Any]:
    """A CloudEvent 1.0 in its structured form, as JSON."""
    return {
        "specversion": "1.0",
        "id": new_request_id(),
        "source": source,
        "type": type,
        "subject": subject,
        "time": setting.precise_time,
        "datacontenttype": "application/json",
        "data": parsed("data", data),
    }


def cloudwatch_logs(
    setting: Setting,
    *,
    message: tuple[str, ...] = ("[ERROR] it failed",),
    group: str = "/aws/lambda/my-function",
    stream: str = "",
    filter: str = "my-filter",
) -> dict[str, Any]:
    """A subscription of CloudWatch Logs: gzip in Base64."""
    events = [
        {"id": setting.number(56), "timestamp": setting.milliseconds, "message": text}
        for text in message
    ]
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": setting.account,
        "logGroup": group,
        "logStream": stream or f"{setting.time('%Y/%m/%d')}/[$LATEST]{setting.token(32)}",
        "subscriptionFilters": [filter],
        "logEvents": events,
    }
    packed = gzip.compress(json.dumps(document).encode())
    return {"awslogs": {"data": b64encode(packed).decode()}}


def cloudwatch_alarm(
    setting: Setting,
    *,
    name: str = "my-alarm",
    state: str = "ALARM",
    previous: str = "OK",
    namespace: str = "AWS/Lambda",
    metric: str = "Errors",
    threshold: int = 1,
    value: int = 3,
    description: str = "",
) -> dict[str, Any]:
    """A CloudWatch alarm that changed its state."""
    metric_of = {"namespace": namespace, "name": metric, "dimensions": {}}
    statistic = {"metric": metric_of, "period": 60, "stat": "Sum"}
    configuration: dict[str, Any] = {
        "metrics": [{"id": "m1", "metricStat": statistic, "returnData": True}]
    }
    if description:
        configuration["description"] = description
    before = 0 if state == "ALARM" else threshold
    return {
        "source": "aws.cloudwatch",
        "alarmArn": setting.arn("cloudwatch", f"alarm:{name}"),
        "accountId": setting.account,
        "time": _alarm_time(setting),
        "region": setting.region,
        "alarmData": {
            "alarmName": name,
            "state": _alarm_state(setting, "state", state, value, threshold),
            "previousState": _alarm_state(setting, "previous", previous, before, threshold),
            "configuration": configuration,
        },
    }


def _alarm_time(setting: Setting) -> str:
    return f"{setting.precise_time.removesuffix('Z')}+0000"


def _alarm_state(
    setting: Setting, flag: str, state: str, value: int, threshold: int
) -> dict[str, Any]:
    compared = one_of(flag, state, _ALARM_STATES)
    time, datapoint, limit = _alarm_time(setting), float(value), float(threshold)
    data = {
        "version": "1.0",
        "queryDate": time,
        "startDate": time,
        "statistic": "Sum",
        "period": 60,
        "recentDatapoints": [datapoint],
        "threshold": limit,
        "evaluatedDatapoints": [{"timestamp": time, "sampleCount": 1.0, "value": datapoint}],
    }
    return {
        "value": state,
        "reason": f"1 datapoint [{datapoint}] {compared} the threshold ({limit}).",
        "reasonData": json.dumps(data),
        "timestamp": time,
    }


_ALARM_STATES = {
    "ALARM": "was greater than or equal to",
    "OK": "was not greater than or equal to",
    "INSUFFICIENT_DATA": "is too little to be compared with",
}


def cognito(
    setting: Setting,
    *,
    trigger: str = "pre-sign-up",
    user: str = "ada",
    email: str = "ada@example.org",
    pool: str = "",
    client: str = "my-client",
) -> dict[str, Any]:
    """A trigger of a Cognito user pool.

    --trigger is pre-sign-up, post-confirmation, pre-authentication, post-authentication,
    pre-token-generation or custom-message.
    """
    source, request, response = one_of("trigger", trigger, _TRIGGERS)
    return {
        "version": "1",
        "triggerSource": source,
        "region": setting.region,
        "userPoolId": pool or f"{setting.region}_EXAMPLE12",
        "userName": user,
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": client},
        "request": {"userAttributes": {"sub": new_request_id(), "email": email}} | request,
        "response": response,
    }


_TRIGGERS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "pre-sign-up": (
        "PreSignUp_SignUp",
        {"validationData": None},
        {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False},
    ),
    "post-confirmation": ("PostConfirmation_ConfirmSignUp", {}, {}),
    "pre-authentication": (
        "PreAuthentication_Authentication",
        {"validationData": None, "userNotFound": False},
        {},
    ),
    "post-authentication": ("PostAuthentication_Authentication", {"newDeviceUsed": False}, {}),
    "pre-token-generation": (
        "TokenGeneration_Authentication",
        {
            "groupConfiguration": {
                "groupsToOverride": [],
                "iamRolesToOverride": [],
                "preferredRole": None,
            }
        },
        {"claimsOverrideDetails": None},
    ),
    "custom-message": (
        "CustomMessage_SignUp",
        {"codeParameter": "{####}", "linkParameter": "{##Click Here##}", "usernameParameter": None},
        {"smsMessage": None, "emailMessage": None, "emailSubject": None},
    ),
}
"""Of each trigger its source, what its request has beside the user's attributes, and its answer."""
