#!/bin/sh
# Runs every fuzz target for $1, such as 1m, one after the other, and fails with the first that finds
# something. $2, if given, is a pattern of the targets' names. Targets of the browser's target run in
# Node.js, with random input.
set -eu
cd "$(dirname "$0")/.."
time=${1:?how long each target runs, such as 1m}
pattern=${2:-.}

targets=$(sh scripts/fuzztargets.sh)
count=0
while read -r module package target os; do
	echo "$target" | grep -Eq "$pattern" || continue
	echo "$module $package: $target"
	if [ "$os" = js ]; then
		node=$(sh scripts/engine.sh node)
		PATH=$(dirname "$node"):$PATH FUZZTIME=$time GOOS=js GOARCH=wasm \
			go test -exec "$(go env GOROOT)/lib/wasm/go_js_wasm_exec" -timeout 0 -count=1 -run "^$target\$" "$package" </dev/null
	else
		(cd "$module" && go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" ${FUZZFLAGS-} "$package" </dev/null)
	fi
	count=$((count + 1))
done <<EOF
$targets
EOF
[ $count -gt 0 ] || { echo "fuzz: no target matches $pattern" >&2; exit 1; }
echo "fuzz: $count targets ran for $time each"
