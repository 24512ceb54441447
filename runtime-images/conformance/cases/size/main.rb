def handler(event:, context:)
  "x" * event
end
