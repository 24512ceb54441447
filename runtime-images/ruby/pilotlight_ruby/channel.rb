# frozen_string_literal: true

# The runtime's end of the socket pair to the agent; the agent's end is its `runtimes/frames`.
#
# A frame is two unsigned 32-bit lengths in network order, a JSON header and a body.

require "json"

module Pilotlight
  # An event and what is said with it; texts are empty where there is none, `deadline` is epoch
  # milliseconds.
  Event = Struct.new(
    :request_id, :content_type, :function_arn, :deadline, :trace_id, :tenant_id,
    :client_context, :cognito_identity, :body
  )

  # Frames in and out, one after the other.
  class Channel
    RESPONSE_LIMIT = 6_291_556 # bytes; AWS Lambda Developer Guide, quotas
    LENGTHS = "NN"
    LENGTHS_SIZE = 8
    JSON_TYPE = "application/json"
    FIELDS = %w[
      requestId contentType functionArn deadline traceId tenantId clientContext cognitoIdentity
    ].freeze

    def initialize(descriptor)
      @input = IO.for_fd(descriptor, "rb")
      @output = IO.for_fd(descriptor, "wb", autoclose: false)
      @output.sync = true
      @input.close_on_exec = true
    end

    # Wait for an event; nil when the agent has gone.
    def next_event
      lengths = @input.read(LENGTHS_SIZE)
      return nil if lengths.nil? || lengths.bytesize < LENGTHS_SIZE

      head, body = lengths.unpack(LENGTHS)
      header = JSON.parse(@input.read(head))
      Event.new(*header.values_at(*FIELDS), @input.read(body).force_encoding(Encoding::UTF_8))
    end

    def ready
      send({ type: "ready" })
    end

    # Say why the function's code cannot be loaded.
    def init_error(fault)
      send({ type: "init-error", errorType: fault.type }, fault.document)
    end

    # Answer an event; one over Lambda's limit is only reported.
    def answer(event, body, content_type = nil)
      if body.bytesize > RESPONSE_LIMIT
        send({ type: "too-large", requestId: event.request_id })
      else
        header = { type: "response", requestId: event.request_id }
        send(header.merge(contentType: content_type || JSON_TYPE), body)
      end
    end

    # Answer an event with the function's error.
    def error(event, fault)
      header = { type: "error", requestId: event.request_id, errorType: fault.type }
      send(header, fault.document)
    end

    private

    def send(header, body = "")
      head = JSON.generate(header)
      rest = body.byteslice(0, RESPONSE_LIMIT)
      @output.write([head.bytesize, rest.bytesize].pack(LENGTHS), head, rest)
    end
  end
end
