def handler(event:, context:)
  kept = []
  loop { kept << ("x" * 4_000_000) }
end
