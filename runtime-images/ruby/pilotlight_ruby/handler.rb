# frozen_string_literal: true

# The function's code: from a handler such as `folder/file.method` or `file.Module::Class.method` to
# what it answers.
#
# Source: AWS Lambda Developer Guide, "Define Lambda function handler in Ruby".

require "json"
require "stringio"

module Pilotlight
  class Handler
    FORM = "must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD where FILENAME corresponds with " \
           "an existing Ruby source file FILENAME.rb, CLASS is an optional module/class namespace " \
           "and METHOD is a callable method. If using CLASS, METHOD must be a class-level method."
    JSON_TYPE = "application/json"
    RAW_TYPE = "application/unknown"

    def initialize(name)
      parts = name.split(".")
      raise ArgumentError, "Invalid handler #{parts}, #{FORM}" unless [2, 3].include?(parts.size)

      @file = parts.first
      @owner = parts[1] if parts.size == 3
      @method = parts.last
    end

    def load(root)
      $LOAD_PATH.unshift(root) unless $LOAD_PATH.include?(root)
      require @file
    end

    # Return the answer's bytes, and its type where it is no JSON.
    def call(event, context)
      answer = receiver.__send__(@method, event: read(event), context: context)
      case answer
      when StringIO, IO then [answer.read.to_s, RAW_TYPE]
      else [answer.to_json]
      end
    end

    private

    # A method outside of any class is everybody's.
    def receiver
      @owner ? Object.const_get(@owner) : TOPLEVEL_BINDING.receiver
    end

    def read(event)
      event.content_type == JSON_TYPE ? JSON.parse(event.body) : event.body
    end
  end
end
