def handler(event:, context:)
  answer = {}
  answer["self"] = answer
  answer
end
