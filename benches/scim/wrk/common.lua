-- Shared by the scripts: people in a file ("id userName" per line), each thread with its own part of them.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function people(file, part, parts)
  local found, at = {}, 0
  for line in io.lines(file) do
    if at % parts == part then
      local id, name = line:match("^(%S+) (%S+)$")
      found[#found + 1] = { id = id, name = name }
    end
    at = at + 1
  end
  return found
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\n",
    summary.requests, summary.duration,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
