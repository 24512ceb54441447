require "shared"

def handler(event:, context:)
  Shared::TOLD
end
