def handler(event:, context:)
  { greeting: "Hello, #{event["name"]}!" }
end
