# frozen_string_literal: true

# The function's log: what puts and Logger do here, in Lambda's two formats.
#
# Source: AWS Lambda Developer Guide, "Log and monitor Ruby Lambda functions". Everything goes to
# standard output, which the agent reads line by line; a line end inside an entry becomes a carriage
# return, so that it stays one.

require "json"
require "logger"

module Pilotlight
  module Log
    LEVELS = { "TRACE" => "DEBUG" }.freeze # what Logger calls a level that it calls otherwise

    class << self
      attr_accessor :request_id, :tenant_id

      # Have entries of puts and Logger written here.
      def replace
        $stdout.sync = $stderr.sync = true
        Kernel.prepend(Puts)
        Logger.prepend(Entries)
      end

      def error(title, fault)
        write(title)
        write(fault.to_log)
      end

      # Write an entry; all of it before anything else happens.
      def write(entry)
        STDOUT.write("#{entry.to_s.chomp.tr("\n", "\r")}\n")
      end

      def json?
        ENV["AWS_LAMBDA_LOG_FORMAT"].to_s.upcase == "JSON"
      end

      # The level that the function's configuration asks for, if it does.
      def level
        level = ENV.fetch("AWS_LAMBDA_LOG_LEVEL", "DEBUG").upcase
        LEVELS.fetch(level, level)
      end
    end

    # What is put is one entry, unless the function has put another output in its place.
    module Puts
      private

      def puts(*values)
        return super unless $stdout.equal?(STDOUT)

        Log.write(values.empty? ? "" : values.flatten.join("\n"))
      end
    end

    # A Logger of standard output or error writes Lambda's entries.
    module Entries
      def initialize(device, *more, level: Log.level, **options)
        ours = device.nil? || device.equal?(STDOUT) || device.equal?(STDERR)
        super(ours ? Device : device, *more, level: level, **options)
        @default_formatter = Log.json? ? JsonForm.new : TextForm.new if ours
      end
    end

    # Where entries are written.
    module Device
      def self.write(entry)
        Log.write(entry)
      end

      def self.close; end
    end

    # A line as Logger's own, with the request's id.
    class TextForm < Logger::Formatter
      def call(severity, time, program, message)
        at = format_datetime(time)
        format("%s, [%s #%d] %5s %s -- %s: %s", severity[0], at, Process.pid, severity,
               Log.request_id, program, msg2str(message))
      end
    end

    # An object with Lambda's fields.
    class JsonForm < Logger::Formatter
      def call(severity, time, program, message)
        entry = {
          timestamp: time.utc.strftime("%Y-%m-%dT%H:%M:%S.%6NZ"), level: severity,
          message: text(message), logger: program, requestId: Log.request_id,
          tenantId: Log.tenant_id
        }
        entry.merge!(describe(message)) if message.is_a?(Exception)
        JSON.generate(entry.compact)
      end

      private

      def describe(error)
        { errorType: error.class.to_s, errorMessage: error.message, stackTrace: error.backtrace || [] }
      end

      def text(message)
        message.is_a?(Exception) ? message.message : msg2str(message)
      end
    end
  end
end
