#!/bin/sh
# Prints the path of a Chromium (or Chrome) on one line of standard output.
#
#   scripts/chromium.sh                installs Debian's package if there is none, if allowed
#   scripts/chromium.sh --no-install   only looks
#
# It looks at $CHROME_BIN, then the usual names in $PATH, then macOS's application folder, then, as
# root on Debian or Ubuntu, apt-get. If everything fails, one line on standard error says what to
# do, and the exit status is 1. The Go tests run this script with --no-install, so the order is the
# same.
set -eu

fail() {
	echo "chromium.sh: $1" >&2
	exit 1
}

install=yes
case "${1-}" in
'') ;;
--no-install) install=no ;;
*) fail "unknown argument '$1'; the only one allowed is --no-install" ;;
esac

if [ -n "${CHROME_BIN-}" ]; then
	command -v "$CHROME_BIN" && exit 0
	fail "CHROME_BIN is '$CHROME_BIN', which is not an executable file; set it to Chromium's path or unset it"
fi

find_chromium() {
	for name in chromium chromium-browser google-chrome google-chrome-stable chrome \
		chrome-headless-shell headless-shell headless_shell \
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
		"/Applications/Chromium.app/Contents/MacOS/Chromium"; do
		command -v "$name" && return 0
	done
	return 1
}

find_chromium && exit 0

advice="no Chromium found: install the package chromium (Debian: apt-get install chromium) or set CHROME_BIN to a Chromium or Chrome"

if [ "$install" = no ] || [ "$(id -u)" != 0 ] || [ ! -f /etc/debian_version ] || ! command -v apt-get >/dev/null; then
	fail "$advice"
fi

echo "chromium.sh: installing the package chromium with apt-get" >&2
export DEBIAN_FRONTEND=noninteractive
# Another apt-get may hold the lock on a machine that has just started: wait for it.
apt="apt-get -q -y -o DPkg::Lock::Timeout=600"
# A stale or partly unreachable package list need not be fatal: the install decides.
$apt update >&2 || echo "chromium.sh: apt-get update failed; trying with the existing package lists" >&2
$apt install --no-install-recommends chromium fonts-liberation >&2 || fail "apt-get could not install chromium; $advice"
find_chromium || fail "apt-get installed no Chromium that runs under a known name; $advice"
