-- POST of a person who is not there yet. Arguments: path, round.
local body = '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],'
  .. '"userName":"%s@bench.test","name":{"givenName":"Given","familyName":"Family"},"displayName":"Given Family","title":"Engineer","active":true,'
  .. '"emails":[{"type":"work","value":"%s@bench.test","primary":true}],'
  .. '"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"%s","department":"Tools"}}'

function init(args)
  path, stem, count = args[1], "new-" .. args[2] .. "-" .. number .. "-", 0
end

function request()
  count = count + 1
  local name = stem .. count
  return wrk.format("POST", path, nil, body:format(name, name, name))
end
