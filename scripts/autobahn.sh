#!/bin/sh
# Runs the Autobahn|Testsuite against this library in both roles, and compares the results with
# docs/autobahn.json, or with --write writes them there.
#
# The suite is $WSTEST, wstest in $PATH, or the Docker image crossbario/autobahn-testsuite if that has
# been pulled; nothing is installed. AUTOBAHN_CASES is a list of cases in its notation, such as
# '"1.*","7.*"', by default all, which take an hour. AUTOBAHN_PORT is the port of its server, 9001.
# Its reports are in bin/autobahn.
set -eu
cd "$(dirname "$0")/.."

image=crossbario/autobahn-testsuite
cases=${AUTOBAHN_CASES-'"*"'}
port=${AUTOBAHN_PORT-9001}
folder=$(pwd)/bin/autobahn
go=${GO-go}
part= write=
[ "$cases" = '"*"' ] || part=-part
[ "${1-}" != --write ] || write=-write

if [ -n "${WSTEST-}" ] && ! command -v "$WSTEST" >/dev/null; then
	echo "autobahn.sh: WSTEST is '$WSTEST', which is not an executable file" >&2
	exit 1
fi
if wstest=$(command -v "${WSTEST-wstest}"); then
	run() { exec "$wstest" -m "$1" -s "$folder/$1.json" --webport=0; }
elif command -v docker >/dev/null && docker image inspect $image >/dev/null 2>&1; then
	run() { exec docker run --rm --network host --user "$(id -u):$(id -g)" -v "$folder:$folder" $image wstest -m "$1" -s "$folder/$1.json" --webport=0; }
else
	cat >&2 <<EOF
autobahn.sh: the Autobahn|Testsuite is not installed. Either
  docker pull $image
or, with Python 2.7 and its pip,
  pip install autobahntestsuite==0.8.2
or set WSTEST to the path of wstest.
EOF
	exit 1
fi

rm -rf "$folder"
mkdir -p "$folder"
"$go" build -o "$folder/testee" ./internal/testing/autobahn

server= suite=
stop() { kill $server $suite 2>/dev/null || true; }
trap stop EXIT
trap 'exit 1' INT TERM

"$folder/testee" server -addr 127.0.0.1:0 >"$folder/address" &
server=$!
while [ ! -s "$folder/address" ]; do
	kill -0 $server
	sleep 0.1
done
cat >"$folder/fuzzingclient.json" <<EOF
{"outdir": "$folder/server", "options": {"failByDrop": false}, "cases": [$cases], "exclude-cases": [], "exclude-agent-cases": {},
 "servers": [{"agent": "isosocket", "url": "ws://$(cat "$folder/address")"}]}
EOF
cat >"$folder/fuzzingserver.json" <<EOF
{"outdir": "$folder/client", "options": {"failByDrop": false}, "cases": [$cases], "exclude-cases": [], "exclude-agent-cases": {},
 "url": "ws://127.0.0.1:$port"}
EOF
echo "autobahn: this library as server"
(run fuzzingclient) >"$folder/fuzzingclient.log" 2>&1 || { tail "$folder/fuzzingclient.log" >&2; exit 1; }

echo "autobahn: this library as client"
run fuzzingserver >"$folder/fuzzingserver.log" 2>&1 &
suite=$!
"$folder/testee" client -url "ws://127.0.0.1:$port" -wait 30s || { tail "$folder/fuzzingserver.log" >&2; exit 1; }

"$folder/testee" compare $part $write docs/autobahn.json "server=$folder/server/index.json" "client=$folder/client/index.json"
