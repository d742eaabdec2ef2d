#!/bin/sh
# Runs every fuzz target of the module for $1, such as 1m, one after the other, and fails with the
# first that finds something. $2, if given, is a pattern of the targets' names.
set -eu
cd "$(dirname "$0")/.."
time=${1:?how long each target runs, such as 1m}
pattern=${2:-.}

targets=$(grep -rn --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' . | grep -v -e '/testdata/' -e '^./bench/' -e '^./examples/' |
	sed -E 's|^(.*)/[^/]*:[0-9]+:func (.*)$|\1 \2|' | sort)
count=0
while read -r folder target; do
	echo "$target" | grep -Eq "$pattern" || continue
	echo "$folder: $target"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$folder" </dev/null
	count=$((count + 1))
done <<EOF
$targets
EOF
[ $count -gt 0 ] || { echo "fuzz: no target matches $pattern" >&2; exit 1; }
echo "fuzz: $count targets ran for $time each"
