module Shared
  TOLD = "from a layer"
end
