#!/bin/sh
# Prints the fuzz targets, one a line: the folder of the module, the package in it, the name, and js for
# those of the browser's target, native for the others.
set -eu
cd "$(dirname "$0")/.."

grep -rn --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' . | grep -v -e '/testdata/' -e '^./examples/' |
	sed -E 's|^(.*):[0-9]+:func (.*)$|\1 \2|' | sort | while read -r file target; do
	module=. package=${file%/*}
	case $file in
	./bench/*) module=bench package=./${package#./bench/} ;;
	./hub/nats/*) module=hub/nats package=. ;;
	esac
	os=native
	if head -n 1 "$file" | grep -q '^//go:build js$'; then
		os=js
	fi
	echo "$module $package $target $os"
done
