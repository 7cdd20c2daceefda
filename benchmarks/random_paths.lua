-- wrk: ask for random lines of the file BENCH_PATHS with the token BENCH_TOKEN;
-- the last line printed is what load.py reads.
local requests = {}

function init()
  local headers = { Authorization = "Bearer " .. os.getenv("BENCH_TOKEN") }
  for path in io.lines(os.getenv("BENCH_PATHS")) do
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
  math.randomseed(7)
end

function request()
  return requests[math.random(#requests)]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  local form = '{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}\n'
  io.write(form:format(summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, failed))
end
