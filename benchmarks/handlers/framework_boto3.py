"""The no-op handler of a function that uses AWS, as functions-framework wants it."""

import boto3  # noqa: F401  what a generic pod has loaded, too
import functions_framework


@functions_framework.http
def handler(request):  # noqa: ANN001, ANN201, D103  what people write
    return request.get_json()
