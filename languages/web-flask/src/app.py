"""A Flask application that knows nothing of Lambda."""

import time
from collections.abc import Iterator

from flask import Flask, Response, request

app = Flask(__name__)


@app.get("/")
def hello() -> dict[str, str]:
    """Say hello to whom the query names."""
    return {"hello": request.args.get("name", "world")}


@app.post("/orders")
def order() -> tuple[dict[str, object], int]:
    """Take an order."""
    return {"order": request.get_json(), "for": request.headers.get("X-Customer")}, 201


@app.get("/countdown")
def countdown() -> Response:
    """Count down, a line every half second."""

    def lines() -> Iterator[str]:
        for number in range(3, 0, -1):
            yield f"{number}\n"
            time.sleep(0.5)
        yield "lift-off\n"

    return Response(lines(), mimetype="text/plain")
