def handler(event:, context:)
  event.length
end
