def handler(event:, context:)
  {
    variables: ENV.to_h,
    folder: Dir.pwd,
    inherited: `/bin/ls /proc/self/fd`.split
  }
end
