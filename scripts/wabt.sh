#!/bin/sh
# Prints the path of wat2wasm, which assembles internal/relay/relay.wat, on one line of standard
# output.
#
# If there is none, it installs Debian's package wabt, as root on Debian or Ubuntu. If that fails,
# one line on standard error says what to do, and the exit status is 1.
set -eu

fail() {
	echo "wabt.sh: $1" >&2
	exit 1
}

[ $# = 0 ] || fail "it takes no arguments, but was given '$1'"

command -v wat2wasm && exit 0

advice="no wat2wasm found: install wabt (Debian: apt-get install wabt; Homebrew: brew install wabt; npm: npm install -g wabt)"

if [ "$(id -u)" != 0 ] || [ ! -f /etc/debian_version ] || ! command -v apt-get >/dev/null; then
	fail "$advice"
fi

echo "wabt.sh: installing the package wabt with apt-get" >&2
export DEBIAN_FRONTEND=noninteractive
# Another apt-get may hold the lock on a machine that has just started: wait for it.
apt="apt-get -q -y -o DPkg::Lock::Timeout=600"
# A stale or partly unreachable package list need not be fatal: the install decides.
$apt update >&2 || echo "wabt.sh: apt-get update failed; trying with the existing package lists" >&2
$apt install --no-install-recommends wabt >&2 || fail "apt-get could not install wabt; $advice"
command -v wat2wasm || fail "apt-get installed no wat2wasm; $advice"
