#!/bin/sh
# Runs Microsoft's SCIM reference collection (PostmanCollection.json of AzureAD/SCIMReferenceCode on GitHub, MIT) with
# newman (npm) against a server with an empty tenant, whose client has the profile {"dialect":"entra"}. The folder that
# fetches a token from the sample server is left out: the token is ours.
#   microsoft.sh PostmanCollection.json http://127.0.0.1:8080/scim/v2 TOKEN
set -eu
collection=$1 base=$2 token=$3
rest=${base#*://}
host=${rest%%/*}
set --
for folder in 'Endpoint tests' 'User tests' 'Group tests' 'ComplexAttribute tests' 'User tests with garbage' \
  'Group tests with garbage' 'Teardown garbage'; do
  set -- "$@" --folder "$folder"
done
exec "${NEWMAN:-newman}" run "$collection" "$@" --color off --reporters cli \
  --env-var Protocol="${base%%://*}" --env-var Server="${host%%:*}" --env-var Port=":${host##*:}" \
  --env-var Api="${rest#*/}" --env-var token="$token"
