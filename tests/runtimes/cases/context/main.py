"""Tells everything that the context says."""


def handler(event, context):
    remaining = context.get_remaining_time_in_millis()
    client = context.client_context
    return {
        "fields": {
            name: getattr(context, name)
            for name in (
                "aws_request_id",
                "function_name",
                "function_version",
                "invoked_function_arn",
                "log_group_name",
                "log_stream_name",
                "memory_limit_in_mb",
                "tenant_id",
            )
        },
        "remaining": 0 < remaining <= 10_000 and isinstance(remaining, int),
        "deadline": remaining + __import__("time").time() * 1000,
        "repr": repr(context),
        "type": type(context).__name__,
        "identity": [
            repr(context.identity),
            context.identity.cognito_identity_id,
            context.identity.cognito_identity_pool_id,
        ],
        "client": client and [client.custom, client.env, client.client and client.client.app_title],
        "w3c": context.w3c(),
        "trace": __import__("os").environ.get("_X_AMZN_TRACE_ID"),
    }
