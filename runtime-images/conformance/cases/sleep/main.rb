def handler(event:, context:)
  puts "going to sleep"
  sleep event
  "awake"
end
