require "tmpdir"

PATH = File.join(Dir.tmpdir, "kept")

def handler(event:, context:)
  File.write(PATH, "x", mode: "a")
  File.size(PATH)
end
