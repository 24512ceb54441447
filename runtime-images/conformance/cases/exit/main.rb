$calls = 0

def handler(event:, context:)
  $calls += 1
  unless event.nil?
    puts "last words"
    exit!(event)
  end
  $calls
end
