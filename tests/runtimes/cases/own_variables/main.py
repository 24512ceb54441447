"""Changes a variable that contexts are made of, and says what this call's context has."""

import os


def handler(event, context):
    os.environ["AWS_LAMBDA_FUNCTION_VERSION"] = event
    return context.function_version
