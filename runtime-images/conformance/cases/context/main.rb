def handler(event:, context:)
  {
    requestId: context.aws_request_id,
    name: context.function_name,
    version: context.function_version,
    arn: context.invoked_function_arn,
    memory: context.memory_limit_in_mb,
    logGroup: context.log_group_name,
    logStream: context.log_stream_name,
    remaining: context.get_remaining_time_in_millis,
    custom: context.client_context&.fetch("custom"),
    identity: context.identity&.fetch("cognitoIdentityId"),
    trace: ENV["_X_AMZN_TRACE_ID"]
  }
end
