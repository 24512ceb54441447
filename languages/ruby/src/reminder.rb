require "date"
require "logger"

LOG = Logger.new($stdout)

# How many days are left until what somebody is waiting for.
def handler(event:, context:)
  day = Date.parse(event["on"])
  days = (day - Date.parse(event["today"])).to_i
  LOG.info("#{event["what"]} on #{day}")
  { text: days.positive? ? "#{days} days until #{event["what"]}" : "It is time: #{event["what"]}!" }
end
