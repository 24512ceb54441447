# frozen_string_literal: true

# The context object that a handler gets beside its event.
#
# Source: AWS Lambda Developer Guide, "Using the Lambda context object to retrieve Ruby function
# information".

require "json"

module Pilotlight
  class Context
    attr_reader :aws_request_id, :invoked_function_arn, :deadline_ms, :identity, :client_context,
                :function_name, :function_version, :memory_limit_in_mb, :log_group_name,
                :log_stream_name, :tenant_id

    def initialize(event)
      @aws_request_id = event.request_id
      @invoked_function_arn = event.function_arn
      @deadline_ms = event.deadline
      @tenant_id = event.tenant_id.empty? ? nil : event.tenant_id
      @identity = parse(event.cognito_identity)
      @client_context = parse(event.client_context)
      @function_name = ENV.fetch("AWS_LAMBDA_FUNCTION_NAME", nil)
      @function_version = ENV.fetch("AWS_LAMBDA_FUNCTION_VERSION", nil)
      @memory_limit_in_mb = ENV.fetch("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", nil)
      @log_group_name = ENV.fetch("AWS_LAMBDA_LOG_GROUP_NAME", nil)
      @log_stream_name = ENV.fetch("AWS_LAMBDA_LOG_STREAM_NAME", nil)
    end

    def get_remaining_time_in_millis # rubocop:disable Naming/AccessorMethodName -- Lambda's name
      [@deadline_ms - Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond), 0].max
    end

    private

    def parse(text)
      text.empty? ? nil : JSON.parse(text)
    end
  end
end
