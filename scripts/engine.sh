#!/bin/sh
# Prints the path of a JavaScript engine that the tests run in, on the first line of standard
# output.
#
#   scripts/engine.sh NAME                installs what is missing, if allowed
#   scripts/engine.sh --no-install NAME   only looks
#
# NAME and the order in which each is looked for:
#
#   chromium   scripts/chromium.sh
#   firefox    $FIREFOX_BIN, firefox-esr or firefox in $PATH, macOS's application folder, apt-get
#   webkit     WebKitWebDriver, WebKitGTK's MiniBrowser and Xvfb, a line each; then apt-get
#   node       $NODE_BIN, bin/engines, node in $PATH if it is version 22 or newer, npm
#   deno       $DENO_BIN, bin/engines, deno in $PATH, npm
#   bun        $BUN_BIN, bin/engines, bun in $PATH, npm
#
# apt-get, which can also install npm, runs only as root on Debian or Ubuntu. npm installs the
# version below into bin/engines, which Git ignores. If everything fails, one line on standard error
# says what to do, and the exit status is 1. The Go tests run this script with --no-install, so the
# order is the same everywhere.
set -eu

node_version=24.21.0
deno_version=2.9.6
bun_version=1.4.5

fail() {
	echo "engine.sh: $1" >&2
	exit 1
}

install=yes
if [ "${1-}" = --no-install ]; then
	install=no
	shift
fi
[ $# -eq 1 ] || fail "usage: scripts/engine.sh [--no-install] chromium|firefox|webkit|node|deno|bun"
name=$1
# Only shell builtins here: a machine without a $PATH gets the advice, too.
scripts=${0%/*}
[ "$scripts" != "$0" ] || scripts=.
engines=$(cd "$scripts/.." && pwd)/bin/engines

# named prints the program that $2, the value of the variable $1, names, and exits; it does nothing
# if $2 is empty.
named() {
	[ -n "$2" ] || return 0
	command -v "$2" && exit 0
	fail "$1 is '$2', which is not an executable file; set it to the path of $name or unset it"
}

# apt installs Debian's packages, or fails with the advice, its first argument.
apt() {
	advice=$1
	shift
	if [ "$install" = no ] || [ "$(id -u)" != 0 ] || [ ! -f /etc/debian_version ] || ! command -v apt-get >/dev/null; then
		fail "$advice"
	fi
	echo "engine.sh: installing $* with apt-get" >&2
	export DEBIAN_FRONTEND=noninteractive
	# Another apt-get may hold the lock on a machine that has just started: wait for it.
	get="apt-get -q -y -o DPkg::Lock::Timeout=600"
	# A stale or partly unreachable package list need not be fatal: the install decides.
	$get update >&2 || echo "engine.sh: apt-get update failed; trying with the existing package lists" >&2
	$get install --no-install-recommends "$@" >&2 || fail "apt-get could not install $*; $advice"
}

# npm_install installs version $1 of the npm package $name, or fails with advice.
npm_install() {
	advice="no $name found: scripts/engine.sh $name installs it with npm, or set $2 to its path"
	[ "$install" = yes ] || fail "$advice"
	command -v npm >/dev/null || apt "$advice" npm
	echo "engine.sh: installing $name $1 with npm into bin/engines" >&2
	rm -rf "$engines/$name-$1.new"
	mkdir -p "$engines/$name-$1.new"
	# Only the install scripts of these packages put the binary for this machine in place.
	npm install --prefix "$engines/$name-$1.new" --no-save --no-audit --no-fund --loglevel=error "$name@$1" >&2 ||
		fail "npm could not install $name@$1; $advice"
	rm -rf "$engines/$name-$1"
	mv "$engines/$name-$1.new" "$engines/$name-$1"
}

# runtime finds or installs a runtime. Its arguments: the version, the name of the variable, and its
# value.
runtime() {
	named "$2" "$3"
	own=$engines/$name-$1/node_modules/.bin/$name
	command -v "$own" && exit 0
	# Node has WebSocket since version 22; earlier versions need a flag.
	if path=$(command -v "$name"); then
		case $name$("$path" --version 2>/dev/null) in
		node | node*[!0-9.v]*) ;;
		nodev[1-9].* | nodev1[0-9].* | nodev2[01].*) ;;
		*) echo "$path" && exit 0 ;;
		esac
	fi
	npm_install "$1" "$2"
	command -v "$own" || fail "npm installed no $name that runs; set $2 to its path"
}

# debian_webkit prints the paths of the three programs that drive WebKit.
debian_webkit() {
	driver=$(command -v WebKitWebDriver) || return 1
	browser=
	for path in /usr/lib/*/webkit2gtk-4.*/MiniBrowser /usr/lib/*/webkitgtk-6.*/MiniBrowser /usr/libexec/webkit2gtk-4.*/MiniBrowser; do
		[ -x "$path" ] && browser=$path && break
	done
	[ -n "$browser" ] || return 1
	display=$(command -v Xvfb) || return 1
	printf '%s\n' "$driver" "$browser" "$display"
}

debian_firefox() {
	for path in firefox-esr firefox "/Applications/Firefox.app/Contents/MacOS/firefox"; do
		command -v "$path" && return 0
	done
	return 1
}

case $name in
chromium)
	if [ "$install" = no ]; then
		exec sh "$scripts/chromium.sh" --no-install
	fi
	exec sh "$scripts/chromium.sh"
	;;
firefox)
	named FIREFOX_BIN "${FIREFOX_BIN-}"
	debian_firefox && exit 0
	advice="no Firefox found: install the package firefox-esr (Debian: apt-get install firefox-esr) or set FIREFOX_BIN to a Firefox"
	apt "$advice" firefox-esr
	debian_firefox || fail "apt-get installed no Firefox that runs under a known name; $advice"
	;;
webkit)
	debian_webkit && exit 0
	advice="no WebKit found: install the packages webkit2gtk-driver and xvfb (Debian: apt-get install webkit2gtk-driver xvfb)"
	apt "$advice" webkit2gtk-driver xvfb
	debian_webkit || fail "apt-get installed no WebKit that runs under a known name; $advice"
	;;
node) runtime "$node_version" NODE_BIN "${NODE_BIN-}" ;;
deno) runtime "$deno_version" DENO_BIN "${DENO_BIN-}" ;;
bun) runtime "$bun_version" BUN_BIN "${BUN_BIN-}" ;;
*) fail "unknown engine '$name'; known are chromium, firefox, webkit, node, deno and bun" ;;
esac
