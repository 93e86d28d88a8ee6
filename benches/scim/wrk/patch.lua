-- PATCH active, so that every request changes something: each round and thread has its own people, all active at first.
-- Arguments: file, path before the id, round, rounds, threads.
local body = '{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":%s}]}'

function init(args)
  local round, rounds, workers = tonumber(args[3]), tonumber(args[4]), tonumber(args[5])
  prefix = args[2]
  list = people(args[1], round * workers + number, rounds * workers)
  at, active = 0, "true"
end

function request()
  if at == 0 then
    active = active == "true" and "false" or "true"
  end
  at = at % #list + 1
  local path = prefix .. list[at].id
  if at == #list then
    at = 0
  end
  return wrk.format("PATCH", path, nil, body:format(active))
end
