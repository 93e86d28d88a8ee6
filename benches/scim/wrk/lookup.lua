-- Look-up by userName, at random. Arguments: file, text before the name, text behind it.
function init(args)
  math.randomseed(number + 1)
  local before, behind, list = args[2], args[3] or "", people(args[1], 0, 1)
  paths = {}
  for i, person in ipairs(list) do
    paths[i] = wrk.format("GET", before .. person.name .. behind)
  end
end

function request()
  return paths[math.random(#paths)]
end
