-- Sends the redirect requests of a file in turn: one a line, tab-separated code, agent, referrer, language, address.
-- Prints one line of JSON at the end. `wrk.thread` state is per thread; the file is read once in each.
local requests = {}
local next_request = 0

function init(args)
  for line in io.lines(args[1]) do
    local code, agent, referrer, language, address = line:match("([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)")
    local headers = { ["User-Agent"] = agent, ["Accept-Language"] = language, ["X-Forwarded-For"] = address }
    if referrer ~= "" then headers["Referer"] = referrer end
    requests[#requests + 1] = wrk.format("GET", "/" .. code, headers)
  end
end

function request()
  next_request = next_request % #requests + 1
  return requests[next_request]
end

function done(summary, latency, _)
  io.write(string.format(
    '\n{"durationUs":%d,"requests":%d,"notRedirected":%d,"failed":%d,"p50Us":%d,"p99Us":%d}\n',
    summary.duration, summary.requests, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
