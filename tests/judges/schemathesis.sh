#!/usr/bin/env bash
# Lets schemathesis (https://schemathesis.readthedocs.io) try the SCIM end points and the management API by their own
# descriptions: no answer may be 5xx (but 501), no connection may die, and what is not served must say so.
# Needs `make tools` and a built program: PROGRAM (default target/debug/scim-bridge), PORT (default 18099),
# EXAMPLES (default 60) requests for each operation, SEED (default 1).
set -euo pipefail
cd "$(dirname "$0")/../.."
program=${PROGRAM:-target/debug/scim-bridge}
judge=${JUDGE:-target/judges/python/bin/schemathesis}
port=${PORT:-18099}
data=$(mktemp -d)
chmod 755 "$data" # the embedded Postgres runs as another user if we are root
export SCIM_BRIDGE_DATA_DIR=$data SCIM_BRIDGE_LISTEN=127.0.0.1:$port SCIM_BRIDGE_URL=http://127.0.0.1:$port
"$program" serve >"$data.log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null; rm -rf "$data"' EXIT
for _ in $(seq 100); do
  curl -sf "$SCIM_BRIDGE_URL/readyz" >/dev/null && break
  sleep 0.2
done
"$program" tenant create judged >/dev/null
SCIM_BRIDGE_TOKEN=$("$program" token create --tenant judged --name judge --scope admin)
export SCIM_BRIDGE_TOKEN
user=$(curl -sf "$SCIM_BRIDGE_URL/scim/v2/Users" -H "Authorization: Bearer $SCIM_BRIDGE_TOKEN" \
  -H 'Content-Type: application/scim+json' \
  -d '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"judge"}' | sed 's/.*"id":"\([^"]*\)".*/\1/')
"$program" client set judge --user "$user" >/dev/null
failed=0
for document in /scim/v2/openapi.json /api/v1/openapi.json; do
  base=$SCIM_BRIDGE_URL
  [ "$document" = /scim/v2/openapi.json ] && base=$base/scim/v2
  echo "== $document"
  "$judge" run "$SCIM_BRIDGE_URL$document" --url "$base" -H "Authorization: Bearer $SCIM_BRIDGE_TOKEN" \
    --checks not_a_server_error,unsupported_method,content_type_conformance,status_code_conformance \
    --max-examples "${EXAMPLES:-60}" --seed "${SEED:-1}" --continue-on-failure --no-color \
    --exclude-path-regex '/(check|sync|preview)$' || failed=1
done
kill -0 $server || { echo 'the server died'; failed=1; }
grep -c '"level":"ERROR"\|panicked' "$data.log" | sed 's/^/errors in the log: /' || true
exit $failed
