#!/bin/sh
# Prints the JavaScript engines that the tests ran in, with versions, on one line, and those missing
# on another.
#
#   scripts/ran.sh FILE ENGINE...   FILE holds the lines that the tests wrote: an engine, a space, its version
#
# If ISOSOCKET_ENGINES_REQUIRED is set, the exit status is 1 when one of the engines did not run.
set -eu

[ $# -ge 2 ] || {
	echo "ran.sh: usage: scripts/ran.sh FILE ENGINE..." >&2
	exit 1
}
file=$1
shift
ran= missing=
for engine in "$@"; do
	version=$(sed -n "s/^$engine //p" "$file" 2>/dev/null | sort -u | paste -sd/ -)
	if [ -n "$version" ]; then
		ran="$ran${ran:+, }$engine $version"
	else
		missing="$missing${missing:+, }$engine"
	fi
done
echo "engines: the tests ran in ${ran:-none}"
[ -n "$missing" ] || exit 0
red= plain=
if [ -t 2 ]; then
	red=$(printf '\033[31m')
	plain=$(printf '\033[0m')
fi
echo "${red}engines: not run: $missing; scripts/engine.sh NAME says what to do$plain" >&2
[ -z "${ISOSOCKET_ENGINES_REQUIRED-}" ]
