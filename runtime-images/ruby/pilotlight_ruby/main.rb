# frozen_string_literal: true

# The managed Ruby runtime: `ruby main.rb DESCRIPTOR`, with cwd at the task root.
#
# Load the handler, then run it for one event after the other. `channel` is how the agent is spoken
# with, `handler` finds the function's code, `context` is what it gets beside the event, `fault` words
# errors, `log` is what puts and Logger do here.

require_relative "channel"
require_relative "context"
require_relative "fault"
require_relative "handler"
require_relative "log"
require_relative "temporary"

module Pilotlight
  # Lambda's own statuses, which functions and their watchers know from the log.
  INIT_STATUS = 252
  CRITICAL_STATUS = 255

  # Serves events until the agent ends.
  class Runtime
    def initialize(channel, name)
      @channel = channel
      @name = name
    end

    def run
      handler = load
      @channel.ready
      while (event = @channel.next_event)
        serve(handler, event)
      end
    end

    private

    # Whatever the function's code raises while it is loaded, it says; exits are no exception.
    def load
      handler = Handler.new(@name)
      handler.load(Dir.pwd)
      handler
    rescue Exception => e # rubocop:disable Lint/RescueException
      fault = Fault.new(e, "Init")
      Log.error("Init error when loading handler #{@name}", fault)
      @channel.init_error(fault)
      exit!(INIT_STATUS)
    end

    def serve(handler, event)
      enter(event)
      body, content_type = handler.call(event, Context.new(event))
      @channel.answer(event, body, content_type)
    rescue NameError => e # a mistake in the code itself: nothing that was loaded is trusted
      break_off(event, e)
    rescue StandardError => e
      refuse(event, e, "Error raised from handler method")
    rescue Exception => e # rubocop:disable Lint/RescueException
      break_off(event, e)
    end

    def enter(event)
      Log.request_id = event.request_id
      Log.tenant_id = event.tenant_id.empty? ? nil : event.tenant_id
      ENV["_X_AMZN_TRACE_ID"] = event.trace_id.empty? ? nil : event.trace_id
    end

    def refuse(event, error, title)
      fault = Fault.new(error, "Function")
      Log.error(title, fault)
      @channel.error(event, fault)
    end

    def break_off(event, error)
      refuse(event, error, "Critical exception from handler")
      exit!(CRITICAL_STATUS)
    end
  end
end

descriptor = Integer(ARGV.shift)
Pilotlight::Log.replace
Pilotlight::Runtime.new(Pilotlight::Channel.new(descriptor), ENV.fetch("_HANDLER")).run
