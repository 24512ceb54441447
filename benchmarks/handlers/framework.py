"""The no-op handler as functions-framework wants it."""

import functions_framework


@functions_framework.http
def handler(request):  # noqa: ANN001, ANN201, D103  what people write
    return request.get_json()
