"""The metadata endpoint: where an execution environment runs, at the Runtime API's address.

Source: AWS Lambda Developer Guide, "Using the Lambda metadata endpoint". Powertools reads it. The
zone is the node's `topology.kubernetes.io/zone`, which clusters from Kubernetes 1.35 on tell their
pods; where nobody knows it, it is not in the answer.
"""

import json
import secrets

from pilotlight_agent.http.request import Request
from pilotlight_agent.http.server import Connection

_PATH = b"/2026-01-15/metadata/execution-environment"
_CACHE = b"Content-Type: application/json\r\nCache-Control: private, max-age=43200, immutable\r\n"


class MetadataApi:
    """Answers whoever has the environment's token, and so its runtime and its extensions."""

    def __init__(self, zone: str) -> None:
        self.token = secrets.token_hex(16)
        self._document = {"AvailabilityZoneID": zone} if zone else {}

    def serve(self, request: Request, connection: Connection) -> bool:
        """Answer what is for this endpoint; False for anything else."""
        if request.target != _PATH:
            return False
        if request.method != b"GET":
            _refuse(connection, 405, "MethodNotAllowed", "only GET is allowed")
        elif not self._is_known(request):
            _refuse(connection, 401, "Unauthorized", "AWS_LAMBDA_METADATA_TOKEN is expected")
        else:
            connection.respond(200, json.dumps(self._document).encode(), _CACHE)
        return True

    def _is_known(self, request: Request) -> bool:
        given = request.headers.get(b"authorization", b"")
        return secrets.compare_digest(given, f"Bearer {self.token}".encode())


def _refuse(connection: Connection, status: int, error_type: str, message: str) -> None:
    body = json.dumps({"errorMessage": message, "errorType": error_type}).encode()
    connection.respond(status, body)
