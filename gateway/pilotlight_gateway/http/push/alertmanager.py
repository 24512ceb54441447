"""Alertmanager's webhook, as the events of CloudWatch alarms: one for each alert.

Prometheus, "Alerting: webhook_config"; Amazon CloudWatch User Guide, "Lambda function actions". As
with CloudWatch a function hears of a change of state, not of every reminder: an alert that fires
again has another start.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from pilotlight_gateway.http.errors import HttpError

from .pushed import Pushed, malformed, read_object, time_of

if TYPE_CHECKING:
    from pilotlight_gateway.http.site import Match

__all__ = ["events"]

_EXPECTED = "a notification of Alertmanager: a JSON object with alerts"
MOST_ALERTS = 1000
"""Of a notification: each is an event; Alertmanager sends fewer where `max_alerts` says so."""
_MOST_PARAMETERS = 100
_STATES = {"firing": ("ALARM", "OK"), "resolved": ("OK", "ALARM")}


async def events(match: Match) -> list[Pushed]:
    """Return an event for each alert."""
    alerts = read_object(match, _EXPECTED).get("alerts")
    if not isinstance(alerts, list):
        raise malformed(_EXPECTED)
    if len(alerts) > MOST_ALERTS:
        raise HttpError(413, f"{len(alerts)} alerts came, at most {MOST_ALERTS} are expected")
    return [_pushed(alert, match) for alert in alerts]


def _pushed(alert: Any, match: Match) -> Pushed:
    labels, annotations = _texts(alert, "labels"), _texts(alert, "annotations")
    name = labels.get("alertname")
    status = str(alert.get("status"))
    if status not in _STATES or not name:
        raise malformed("an alert with its status, firing or resolved, and the label alertname")
    state, previous = _STATES[status]
    time = str(alert.get("startsAt" if state == "ALARM" else "endsAt") or time_of(match))
    event = {
        "source": "aws.cloudwatch",
        "alarmArn": f"arn:aws:cloudwatch:{match.region}:{match.account}:alarm:{name}",
        "accountId": match.account,
        "time": time,
        "region": match.region,
        "alarmData": {
            "alarmName": name,
            "state": {
                "value": state,
                "reason": annotations.get("summary") or annotations.get("description") or name,
                "reasonData": json.dumps(alert),
                "timestamp": time,
            },
            "previousState": {"value": previous},
            "configuration": _configuration(alert, annotations),
        },
    }
    key = [alert.get("fingerprint") or labels, alert.get("startsAt"), state]
    return Pushed(event, json.dumps(key, sort_keys=True))


def _configuration(alert: dict[str, Any], annotations: dict[str, str]) -> dict[str, Any]:
    """Say what is watched: Prometheus tells its expression in the alert's link to itself."""
    try:
        query = urlsplit(str(alert.get("generatorURL") or "")).query
        expressions = parse_qs(query, max_num_fields=_MOST_PARAMETERS).get("g0.expr", [])
    except ValueError:  # it is no address
        expressions = []
    metrics = [{"id": "alert", "expression": one, "returnData": True} for one in expressions]
    description = annotations.get("description")
    return {"metrics": metrics} | ({"description": description} if description else {})


def _texts(alert: Any, member: str) -> dict[str, str]:
    texts = alert.get(member) or {} if isinstance(alert, dict) else None
    if not isinstance(texts, dict) or not all(isinstance(one, str) for one in texts.values()):
        raise malformed(_EXPECTED)
    return texts
