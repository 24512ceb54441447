class ShopError < StandardError
end

def handler(event:, context:)
  puts "called with #{event}"
  raise ShopError, event unless event.nil?

  "fine"
end
