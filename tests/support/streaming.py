"""A bootstrap that writes its answer piece by piece, as its event says; for `provided.al2023`.

Of a request by HTTP the body is the event.

`pieces` are written in their order, so many `times`; before one that is null it waits for the file
`gate`. `type` is the media type, `error` a document to fail with at the end, `exit` ends the
process instead.
"""

from __future__ import annotations

import sys

__all__ = ["BOOTSTRAP"]

BOOTSTRAP = f"""#!{sys.executable}
import base64, http.client, json, os, socket, sys, time
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
poll = http.client.HTTPConnection(host, int(port))
while True:
    poll.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = poll.getresponse()
    event = json.loads(answer.read())
    if "requestContext" in event:
        event = json.loads(event["body"])
    with socket.create_connection((host, int(port))) as mine:
        path = "/2018-06-01/runtime/invocation/" + answer.headers["Lambda-Runtime-Aws-Request-Id"]
        mine.sendall((
            f"POST {{path}}/response HTTP/1.1\\r\\nHost: a\\r\\nTransfer-Encoding: chunked\\r\\n"
            f"Content-Type: {{event.get('type', 'text/plain')}}\\r\\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\\r\\n\\r\\n"
        ).encode())
        for piece in event["pieces"] * event.get("times", 1):
            if piece is None:
                while not os.path.exists(event["gate"]):
                    time.sleep(0.005)
                continue
            data = piece.encode()
            mine.sendall(b"%x\\r\\n%b\\r\\n" % (len(data), data))
        if event.get("exit"):
            os._exit(3)
        mine.sendall(b"0\\r\\n")
        if "error" in event:
            document = base64.b64encode(json.dumps(event["error"]).encode()).decode()
            mine.sendall((
                "Lambda-Runtime-Function-Error-Type: Runtime.Broke\\r\\n"
                f"Lambda-Runtime-Function-Error-Body: {{document}}\\r\\n"
            ).encode())
        mine.sendall(b"\\r\\n")
        assert mine.recv(100).startswith(b"HTTP/1.1 202")
"""
