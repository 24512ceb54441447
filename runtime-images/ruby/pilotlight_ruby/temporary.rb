# frozen_string_literal: true

# Where temporary files go: /tmp, as on Lambda, also where that is a volume of Kubernetes'.
#
# Everybody may write into one, and it has no sticky bit: Ruby refuses such a folder, for others could
# change what is in it. Here there are no others.

require "tmpdir"

module Pilotlight
  module Temporary
    VARIABLES = %w[TMPDIR TMP TEMP].freeze

    def tmpdir
      VARIABLES.any? { |name| ENV.key?(name) } ? super : +"/tmp"
    end
  end
end

Dir.singleton_class.prepend(Pilotlight::Temporary)
