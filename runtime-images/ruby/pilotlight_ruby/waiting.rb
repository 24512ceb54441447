# frozen_string_literal: true

# A process that is started before its function is known waits here, with everything loaded.
#
# The agent's end is its `runtimes/prepared`.

module Pilotlight
  module Waiting
    READY = "waiting\n"

    # Become the function's: with its variables and in its folder. Ends where none will come.
    def self.wait
      $stdout.syswrite(READY)
      document = $stdin.read.force_encoding(Encoding::UTF_8)
      exit!(0) if document.empty?
      folder, *entries = document.split("\0")
      ENV.replace(entries.to_h { |entry| entry.split("=", 2) })
      Dir.chdir(folder)
      Gem.clear_paths # so that gems are looked for once more, where there are some by now
    end
  end
end
