# frozen_string_literal: true

# Errors as Lambda's Ruby runtime reports them: the class in the words of where it was raised.
#
# Source: AWS Lambda Developer Guide, "Lambda function errors in Ruby", and the documents of AWS's own
# runtime client by observation.

require "json"

module Pilotlight
  class Fault
    DEEPEST = 100 # lines of a trace
    OWN = "#{__dir__}/"

    attr_reader :type

    # `where` is Init or Function.
    def initialize(error, where)
      @type = "#{where}<#{error.class}>"
      @message = text(error.message)
      @trace = lines(error)
    end

    # What the caller reads.
    def document
      JSON.generate(fields)
    end

    # What stands in the log.
    def to_log
      JSON.pretty_generate(fields)
    end

    private

    def fields
      { errorMessage: @message, errorType: @type, stackTrace: @trace }
    end

    # The function's own lines: the first of the runtime's ends the trace.
    def lines(error)
      trace = (error.backtrace || []).first(DEEPEST)
      trace.take_while { |line| !line.start_with?(OWN) }.map { |line| text(line) }
    end

    def text(value)
      value.to_s.encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub
    end
  end
end
