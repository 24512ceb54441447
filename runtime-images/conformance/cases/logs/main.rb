require "logger"

LOG = Logger.new($stdout)

def handler(event:, context:)
  puts "printed"
  LOG.debug("for developers")
  LOG.warn("two\nlines")
  LOG.error("broken: cup")
end
