"""What functions-framework serves to GET requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import functions_framework

if TYPE_CHECKING:
    from flask import Request


@functions_framework.http
def handler(request: Request) -> tuple[str, int]:
    """Answer with the path."""
    return request.path, 200
