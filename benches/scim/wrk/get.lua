-- GET by id, at random. Arguments: file, path before the id.
function init(args)
  math.randomseed(number + 1)
  local prefix, list = args[2], people(args[1], 0, 1)
  paths = {}
  for i, person in ipairs(list) do
    paths[i] = wrk.format("GET", prefix .. person.id)
  end
end

function request()
  return paths[math.random(#paths)]
end
