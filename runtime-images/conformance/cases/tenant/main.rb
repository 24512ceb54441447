require "logger"

LOG = Logger.new($stdout)

def handler(event:, context:)
  LOG.warn("called")
  context.tenant_id
end
